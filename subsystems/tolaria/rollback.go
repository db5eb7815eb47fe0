package tolaria

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/rollback"
)

// fall is why and from where a run is rolled back.
type fall struct {
	cause   leyline.FaultReason
	step    leyline.Step    // the first that showed the fault
	reached leyline.Step    // the one whose report decided it
	before  leyline.Step    // the snapshot must have been taken before it
	seen    leyline.Instant // when that step was reported
	since   leyline.Instant // the budget runs from here, over every attempt
	still   bool            // unless the clock stands still
}

// begin starts a rollback, or halts the run when there is nowhere to go.
func begin(t *projections.Turn, r *projections.Run, f fall) {
	plan, none := rollback.Choose(r, f.before, &t.Config().Tolaria)
	if none != leyline.FaultNone {
		halt(t, r, none, fmt.Sprintf("step %d: %s, and no snapshot to return to (%s)", f.step, f.cause, none))
		return
	}
	e := leyline.RollbackStarted{
		Run: r.ID, Rollback: leyline.RollbackID(fmt.Sprintf("rb-%d", t.Meta.Seq)), Cause: f.cause, FaultStep: f.step, Reached: f.reached,
		Snapshot: plan.Snapshot, ToStep: plan.Step, Tier: plan.Tier, Seen: f.seen, Since: f.since,
	}
	if !f.still {
		e.Deadline = f.since.Add(plan.Budget)
	}
	t.Emit(e)
}

func report(t *projections.Turn, x leyline.RollbackReported) {
	r := t.State.Tolaria.Run(x.Run)
	switch {
	case r.Rollback.Deadline != 0 && t.Meta.At > r.Rollback.Deadline:
		overdue(t, r)
	case x.Phase == leyline.PhasePrepare:
		prepared(t, r, x)
	default:
		committed(t, r, x)
	}
}

func prepared(t *projections.Turn, r *projections.Run, x leyline.RollbackReported) {
	why := mismatch(r, x)
	if why == leyline.FaultNone {
		t.Emit(leyline.RollbackAdvanced{
			Run: r.ID, Rollback: r.Rollback.ID, Phase: leyline.PhaseCommit, TookNs: x.TookNs,
		})
		return
	}
	old := r.Rollback
	finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeFailed, Reason: why, Digest: x.Digest})
	begin(t, r, fall{
		cause: old.Cause, step: old.FaultStep, reached: old.Reached, before: old.ToStep, seen: old.Seen, since: old.Started, still: old.Deadline == 0,
	})
}

func committed(t *projections.Turn, r *projections.Run, x leyline.RollbackReported) {
	why := mismatch(r, x)
	if why != leyline.FaultNone {
		finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeFailed, Reason: why, Digest: x.Digest})
		halt(t, r, why, "the trainer could not restore: "+x.Reason)
		return
	}
	superseded(t, r, "the network was rolled back")
	voidRebuild(t, r, leyline.RebuildRolledBack)
	finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeOK, Digest: x.Digest, CommitNs: x.TookNs})
	evict(t, r.ID, rollback.After(r, r.Track.Step))
}

// mismatch says why the bytes of a report are not those of the snapshot.
func mismatch(r *projections.Run, x leyline.RollbackReported) leyline.FaultReason {
	if x.Outcome != leyline.OutcomeOK {
		return leyline.FaultRollbackFailed
	}
	if s := r.Snapshot(r.Rollback.Snapshot); s == nil || s.Digest != x.Digest {
		return leyline.FaultDigestMismatch
	}
	return leyline.FaultNone
}

// overdue ends a rollback whose deadline has passed, and the run with it.
func overdue(t *projections.Turn, r *projections.Run) {
	phase := r.Rollback.Phase
	finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeDeadline, Reason: leyline.FaultRollbackDeadline})
	halt(t, r, leyline.FaultRollbackDeadline, fmt.Sprintf("the deadline passed in phase %s", phase))
}

// finish completes e from the rollback under way and emits it.
func finish(t *projections.Turn, r *projections.Run, e leyline.RollbackFinished) {
	b := r.Rollback
	e.Run, e.Rollback, e.Snapshot, e.Step = r.ID, b.ID, b.Snapshot, b.ToStep
	e.Incarnation, e.Lineage = r.Incarnation, r.Lineage
	if e.Outcome == leyline.OutcomeOK {
		e.Incarnation++
		e.Lineage++
		e.QuietBy = quietBy(t, r.Plan.Lockstep, r.Track.StepEWMA)
	}
	e.TotalNs = uint64(t.Meta.At.Sub(b.Started))
	e.WithinSLA = e.Outcome == leyline.OutcomeOK && b.Deadline != 0 && t.Meta.At <= b.Deadline
	t.Emit(e)
}
