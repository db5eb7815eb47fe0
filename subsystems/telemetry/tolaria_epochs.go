package telemetry

import "github.com/esper-plane/esper/leyline"

func (b *builder) epochs(e leyline.Event) {
	switch x := e.(type) {
	case leyline.EpochAssessed:
		b.epoch(x)
	case leyline.EpochFailed:
		b.epochFailed(x)
	case leyline.BreakerMoved:
		b.loopBreaker(x)
	}
}

// epoch reports an evaluation: accuracy and loss of each task, by its position
// in the run's plan, after the mean over all of them. A budget that was broken is
// told whether or not the epoch failed for it (SPEC.md 2.11).
func (b *builder) epoch(x leyline.EpochAssessed) {
	run := text(keyRun, x.Run)
	s := b.at(leyline.SubsystemTolaria, x.Run)
	s.count(leyline.MetricEpochs, run)
	s.duration(leyline.MetricEpochHookMs, x.HookNs, run)
	s.tasks(leyline.MetricTrainingAccuracy, x.Accuracies, run)
	s.shares(x.Shares, run)
	s.slow(leyline.NameEpochHookHigh, x.Run, x.Epoch, x.HookNs, x.HookBudget)
	s.slow(leyline.NameLatencyHigh, x.Run, x.Epoch, x.TookNs, x.BudgetNs)
	b.at(leyline.SubsystemTamiyo, x.Run).tasks(leyline.MetricValidationLoss, x.Losses, run)
}

// slow tells of a budget that was broken.
func (s *section) slow(what leyline.EventName, run leyline.RunID, epoch uint32, took, budget uint64) {
	if budget > 0 && took > budget {
		s.event(what, leyline.LevelWarning, text(keyRun, run), whole(keyEpoch, epoch), number(keyLatency, millis(took)), number(keyLimit, millis(budget)))
	}
}

func (b *builder) epochFailed(x leyline.EpochFailed) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	s.count(leyline.MetricEpochsFailed, text(keyRun, x.Run), name(keyReason, x.Reason))
	switch x.Reason {
	case leyline.EpochBudget:
		s.slow(leyline.NameEpochBudget, x.Run, x.Epoch, x.TookNs, x.BudgetNs)
	case leyline.EpochHookBudget:
		s.slow(leyline.NameHookBudget, x.Run, x.Epoch, x.TookNs, x.BudgetNs)
	}
}

// loopBreaker reports a breaker of the training loop (SPEC.md 2.11).
func (b *builder) loopBreaker(x leyline.BreakerMoved) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	run, component := text(keyRun, x.Run), name(keyComponent, x.Breaker)
	s.metric(leyline.MetricTolariaBreaker, float64(x.To), run, component)
	if x.To == leyline.BreakerOpen && x.Action != leyline.BreakerDenied {
		s.event(leyline.NameTolariaBreakerOpened, leyline.LevelWarning, run, component, whole(keyFailures, x.Failures))
	}
}
