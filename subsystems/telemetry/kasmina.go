package telemetry

import (
	"strings"

	"github.com/esper-plane/esper/leyline"
)

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
		if x.Kind == leyline.CommandOptimizer {
			s.event(leyline.NameOptimizerAdjust, leyline.LevelInfo, run, text(keyCommand, x.Command),
				name(keyAction, x.Optimizer.Action), number(keyValue, x.Optimizer.Factor), text(keyReason, x.Optimizer.Reason))
		}
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

// claimed is the run that a declined command concerns: none unless it was authentic,
// for then its run is only a claim.
func claimed(x leyline.CommandRejected) leyline.RunID {
	if !leyline.Authentic(x.Reason) {
		return ""
	}
	return x.Run
}

// rejected reports a declined command.
func (b *builder) rejected(x leyline.CommandRejected) {
	s := b.at(leyline.SubsystemKasmina, claimed(x))
	s.count(leyline.MetricCommandsRejected, name(keyReason, x.Reason))
	s.event(leyline.NameCommandRejected, leyline.LevelCritical,
		text(keyRun, x.Run), text(keyCommand, x.Command), text(keyIssuer, x.Issuer), text(keyKey, x.Key),
		name(keyKind, x.Kind), name(keyOperation, x.Operation), name(keyReason, x.Reason), text(keyDetails, x.Detail))
	b.proposalRejected(x)
	b.notApplied(x)
	if x.Reason == leyline.RejectBreakerInvalid {
		s.event(leyline.NameBreakerInvalid, leyline.LevelWarning, text(keyRun, x.Run), text(keyCommand, x.Command), text(keyReason, x.Detail))
	}
}

func (b *builder) seeds(e leyline.Event) {
	switch x := e.(type) {
	case leyline.GateEvaluated:
		b.gate(x)
	case leyline.SeedMoved:
		b.moved(x)
	case leyline.SeedPaused:
		b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NameSeedPaused, leyline.LevelWarning,
			text(keyRun, x.Run), text(keySeed, x.Seed), whole(keyStep, x.Step), text(keyCause, x.Cause))
	case leyline.SeedResumed:
		b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NameSeedResumed, leyline.LevelInfo,
			text(keyRun, x.Run), text(keySeed, x.Seed), whole(keyStep, x.Step), text(keyBlueprint, x.Blueprint), text(keyCause, x.Cause))
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
	s.event(leyline.NameBlendConfig, leyline.LevelInfo, run, seed, mode, text(keySource, x.Source), logits(x.Plan.Source), whole(keyAlphaVec, x.Plan.ChannelCount),
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
		if !c.OK && c.Mode == leyline.RuleShadow {
			s.count(leyline.MetricGateShadow, run, gate, check)
		}
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
	s.event(leyline.NameGateFailure, leyline.GateLevel(x.Reason),
		run, seed, gate, text(keyReason, x.Reason), check, value, limit)
	if m := &x.Mesh; len(m.Missing) > 0 {
		s.event(leyline.NameMeshMissing, leyline.LevelError, run, seed,
			list(keyMissing, m.Missing), list(keyRequired, m.Required), list(keyAvailable, m.Available))
	}
}

func list(key string, names []string) leyline.Attr { return text(key, strings.Join(names, ",")) }

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

// moved reports a seed's new stage. A seed that is culled or trains beside its host,
// and a slot that is empty, has no part in the host's output.
func (b *builder) moved(x leyline.SeedMoved) {
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	s.metric(leyline.MetricSeedStage, float64(x.To), run, seed)
	if x.To == leyline.StageCulled || x.To == leyline.StageDormant || x.To == leyline.StageTraining {
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
