package telemetry

import l "github.com/esper-plane/esper/leyline"

// askStory is what becomes of what Tamiyo asks of others, and of its caution.
var askStory = []scene{
	{"a window asks the policy on the worker, with 5 ms for it", "r1", l.StepObserved{Run: "r1", Step: 10}, []l.Event{
		l.PolicyAsked{Run: "r1", Step: 10, Deadline: 2_005_000_000},
	}},
	{"its answer is in time and teaches; a safety sheet is looked up", "r1", l.PolicyAnswered{Run: "r1", TookNs: 2_000_000}, []l.Event{
		l.BudgetLearned{Run: "r1", Effect: l.EffectPolicy, OldNs: 5_000_000, NewNs: 6_000_000, MaxNs: 2_000_000, Samples: 20},
		l.MetadataAsked{Run: "r1", Step: 10, Blueprint: "bp-1", Deadline: 3_025_000_000},
	}},
	{"the sheet counts", "r1", l.MetadataAnswered{Run: "r1", TookNs: 1_500_000}, []l.Event{
		l.MetadataSettled{Run: "r1", Step: 10, Request: l.EffectID{Seq: 3, Index: 1}, Facts: l.BlueprintFacts{Blueprint: "bp-1", Serial: 2, Key: "k1", Risk: 0.25}, TookNs: 1_500_000},
	}},
	{"another one was tampered with", "r1", l.MetadataAnswered{Run: "r1", TookNs: 1_500_000}, []l.Event{
		l.MetadataMissed{Run: "r1", Step: 20, Request: l.EffectID{Seq: 8}, Blueprint: "bp-2", Outcome: l.OutcomeFailed, Fault: l.SheetInvalidSignature, Reason: "the signature does not match", TookNs: 1_500_000},
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerMetadata, Action: l.BreakerCount, From: l.BreakerClosed, To: l.BreakerClosed, Reason: l.BreakerMetadataFailed, Failures: 1},
		l.ConservativeEntered{Run: "r1", Step: 20, Reason: l.RiskMetadataFailed, By: l.PartyPlane, Wanted: 2, Until: 15_000_000_000},
	}},
	{"and one does not come in time, which opens the breaker", "r1", l.MetadataFailed{Run: "r1", TookNs: 25_000_000}, []l.Event{
		l.MetadataMissed{Run: "r1", Step: 30, Request: l.EffectID{Seq: 9}, Blueprint: "bp-2", Outcome: l.OutcomeDeadline, Fault: l.SheetTimeout, Reason: "deadline exceeded", TookNs: 25_000_000},
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerMetadata, Action: l.BreakerTransition, From: l.BreakerClosed, To: l.BreakerOpen,
			Reason: l.BreakerMetadataTimeout, Failures: 3, Until: 66_000_000_000,
		},
		l.ConservativeRefreshed{Run: "r1", Step: 30, Reason: l.RiskMetadataTimeout, Previous: l.RiskMetadataFailed, By: l.PartyPlane, Times: 2, Wanted: 2},
	}},
	{"the breaker of the policy denies", "r1", l.StepObserved{Run: "r1", Step: 40}, []l.Event{
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerInference, Action: l.BreakerDenied, From: l.BreakerOpen, To: l.BreakerOpen, Reason: l.BreakerCoolingDown, Failures: 3, Until: 66_000_000_000},
	}},
	{"the policy names no seed", "r1", l.StepObserved{Run: "r1", Step: 50}, []l.Event{
		l.PolicyRefused{Run: "r1", Step: 50, Reason: l.RiskPolicyInvalid, Refusal: l.Refusal{Subsystem: l.SubsystemTamiyo, Kind: l.RefusalMissingSeed, Field: "seed", Reason: "is missing"}},
	}},
	{"there is no seed that it could name", "r1", l.StepObserved{Run: "r1", Step: 60}, []l.Event{
		l.PolicyRefused{Run: "r1", Step: 60, Reason: l.RiskNoCandidates, Refusal: l.Refusal{Subsystem: l.SubsystemTamiyo, Kind: l.RefusalMissingSeed, Field: "seeds", Identifier: "r1", Reason: "has kinds of seed and no slot for one"}},
	}},
	{"an answer comes that nobody waits for any more", "r1", l.PolicyAnswered{Run: "r1", TookNs: 80_000_000}, []l.Event{
		l.AnswerLate{Run: "r1", Request: l.EffectID{Seq: 2}, Effect: l.EffectPolicy, Outcome: l.OutcomeOK, TookNs: 80_000_000},
	}},
	{"an operator lets the run go on", "r1", l.CommandReceived{}, []l.Event{
		l.ConservativeLeft{Run: "r1", Step: 60, Reason: l.RiskOperator, Previous: l.RiskMetadataTimeout, By: l.PartyOperator, Cause: "cmd-7", LastedNs: 6_000_000_000, LastedSteps: 40},
	}},
}
