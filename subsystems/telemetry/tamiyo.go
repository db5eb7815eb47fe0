package telemetry

import "github.com/esper-plane/esper/leyline"

func (b *builder) policy(e leyline.Event) {
	switch x := e.(type) {
	case leyline.ConservativeEntered:
		s := b.at(leyline.SubsystemTamiyo, x.Run)
		run := text(keyRun, x.Run)
		s.metric(leyline.MetricTamiyoConservative, 1, run)
		s.event(leyline.NameConservativeEntered, leyline.LevelWarning,
			run, whole(keyStep, x.Step), name(keyReason, x.Reason))
	case leyline.ConservativeLeft:
		s := b.at(leyline.SubsystemTamiyo, x.Run)
		run := text(keyRun, x.Run)
		s.metric(leyline.MetricTamiyoConservative, 0, run)
		s.event(leyline.NameConservativeExited, leyline.LevelInfo,
			run, whole(keyStep, x.Step), whole(keyHealthy, x.Healthy))
	case leyline.RiskAssessed:
		b.risk(x)
	case leyline.PolicyMissed:
		b.missed(x)
	case leyline.CommandProposed:
		b.proposed(x)
	case leyline.PolicyWeighed:
		b.weighed(x)
	}
}

// proposed reports a proposal and, of a graft, how it would be blended.
func (b *builder) proposed(x leyline.CommandProposed) {
	s := b.at(leyline.SubsystemTamiyo, x.Run)
	run := text(keyRun, x.Run)
	if mode := x.Seed.Blend.Mode; mode != leyline.BlendUnspecified {
		s.metric(leyline.MetricBlendMethod, float64(mode), run, name(keyMethod, mode))
	}
	s.event(leyline.NameCommandProposed, leyline.LevelInfo,
		run, whole(keyStep, x.Step), name(keyKind, x.Kind), name(keyOperation, x.Seed.Operation),
		text(keySeed, x.Seed.Seed), text(keyBlueprint, x.Seed.Blueprint), text(keyDetails, x.Why))
}

// inferred reports how long the policy took over an answer, or until it was
// given up.
func (b *builder) inferred(run leyline.RunID, ns uint64) {
	b.at(leyline.SubsystemTamiyo, run).duration(leyline.MetricInferenceMs, ns, text(keyRun, run))
	b.at(leyline.SubsystemTolaria, run).duration(leyline.MetricTamiyoLastMs, ns, text(keyRun, run))
}

// missed reports a question that the policy did not answer: too late, or not at
// all.
func (b *builder) missed(x leyline.PolicyMissed) {
	what := leyline.NamePolicyFailed
	if x.Outcome == leyline.OutcomeDeadline {
		what = leyline.NamePolicyTimeout
		b.at(leyline.SubsystemTolaria, x.Run).count(leyline.MetricTamiyoTimeouts, text(keyRun, x.Run))
	}
	b.at(leyline.SubsystemTamiyo, x.Run).event(what, leyline.LevelCritical,
		text(keyRun, x.Run), whole(keyStep, x.Step), name(keyRequest, x.Request), name(keyOutcome, x.Outcome),
		text(keyReason, x.Reason), took(x.TookNs))
}

// findings says what is told of a check that found something, whether it was
// acted upon or only watched. A check carries the name of the reason for which
// it would hold a proposal back; what is not here is told by the reason of the
// proposal that was held back.
var findings = [...]struct {
	reason leyline.RiskReason
	event  leyline.EventName
}{
	{leyline.RiskBlueprint, leyline.NameBlueprintRisk},
	{leyline.RiskLossSpike, leyline.NameLossSpike},
	{leyline.RiskIsolation, leyline.NameIsolationViolations},
	{leyline.RiskVolatility, leyline.NameVolatilityHigh},
	{leyline.RiskConflict, leyline.NameConflictHigh},
}

// risk reports what the evaluators found, and a proposal that they held back.
func (b *builder) risk(x leyline.RiskAssessed) {
	s := b.at(leyline.SubsystemTamiyo, x.Run)
	run, step := text(keyRun, x.Run), whole(keyStep, x.Step)
	for _, c := range x.Checks {
		if c.Name == leyline.RiskBlueprint.String() {
			s.metric(leyline.MetricBlueprintRisk, c.Value, run)
		}
		if what, level := finding(x, c); what != "" {
			s.event(what, level, run, step, number(keyValue, c.Value), number(keyLimit, c.Limit), name(keyMode, c.Mode))
		}
	}
	if !x.Allowed {
		s.event(leyline.NameCommandWithheld, leyline.LevelWarning,
			run, step, name(keyOperation, x.Proposed), name(keyReason, x.Reason))
	}
}

// finding returns the event of a check that found something, else nothing.
func finding(x leyline.RiskAssessed, c leyline.Check) (leyline.EventName, leyline.Level) {
	if c.OK {
		return "", leyline.LevelUnspecified
	}
	for _, f := range findings {
		switch {
		case c.Name != f.reason.String():
		case f.reason == leyline.RiskBlueprint && x.Reason == leyline.RiskQuarantine:
			return leyline.NameBlueprintQuarantine, leyline.LevelCritical
		default:
			return f.event, either(c.Mode == leyline.RuleEnforce, leyline.LevelWarning, leyline.LevelInfo)
		}
	}
	return "", leyline.LevelUnspecified
}
