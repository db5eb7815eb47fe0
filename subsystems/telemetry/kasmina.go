package telemetry

import "github.com/esper-plane/esper/leyline"

// The states of a prefetch request (SPEC.md 4.10).
const (
	statusScheduled = "scheduled"
	statusReady     = "ready"
	statusError     = "error"
	statusTimeout   = "timeout"
	statusCanceled  = "canceled"
)

func (b *builder) commands(e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandVerified:
		s := b.at(leyline.SubsystemKasmina, x.Run)
		run, kind, op := text(keyRun, x.Run), name(keyKind, x.Kind), name(keyOperation, x.Seed.Operation)
		s.count(leyline.MetricCommandsAccepted, run, kind, op)
		s.event(leyline.NameCommandAccepted, leyline.LevelInfo,
			run, text(keyCommand, x.Command), text(keyIssuer, x.Issuer), text(keyKey, x.Key),
			kind, op, text(keySeed, x.Seed.Seed))
	case leyline.CommandRejected:
		b.rejected(x)
	case leyline.CommandSettled:
		b.at(leyline.SubsystemTolaria, x.Run).duration(leyline.MetricKasminaLastMs, x.TookNs, text(keyRun, x.Run))
		if x.Outcome != leyline.OutcomeOK {
			b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NameCommandFailed, leyline.LevelCritical,
				text(keyRun, x.Run), text(keyCommand, x.Command), name(keyOutcome, x.Outcome),
				text(keyReason, x.Reason), took(x.TookNs))
		}
	case leyline.CommandExpired:
		if x.Outcome == leyline.OutcomeDeadline {
			b.at(leyline.SubsystemTolaria, x.Run).count(leyline.MetricKasminaTimeouts, text(keyRun, x.Run))
		}
		b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NameCommandExpired, leyline.LevelCritical,
			text(keyRun, x.Run), text(keyCommand, x.Command), name(keyOutcome, x.Outcome))
	}
}

// rejected reports a declined command. Unless it was authentic its run is only
// a claim, and the packet is not said to concern that run.
func (b *builder) rejected(x leyline.CommandRejected) {
	run := x.Run
	if !leyline.Authentic(x.Reason) {
		run = ""
	}
	s := b.at(leyline.SubsystemKasmina, run)
	s.count(leyline.MetricCommandsRejected, name(keyReason, x.Reason))
	s.event(leyline.NameCommandRejected, leyline.LevelCritical,
		text(keyRun, x.Run), text(keyCommand, x.Command), text(keyIssuer, x.Issuer), text(keyKey, x.Key),
		name(keyKind, x.Kind), name(keyOperation, x.Operation), name(keyReason, x.Reason), text(keyDetails, x.Detail))
}

func (b *builder) seeds(e leyline.Event) {
	switch x := e.(type) {
	case leyline.GateEvaluated:
		b.gate(x)
	case leyline.SeedMoved:
		b.moved(x)
	case leyline.BlendConfigured:
		b.blend(x)
	case leyline.BlendStepped:
		s := b.at(leyline.SubsystemKasmina, x.Run)
		s.alpha(x.Run, x.Seed, x.Alpha, x.AlphaStep)
		s.metric(leyline.MetricBlendComplete, truth(x.Complete), text(keyRun, x.Run), text(keySeed, x.Seed))
		if x.Complete {
			s.count(leyline.MetricBlendCompletions, text(keyRun, x.Run))
		}
	}
}

// blend reports how a seed will be blended in.
func (b *builder) blend(x leyline.BlendConfigured) {
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed, mode := text(keyRun, x.Run), text(keySeed, x.Seed), name(keyMode, x.Plan.Mode)
	s.count(leyline.MetricBlendConfigurations, run, mode)
	s.metric(leyline.MetricBlendTotalSteps, float64(x.Plan.TotalSteps), run, seed)
	s.metric(leyline.MetricBlendTemperature, x.Plan.Temperature, run, seed)
	s.metric(leyline.MetricBlendLoss, x.Loss, run, seed)
	s.metric(leyline.MetricBlendComplete, 0, run, seed)
	s.event(leyline.NameBlendConfig, leyline.LevelInfo, run, seed, mode,
		whole(keyTotalSteps, x.Plan.TotalSteps), number(keyTemperature, x.Plan.Temperature), number(keyLoss, x.Loss))
}

// gate reports every verdict and, for a failed one, what it failed on.
func (b *builder) gate(x leyline.GateEvaluated) {
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed, gate := text(keyRun, x.Run), text(keySeed, x.Seed), name(keyGate, x.Gate)
	s.count(leyline.MetricGateEvaluations, run, gate, boolean(keyPassed, x.Passed))
	s.metric(leyline.MetricGatePassed, truth(x.Passed), run, seed, gate)
	for _, c := range x.Checks {
		check := text(keyCheck, c.Name)
		s.metric(leyline.MetricGateValue, c.Value, run, seed, gate, check)
		s.metric(leyline.MetricGateLimit, c.Limit, run, seed, gate, check)
	}
	s.event(leyline.NameGateEvent, either(!x.Passed, leyline.LevelWarning, leyline.LevelInfo),
		run, seed, gate, boolean(keyPassed, x.Passed), text(keyReason, x.Reason))
	if x.Passed {
		return
	}
	check, value, limit := text(keyCheck, ""), text(keyValue, ""), text(keyLimit, "")
	if c, found := failed(x.Checks); found {
		check, value, limit = text(keyCheck, c.Name), number(keyValue, c.Value), number(keyLimit, c.Limit)
	}
	s.event(leyline.NameGateFailure, leyline.LevelCritical,
		run, seed, gate, text(keyReason, x.Reason), check, value, limit)
}

