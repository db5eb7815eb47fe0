package tolaria

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// fence asks the trainer to rebuild its optimizer at a fence that was reached, or
// says why not. A step is looked at once, when it was trained on and is healthy;
// step 0 is none.
func fence(t *projections.Turn, r *projections.Run, which leyline.Fence, at leyline.Step) {
	c := &t.Config().Tolaria
	if c.Rebuild != which || which == leyline.FenceSteps && at%leyline.Step(c.RebuildSteps) != 0 {
		return
	}
	rebuild(t, r, which, at)
}

// rebuild orders a rebuild, or records why it is left out.
func rebuild(t *projections.Turn, r *projections.Run, which leyline.Fence, at leyline.Step) {
	e := leyline.OptimizerRebuild{
		Run: r.ID, Step: at, Fence: which, Stage: leyline.RebuildRequested, Deadline: t.Meta.At.Add(t.Config().Tolaria.Order.Duration()),
	}
	if why := barred(t, r); why != leyline.RebuildFine {
		e.Stage, e.Reason, e.Deadline = leyline.RebuildSkipped, why, 0
	}
	t.Emit(e)
}

// barred says why no rebuild is asked for now. The storm guard comes before the
// breaker: a fence that is too soon is no trial of it.
func barred(t *projections.Turn, r *projections.Run) leyline.RebuildReason {
	if why := r.Barred(t.Config().Tolaria.RebuildMin); why != leyline.RebuildFine {
		return why
	}
	allowed, moved, moves := breaker.Allow(r.Breaker(leyline.BreakerOptimizer), now(t, r))
	if moves {
		t.Emit(moved)
	}
	if !allowed {
		return leyline.RebuildBreakerOpen
	}
	return leyline.RebuildFine
}

// backoff is the configuration of the breaker of rebuilds: it opens for
// tolaria.opt_rebuild_backoff_ms and one success closes it (SPEC.md 2.6).
func backoff(c *leyline.ExecutionConfig) *leyline.BreakerConfig {
	b := c.Breaker
	b.Open, b.Successes = c.Tolaria.RebuildBackoff, 1
	return &b
}

// rebuilt closes an order to rebuild by the trainer's word. What it found before
// and after must be the same: a rebuild that loses a group or its state has
// failed, whatever the trainer says.
func rebuilt(t *projections.Turn, r *projections.Run, a leyline.OrderAck) {
	e := leyline.OptimizerRebuild{
		Run: r.ID, Step: r.Rebuild.Step, Fence: r.Rebuild.Fence, Order: a.Order, Before: a.Before, After: a.After, TookNs: a.TookNs,
	}
	if a.Order != r.Rebuild.Order {
		e.Step, e.Fence = r.Track.Step, t.Config().Tolaria.Rebuild
		e.Stage, e.Detail = leyline.RebuildLate, "it was closed before the trainer answered "+a.Outcome.String()
		t.Emit(e)
		return
	}
	if e.Reason, e.Detail = losses(a); e.Reason != leyline.RebuildFine {
		rebuildMissed(t, r, e)
		return
	}
	e.Stage = leyline.RebuildDone
	t.Emit(e)
	if moved, moves := breaker.Succeed(backoff(t.Config()), r.Breaker(leyline.BreakerOptimizer), now(t, r)); moves {
		t.Emit(moved)
	}
}

// losses says what a rebuild lost.
func losses(a leyline.OrderAck) (leyline.RebuildReason, string) {
	switch {
	case a.Outcome != leyline.OutcomeOK:
		return leyline.RebuildTrainer, a.Reason
	case a.After.Groups != a.Before.Groups || a.After.Groups == 0:
		return leyline.RebuildGroupsLost, fmt.Sprintf("%d groups before, %d after", a.Before.Groups, a.After.Groups)
	case a.After.Parameters != a.Before.Parameters || a.After.Parameters == 0:
		return leyline.RebuildParametersLost, fmt.Sprintf("%d parameters before, %d after", a.Before.Parameters, a.After.Parameters)
	case a.After.Digest != a.Before.Digest || a.After.Digest.IsZero():
		return leyline.RebuildStateLost, fmt.Sprintf("its state was %s and is %s", a.Before.Digest.Short(), a.After.Digest.Short())
	}
	return leyline.RebuildFine, ""
}

// rebuildMissed records a rebuild that failed and counts it against its breaker.
func rebuildMissed(t *projections.Turn, r *projections.Run, e leyline.OptimizerRebuild) {
	e.Stage = leyline.RebuildFailed
	t.Emit(e)
	t.Emit(breaker.Fail(backoff(t.Config()), r.Breaker(leyline.BreakerOptimizer), now(t, r), leyline.BreakerRebuildFailed))
}

// overdueRebuild closes an order to rebuild whose deadline has passed.
func overdueRebuild(t *projections.Turn, r *projections.Run) {
	rebuildMissed(t, r, pendingRebuild(r, leyline.RebuildDeadline))
}

// voidRebuild closes an order to rebuild that nobody will answer any more.
func voidRebuild(t *projections.Turn, r *projections.Run, why leyline.RebuildReason) {
	if r.Rebuild.Order.IsZero() {
		return
	}
	e := pendingRebuild(r, why)
	e.Stage = leyline.RebuildVoid
	t.Emit(e)
}

func pendingRebuild(r *projections.Run, why leyline.RebuildReason) leyline.OptimizerRebuild {
	b := &r.Rebuild
	return leyline.OptimizerRebuild{Run: r.ID, Step: b.Step, Fence: b.Fence, Order: b.Order, Reason: why}
}
