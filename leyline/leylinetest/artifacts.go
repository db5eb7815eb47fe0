package leylinetest

import "github.com/esper-plane/esper/leyline"

const policyRef = "id version digest"

func artifactInputs() []Case[leyline.Input] {
	return []Case[leyline.Input]{
		input("", within("envelope", envelope)+" peer peer_name?", func(x *leyline.PolicyImported) { x.Envelope.PayloadType = leyline.PayloadPolicy }),
		input("that was verified", "run? request fault? reason? digest bytes took_ns? rules", func(x *leyline.PolicyLoaded) {
			x.Fault, x.Reason, x.Rules = leyline.PolicyFaultNone, "", leyline.DefaultConfig().Rules
		}),
		input("that cannot be used", "run? request fault reason digest? bytes? took_ns? rules?",
			func(x *leyline.PolicyLoaded) { x.Rules = leyline.DefaultConfig().Rules }),
	}
}

func artifactEvents() []Case[leyline.Event] {
	const whole = "id version architecture format digest bytes origin run created registries registries[0].kind registries[0].size registries[0].digest"
	return []Case[leyline.Event]{
		event("that was trained", within("artifact", whole)+" by", func(x *leyline.PolicyAdmitted) {
			trained(&x.Artifact)
		}),
		event("for a command", "run?"+within("policy", policyRef)+" file bytes action? command deadline", func(x *leyline.PolicyRequested) { x.Action = leyline.PolicyActivate }),
		event("of what is in force", "run?"+within("policy", policyRef)+" file bytes action? command? deadline",
			func(x *leyline.PolicyRequested) { x.Action = leyline.PolicyActionUnspecified }),
		event("", "run?"+within("policy", policyRef)+within("replaces", policyRef)+" action command took_ns? rules?",
			func(x *leyline.PolicyActivated) { x.Rules = leyline.DefaultConfig().Rules }),
		event[leyline.PolicyReverted]("", "run?"+within("replaces", policyRef)+" command"+within("then", policyRef), nil),
		event[leyline.PolicyConfirmed]("", "run?"+within("policy", policyRef)+" took_ns?", nil),
		event[leyline.PolicyRejected]("", "run?"+within("policy", policyRef)+" command? fault detail suspended? took_ns?", nil),
	}
}

// trained makes an artifact that was trained for the rules of this version.
func trained(a *leyline.PolicyArtifact) {
	a.Architecture, a.Format, a.Origin, a.Created = leyline.RulesArchitecture, leyline.PolicyTOML, leyline.PolicyTrained, "2026-11-26T21:00:00Z"
	a.Registries = leyline.FixedRegistries()
}
