package telemetry

import (
	"math"
	"strconv"

	"github.com/esper-plane/esper/leyline"
)

// taskAll is the task attribute of a mean over all tasks.
const taskAll = "all"

// measured reports what an admitted input measured.
func (b *builder) measured(in leyline.Input) {
	switch x := in.(type) {
	case leyline.StepObserved:
		b.step(x)
	case leyline.PolicyAnswered:
		b.inferred(x.Run, x.TookNs)
	case leyline.PolicyFailed:
		b.inferred(x.Run, x.TookNs)
	}
}

// step reports what the trainer measured in a step.
func (b *builder) step(x leyline.StepObserved) {
	run := text(keyRun, x.Run)
	s := b.at(leyline.SubsystemTolaria, x.Run)
	s.duration(leyline.MetricStepForwardMs, x.ForwardNs, run)
	s.duration(leyline.MetricStepLatencyMs, x.PreviousNs, run)
	s.metric(leyline.MetricLearnRate, x.LearnRate, run)
	s.metric(leyline.MetricSeedsGrafted, float64(len(x.Seeds)), run)
	if x.Microbatches > 0 {
		s.metric(leyline.MetricMicrobatches, float64(x.Microbatches), run)
	}
	s.barrier(x.BarrierNs, run)
	s.readings(x.Metrics, run)
	for _, o := range x.Seeds {
		s := b.at(leyline.SubsystemKasmina, x.Run)
		attrs := []leyline.Attr{run, text(keySeed, o.Seed)}
		s.metric(leyline.MetricSeedLeak, o.Leak, attrs...)
		s.metric(leyline.MetricSeedCosine, o.Cosine, attrs...)
		s.metric(leyline.MetricSeedGradNorm, o.GradNorm, attrs...)
		s.metric(leyline.MetricHostGradNorm, o.HostNorm, attrs...)
		s.blended(o.Blend, attrs[0], attrs[1])
		s.attached(x.Run, o.Seed, true)
	}
}

func (b *builder) training(e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		b.runStarted(x)
	case leyline.RunResumed:
		b.runResumed(x)
	case leyline.RunEnded:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameRunEnded, leyline.LevelInfo,
			text(keyRun, x.Run), whole(keyStep, x.Step), name(keyOutcome, x.Outcome), name(keyDigest, x.Digest))
	case leyline.RunHalted:
		s := b.at(leyline.SubsystemTolaria, x.Run)
		run := text(keyRun, x.Run)
		s.metric(leyline.MetricEmergencyHalt, 1, run)
		s.count(leyline.MetricEmergencyHalts, run)
		s.event(leyline.NameEmergencyHalt, leyline.LevelCritical,
			run, whole(keyStep, x.Step), name(keyReason, x.Reason), text(keyDetails, x.Detail))
	case leyline.GradientsCombined:
		b.combined(x)
	case leyline.TrainingAssessed:
		b.assessed(x)
	case leyline.ProfileRecorded:
		b.profiled(x)
	}
}

func (b *builder) runStarted(x leyline.RunStarted) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	run := text(keyRun, x.Run)
	s.metric(leyline.MetricEmergencyHalt, 0, run)
	s.metric(leyline.MetricRunIncarnation, float64(x.Incarnation), run)
	s.posture(x.Plan.Posture, run)
	s.mode(&x.Plan, run)
	if x.Plan.Optimizer != "" {
		s.event(leyline.NameOptimizerFamily, leyline.LevelInfo, run, text("family", x.Plan.Optimizer))
	}
	s.event(leyline.NameRunStarted, leyline.LevelInfo,
		run, whole(keyIncarnation, x.Incarnation), text("workload", x.Plan.Workload),
		text("framework", x.Plan.Framework), whole("parameters", x.Plan.Parameters),
		whole("steps", x.Plan.Steps), whole("tasks", uint64(len(x.Plan.Tasks))),
		whole("seeds", uint64(len(x.Plan.Seeds))), whole("blueprints", uint64(len(x.Plan.Blueprints))), whole("drills", uint64(len(x.Plan.Drills))))
}

func (b *builder) runResumed(x leyline.RunResumed) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	run := text(keyRun, x.Run)
	s.metric(leyline.MetricEmergencyHalt, 0, run)
	s.place(x.Step, x.Incarnation, run)
	s.posture(x.Posture, run)
	s.event(leyline.NameRunResumed, leyline.LevelWarning,
		run, whole(keyIncarnation, x.Incarnation), whole(keyLineage, x.Lineage), text(keySnapshot, x.Snapshot),
		whole(keyStep, x.Step), whole(keyLost, x.Lost), text(keyRollback, x.Rollback))
}

// place reports where a run goes on after a resume or a rollback.
func (s *section) place(step leyline.Step, n leyline.Incarnation, run leyline.Attr) {
	s.metric(leyline.MetricTrainingStep, float64(step), run)
	s.metric(leyline.MetricRunIncarnation, float64(n), run)
}