// failed returns the first check that stopped a gate; one in shadow mode does
// not.
func failed(checks []leyline.Check) (leyline.Check, bool) {
	for _, c := range checks {
		if !c.OK && c.Mode != leyline.RuleShadow {
			return c, true
		}
	}
	return leyline.Check{}, false
}

// moved reports a seed's new stage. A seed that is culled, and a slot that is
// empty, has no part in the host's output any more.
func (b *builder) moved(x leyline.SeedMoved) {
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	s.metric(leyline.MetricSeedStage, float64(x.To), run, seed)
	if x.To == leyline.StageCulled || x.To == leyline.StageDormant {
		s.alpha(x.Run, x.Seed, 0, 0)
		s.attached(x.Run, x.Seed, false)
	}
	s.event(leyline.NameSeedStage, either(x.To == leyline.StageCulled, leyline.LevelWarning, leyline.LevelInfo),
		run, seed, name(keyStage, x.To), name(keyFrom, x.From), whole(keyStep, x.Step),
		text(keyBlueprint, x.Blueprint), text(keyCause, x.Cause))
}

func (s *section) alpha(run leyline.RunID, seed leyline.SeedID, alpha float64, steps uint32) {
	attrs := []leyline.Attr{text(keyRun, run), text(keySeed, seed)}
	s.metric(leyline.MetricSeedAlpha, alpha, attrs...)
	s.metric(leyline.MetricSeedAlphaSteps, float64(steps), attrs...)
}

// isolation reports a step in which a seed's gradient reached the host. The
// measurements of the step say how much; an event says it when it was more than
// ever before in the seed's stage, so that a leak that goes on is not told again
// at every step.
func (b *builder) isolation(e leyline.Event) {
	x, ok := e.(leyline.IsolationAssessed)
	if !ok || !x.Violated {
		return
	}
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	s.count(leyline.MetricIsolationViolations, run)
	s.count(leyline.MetricSeedViolations, run, seed)
	if !(x.Leak < x.MaxLeak) {
		s.event(leyline.NameViolationRecorded, leyline.LevelWarning, run, seed, whole(keySteps, x.Steps), number(keyValue, x.Leak))
	}
}

// The figures of a contribution: one probe, and the mean over those of the
// seed's stage.
const (
	figureProbe = "probe"
	figureMean  = "mean"
)

// contribution reports what a seed was measured to add.
func (b *builder) contribution(e leyline.Event) {
	x, ok := e.(leyline.ContributionMeasured)
	if !ok {
		return
	}
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	probe, all := text(keyFigure, figureProbe), text(keyFigure, figureMean)
	s.metric(leyline.MetricContribution, x.Accuracy, run, seed, probe)
	s.metric(leyline.MetricContribution, x.MeanAccuracy, run, seed, all)
	s.metric(leyline.MetricContributionLoss, x.Loss, run, seed, probe)
	s.metric(leyline.MetricContributionLoss, x.MeanLoss, run, seed, all)
}

func (b *builder) prefetch(id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.PrefetchRequested:
		s := b.at(leyline.SubsystemKasmina, x.Run)
		run := text(keyRun, x.Run)
		s.count(leyline.MetricPrefetchRequests, run, text(keyStatus, statusScheduled))
		s.metric(leyline.MetricPrefetchInflight, float64(x.Inflight), run)
		s.event(leyline.NamePrefetchRequested, leyline.LevelInfo,
			run, text(keySeed, x.Seed), text(keyBlueprint, x.Blueprint), name(keyRequest, id))
	case leyline.PrefetchSettled:
		b.prefetchSettled(x)
	}
}

// settlements says what a prefetch's outcome is called.
var settlements = [...]struct {
	status string
	event  leyline.EventName
	level  leyline.Level
}{
	leyline.OutcomeUnspecified: {statusError, leyline.NamePrefetchError, leyline.LevelCritical},
	leyline.OutcomeOK:          {statusReady, leyline.NamePrefetchReady, leyline.LevelInfo},
	leyline.OutcomeFailed:      {statusError, leyline.NamePrefetchError, leyline.LevelCritical},
	leyline.OutcomeDeadline:    {statusTimeout, leyline.NamePrefetchTimeout, leyline.LevelCritical},
	leyline.OutcomeSuperseded:  {statusCanceled, leyline.NamePrefetchCanceled, leyline.LevelWarning},
	leyline.OutcomeUnknown:     {statusError, leyline.NamePrefetchError, leyline.LevelCritical},
}

func (b *builder) prefetchSettled(x leyline.PrefetchSettled) {
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	how := settlements[leyline.OutcomeUnspecified]
	if int(x.Outcome) < len(settlements) {
		how = settlements[x.Outcome]
	}
	s.count(leyline.MetricPrefetchRequests, run, text(keyStatus, how.status))
	s.metric(leyline.MetricPrefetchInflight, float64(x.Inflight), run)
	if x.Outcome == leyline.OutcomeOK {
		s.duration(leyline.MetricKernelFetchMs, x.TookNs, run, seed)
		s.staged(x)
	}
	if x.Outcome != leyline.OutcomeSuperseded {
		s.duration(leyline.MetricPrefetchLastMs, x.TookNs, run)
	}
	s.event(how.event, how.level, run, seed, name(keyRequest, x.Request), text(keyReason, x.Reason), took(x.TookNs))
}
