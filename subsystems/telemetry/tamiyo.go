package telemetry

import "github.com/esper-plane/esper/leyline"

func (b *builder) policy(e leyline.Event) {
	switch x := e.(type) {
	case leyline.ConservativeEntered:
		s := b.at(leyline.SubsystemTamiyo, x.Run)
		run := text(keyRun, x.Run)
		s.metric(leyline.MetricTamiyoConservative, 1, unitBool, run)
		s.event(leyline.NameConservativeEntered, leyline.LevelWarning,
			run, whole(keyStep, x.Step), name(keyReason, x.Reason))
	case leyline.ConservativeLeft:
		s := b.at(leyline.SubsystemTamiyo, x.Run)
		run := text(keyRun, x.Run)
		s.metric(leyline.MetricTamiyoConservative, 0, unitBool, run)
		s.event(leyline.NameConservativeExited, leyline.LevelInfo,
			run, whole(keyStep, x.Step), whole(keyHealthy, x.Healthy))
	case leyline.RiskAssessed:
		b.risk(x)
	case leyline.PolicyMissed:
		b.missed(x)
	case leyline.CommandProposed:
		b.at(leyline.SubsystemTamiyo, x.Run).event(leyline.NameCommandProposed, leyline.LevelInfo,
			text(keyRun, x.Run), whole(keyStep, x.Step), name(keyKind, x.Kind), name(keyOperation, x.Seed.Operation),
			text(keySeed, x.Seed.Seed), text(keyBlueprint, x.Seed.Blueprint), text(keyDetails, x.Why))
	}
}

// inferred reports how long the policy took over an answer, or until it was
// given up.
func (b *builder) inferred(run leyline.RunID, ns uint64) {
	b.at(leyline.SubsystemTamiyo, run).duration(leyline.MetricInferenceMs, ns, text(keyRun, run))
}

// missed reports a question that the policy did not answer: too late, or not at
// all.
func (b *builder) missed(x leyline.PolicyMissed) {
	what := leyline.NamePolicyFailed
	if x.Outcome == leyline.OutcomeDeadline {
		what = leyline.NamePolicyTimeout
	}
	b.at(leyline.SubsystemTamiyo, x.Run).event(what, leyline.LevelCritical,
		text(keyRun, x.Run), whole(keyStep, x.Step), name(keyRequest, x.Request), name(keyOutcome, x.Outcome),
		text(keyReason, x.Reason), took(x.TookNs))
}

// risk reports a proposal that the evaluators held back, and a conflict rate
// that one of them found too high, whether it was acted upon or only watched.
func (b *builder) risk(x leyline.RiskAssessed) {
	s := b.at(leyline.SubsystemTamiyo, x.Run)
	if c, found := conflict(x); found {
		s.event(leyline.NameConflictHigh, either(c.Mode == leyline.RuleEnforce, leyline.LevelWarning, leyline.LevelInfo),
			text(keyRun, x.Run), whole(keyStep, x.Step),
			number(keyValue, c.Value), number(keyLimit, c.Limit), name(keyMode, c.Mode))
	}
	if !x.Allowed {
		s.event(leyline.NameCommandWithheld, leyline.LevelWarning,
			text(keyRun, x.Run), whole(keyStep, x.Step), name(keyOperation, x.Proposed), name(keyReason, x.Reason))
	}
}

// conflict returns the check that found too many conflicting gradients. A check
// carries the name of the reason for which it would hold a proposal back.
func conflict(x leyline.RiskAssessed) (leyline.Check, bool) {
	for _, c := range x.Checks {
		if c.Name == leyline.RiskConflict.String() && !c.OK {
			return c, true
		}
	}
	return leyline.Check{}, false
}
