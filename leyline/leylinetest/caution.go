package leylinetest

import "github.com/esper-plane/esper/leyline"

const hazard = "hazard.score? hazard.band hazard.handling hazard.resource hazard.provenance hazard.recommendation?" +
	" hazard.mitigations? hazard.mitigations[0].action hazard.mitigations[0].rationale"

func metadataInputs() []Case[leyline.Input] {
	return []Case[leyline.Input]{
		input[leyline.MetadataAnswered]("", "request run"+within("envelope", "payload_type? payload? key_id? signature?")+" took_ns?", nil),
		input("", "request run outcome fault reason took_ns?", func(x *leyline.MetadataFailed) {
			x.Outcome, x.Fault = leyline.OutcomeFailed, leyline.SheetMissing
		}),
	}
}

func cautionEvents() []Case[leyline.Event] {
	return []Case[leyline.Event]{
		event("by a rule", "run step? reason by cause? wanted until? until_step?", func(x *leyline.ConservativeEntered) { x.By = leyline.PartyPlane }),
		event("by an operator", "run step? reason by cause? wanted? until? until_step?", func(x *leyline.ConservativeEntered) { x.By = leyline.PartyOperator }),
		event("", "run step? reason previous by cause? times wanted? until? until_step?", func(x *leyline.ConservativeRefreshed) { x.By = leyline.PartyPlane }),
		event("by a rule", "run step healthy reason previous by cause? lasted_ns? lasted_steps?", func(x *leyline.ConservativeLeft) { x.By = leyline.PartyPlane }),
		event("by an operator", "run step? healthy? reason previous by cause lasted_ns? lasted_steps?", func(x *leyline.ConservativeLeft) { x.By = leyline.PartyOperator }),
		event[leyline.MetadataAsked]("", "run step blueprint deadline took_ns? stale?", nil),
		event[leyline.MetadataSettled]("", "run step request"+within("facts", "blueprint serial key tier stage? risk? quarantine? approval? "+hazard)+" digest took_ns?", nil),
		event("", "run step request blueprint outcome fault reason took_ns?", func(x *leyline.MetadataMissed) { x.Outcome = leyline.OutcomeFailed }),
		event("", "run step request? reason"+within("refusal", "subsystem kind field identifier? reason hint?")+" took_ns?",
			func(x *leyline.PolicyRefused) { x.Reason = leyline.RiskPolicyInvalid }),
		event("", "run request effect outcome took_ns?", func(x *leyline.AnswerLate) { x.Effect = leyline.EffectMetadata }),
		event("", "run effect old_ns new_ns max_ns samples", func(x *leyline.BudgetLearned) { x.Effect = leyline.EffectPolicy }),
	}
}
