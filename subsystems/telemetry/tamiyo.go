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
	}
}

// proposed reports a proposal and, of a graft, how it would be blended.
func (b *builder) proposed(x leyline.CommandProposed) {
	s := b.at(leyline.SubsystemTamiyo, x.Run)
	run := text(keyRun, x.Run)
	if mode := x.Seed.Blend.Mode; mode != leyline.BlendUnspecified {
		s.metric(leyline.MetricBlendMethod, float64(mode), run, name(keyMethod, mode))
	}
	operation, seed := x.Seed.Operation.String(), x.Seed.Seed
	switch x.Kind {
	case leyline.CommandPause:
		operation, seed = x.Pause.Action.String(), x.Pause.Seed
	case leyline.CommandOptimizer:
		operation = x.Optimizer.Action.String()
	}
	if x.Pause.Action == leyline.PauseStart {
		s.event(leyline.NamePauseTriggered, leyline.LevelWarning,
			run, whole(keyStep, x.Step), text(keySeed, seed), name(keyReason, x.Metadata.Reason))
	}
	s.event(leyline.NameCommandProposed, leyline.LevelInfo,
		run, whole(keyStep, x.Step), name(keyKind, x.Kind), text(keyOperation, operation),
		text(keySeed, seed), text(keyBlueprint, x.Seed.Blueprint), text(keyDetails, x.Why))
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
