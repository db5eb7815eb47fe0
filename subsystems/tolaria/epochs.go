package tolaria

import (
	"fmt"
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// epoch judges an epoch at its end. One that failed raises the emergency level
// and counts against its breaker, unless it is the breaker that refused it; one
// that did not, in a run whose loss is trusted, lowers the level again, unless an
// operator raised it. A failed epoch says nothing about the network, so it never rolls it back.
func epoch(t *projections.Turn, x leyline.EpochObserved) {
	c, r := &t.Config().Tolaria, t.State.Tolaria.Run(x.Run)
	e := leyline.EpochAssessed{
		Run: x.Run, Step: x.Step, Epoch: x.Epoch, Losses: x.Losses, Accuracies: x.Accuracies, Shares: shares(t, r),
		TookNs: x.TookNs, BudgetNs: uint64(c.EpochBudget.Duration()),
		HookNs: max(r.Epochs.Hook, x.HookNs), HookBudget: uint64(c.HookBudget.Duration()),
	}
	f := leyline.EpochFailed{Run: x.Run, Step: x.Step, Epoch: x.Epoch}
	f.Reason, f.TookNs, f.BudgetNs = failure(t, r, e)
	switch f.Reason {
	case leyline.EpochNone:
	case leyline.EpochBreakerOpen:
		f.Streak = r.Epochs.Streak
	default:
		f.Streak = r.Epochs.Streak + 1
	}
	e.Streak = f.Streak
	t.Emit(e)
	if f.Reason == leyline.EpochNone {
		passed(t, r, x)
		return
	}
	t.Emit(f)
	failed(t, r, f)
}

// failure says why an epoch failed, and what broke which budget.
func failure(t *projections.Turn, r *projections.Run, x leyline.EpochAssessed) (why leyline.EpochReason, took, budget uint64) {
	allowed, moved, moves := breaker.Allow(r.Breaker(leyline.BreakerEpochs), now(t, r))
	if moves {
		t.Emit(moved)
	}
	switch {
	case !allowed:
		return leyline.EpochBreakerOpen, 0, 0
	case x.BudgetNs > 0 && x.TookNs > x.BudgetNs:
		return leyline.EpochBudget, x.TookNs, x.BudgetNs
	case r.Epochs.First != leyline.EpochNone:
		return r.Epochs.First, 0, 0
	case x.HookBudget > 0 && x.HookNs > x.HookBudget:
		return leyline.EpochHookBudget, x.HookNs, x.HookBudget
	}
	return leyline.EpochNone, 0, 0
}

func passed(t *projections.Turn, r *projections.Run, x leyline.EpochObserved) {
	if moved, moves := breaker.Succeed(&t.Config().Breaker, r.Breaker(leyline.BreakerEpochs), now(t, r)); moves {
		t.Emit(moved)
	}
	calm := r.AwaitGood == "" && r.Track.Suspect == 0 && finite(x.Losses)
	if calm && !r.Raised && r.Emergency > leyline.EmergencyNotice && r.Emergency < leyline.EmergencyHalt {
		t.Emit(leyline.EmergencyCleared{
			Run: x.Run, From: r.Emergency, To: leyline.EmergencyNotice, Reason: leyline.FaultRecovered,
		})
	}
	fence(t, r, leyline.FenceEpoch, x.Step)
}

func failed(t *projections.Turn, r *projections.Run, f leyline.EpochFailed) {
	level := leyline.EmergencyElevated
	if f.Reason == leyline.EpochBreakerOpen { // a refusal is no failure
		level = leyline.EmergencyConservative
	} else {
		t.Emit(breaker.Fail(&t.Config().Breaker, r.Breaker(leyline.BreakerEpochs), now(t, r), leyline.BreakerEpochFailed))
	}
	escalate(t, r, level, leyline.FaultEpochFailed)
	if limit := t.Config().Tolaria.FailedEpochs; limit > 0 && f.Streak >= limit {
		halt(t, r, leyline.FaultEpochStreak, fmt.Sprintf("%d epochs failed in a row, the last one, %d, for %s", f.Streak, f.Epoch, f.Reason))
	}
}

// now is where a run stands when a breaker is asked.
func now(t *projections.Turn, r *projections.Run) breaker.Now {
	return breaker.Now{Run: r.ID, At: t.Meta.At, Steps: r.Steps, Lockstep: r.Plan.Lockstep}
}

// slowest is the slowest answer of the epoch so far. A report tells how long the
// trainer waited for the answer to the step before it; the one that ended the
// last epoch was judged with it.
func slowest(r *projections.Run, x leyline.StepObserved) uint64 {
	hook := r.Epochs.Hook
	if x.Step == r.Epochs.Last+1 {
		return hook
	}
	for _, m := range x.Metrics.Readings {
		if m.Metric == leyline.TrainHookMs && m.Value > 0 {
			hook = max(hook, uint64(math.Min(m.Value*1e6, float64(longest))))
		}
	}
	return hook
}