func (b *builder) combined(x leyline.GradientsCombined) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	run := []leyline.Attr{text(keyRun, x.Run)}
	applied := x.Method == leyline.AggregationPCGrad && x.Conflicts > 0
	s.metric(leyline.MetricConflicts, float64(x.Conflicts), run...)
	s.metric(leyline.MetricConflictRatio, x.Ratio, run...)
	s.metric(leyline.MetricPCGradApplied, truth(applied), run...)
	if len(x.Weights) > 0 {
		s.metric(leyline.MetricWeightsMean, mean(x.Weights), run...)
	}
}

// assessed reports a step's verdict. On an unhealthy step the running figures
// are those of the last healthy one and are not reported again.
func (b *builder) assessed(x leyline.TrainingAssessed) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	run := []leyline.Attr{text(keyRun, x.Run)}
	s.metric(leyline.MetricTrainingStep, float64(x.Step), run...)
	s.metric(leyline.MetricTrainingLoss, x.Loss, run...)
	s.metric(leyline.MetricProfilerEnabled, truth(x.Profiled), run...)
	if x.Limit > 0 {
		s.metric(leyline.MetricTrainingLossLimit, x.Limit, run...)
	}
	s.anomaly(x)
	if x.Health != leyline.HealthHealthy {
		return
	}
	s.metric(leyline.MetricTrainingLossEWMA, x.LossEWMA.Mean, run...)
	s.metric(leyline.MetricTrainingVolatility, math.Sqrt(x.LossEWMA.Var), run...)
	if x.GradEWMA.N > 0 {
		s.metric(leyline.MetricGradientNorm, x.GradEWMA.Mean, run...)
	}
	if x.RateEWMA.N > 0 {
		s.metric(leyline.MetricThroughput, x.RateEWMA.Mean, run...)
	}
	b.at(leyline.SubsystemTamiyo, x.Run).metric(leyline.MetricTamiyoLossDelta, x.Delta, run...)
}

// profiled reports what became of a profile.
func (b *builder) profiled(x leyline.ProfileRecorded) {
	s, run := b.at(leyline.SubsystemTolaria, x.Run), text(keyRun, x.Run)
	if x.Outcome == leyline.OutcomeOK {
		s.count(leyline.MetricProfilerTraces, run)
		return
	}
	s.count(leyline.MetricProfilerFailures, run)
	s.event(leyline.NameProfilerFailed, leyline.LevelWarning, run, whole(keyStep, x.First), whole(keyTo, x.Last), text(keyReason, x.Reason))
}

// anomaly reports a step whose numbers are not finite or whose loss is over its
// limit. In shadow mode such a step stays healthy and is only counted.
func (s *section) anomaly(x leyline.TrainingAssessed) {
	run, step, loss := text(keyRun, x.Run), whole(keyStep, x.Step), number(keyValue, x.Loss)
	limit, row := number(keyLimit, x.Limit), whole(keySuspect, x.Suspect)
	if x.Anomaly == leyline.FaultCollapsed {
		limit = number(keyLimit, x.Chance)
	}
	switch {
	case x.Health == leyline.HealthNonFinite:
		s.event(leyline.NameNonFinite, leyline.LevelCritical, run, step, loss)
	case x.Health == leyline.HealthDiverged:
		s.event(leyline.NameDiverged, leyline.LevelCritical, run, step, loss, limit, row)
	case x.Health == leyline.HealthCollapsed:
		s.event(leyline.NameCollapsed, leyline.LevelCritical, run, step, loss, limit, row)
	case x.Suspect > 0:
		mode := leyline.RuleEnforce
		if x.Health == leyline.HealthHealthy {
			mode = leyline.RuleShadow
		}
		s.event(leyline.NameLossSuspect, either(mode == leyline.RuleEnforce, leyline.LevelWarning, leyline.LevelInfo), run, step, name(keyReason, x.Anomaly), loss, limit, row, name(keyMode, mode))
	}
}

// trainer reports a silence and its end.
func (b *builder) trainer(e leyline.Event) {
	switch x := e.(type) {
	case leyline.TrainerStalled:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameTrainerStalled, leyline.LevelWarning,
			text(keyRun, x.Run), whole(keyStep, x.Step), number(keyAge, millis(x.AgeNs)))
	case leyline.TrainerReturned:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameTrainerReturned, leyline.LevelInfo,
			text(keyRun, x.Run), whole(keyStep, x.Step), number(keyAge, millis(x.AgeNs)))
	}
}

// tasks reports a value of each task after the mean over all of them.
func (s *section) tasks(what leyline.MetricName, values []float64, run leyline.Attr) {
	if len(values) == 0 {
		return
	}
	s.metric(what, mean(values), run, text(keyTask, taskAll))
	for i, v := range values {
		s.metric(what, v, run, text(keyTask, strconv.Itoa(i)))
	}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
