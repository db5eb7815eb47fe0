package tolaria

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/rollback"
)

// begin starts a rollback to a snapshot taken before a step, or halts the run
// when there is nowhere to go. since is when the fault was first seen: the
// budget runs from there, over every attempt, unless the clock stands still.
func begin(t *projections.Turn, r *projections.Run, why leyline.FaultReason, fault, before leyline.Step, since leyline.Instant, still bool) {
	plan, none := rollback.Choose(r, before, &t.Config().Tolaria)
	if none != leyline.FaultNone {
		halt(t, r, none, fmt.Sprintf("step %d: %s, and no snapshot to return to (%s)", fault, why, none))
		return
	}
	e := leyline.RollbackStarted{
		Run: r.ID, Rollback: leyline.RollbackID(fmt.Sprintf("rb-%d", t.Meta.Seq)), Cause: why, FaultStep: fault,
		Snapshot: plan.Snapshot, ToStep: plan.Step, Tier: plan.Tier, Since: since,
	}
	if !still {
		e.Deadline = since.Add(plan.Budget)
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
	begin(t, r, old.Cause, old.FaultStep, old.ToStep, old.Started, old.Deadline == 0)
}

func committed(t *projections.Turn, r *projections.Run, x leyline.RollbackReported) {
	why := mismatch(r, x)
	if why != leyline.FaultNone {
		finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeFailed, Reason: why, Digest: x.Digest})
		halt(t, r, why, "the trainer could not restore: "+x.Reason)
		return
	}
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
	}
	e.TotalNs = uint64(t.Meta.At.Sub(b.Started))
	e.WithinSLA = e.Outcome == leyline.OutcomeOK && b.Deadline != 0 && t.Meta.At <= b.Deadline
	t.Emit(e)
}
