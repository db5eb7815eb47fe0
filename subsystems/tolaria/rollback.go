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
	since   leyline.Instant // the budgets run from here, over every attempt
	still   bool            // unless the clock stands still
}

// begin starts a rollback, or halts the run when there is nowhere to go.
func begin(t *projections.Turn, r *projections.Run, f fall) {
	c := &t.Config().Tolaria
	late := f.still || t.Meta.At >= f.since.Add(c.RollbackPrep.Duration())
	plan, none := rollback.Choose(r, f.before, late, c)
	if none != leyline.FaultNone {
		halt(t, r, none, fmt.Sprintf("step %d: %s, and no snapshot to return to (%s)", f.step, f.cause, none))
		return
	}
	e := leyline.RollbackStarted{
		Run: r.ID, Rollback: leyline.RollbackID(fmt.Sprintf("rb-%d", t.Meta.Seq)), Cause: f.cause, FaultStep: f.step, Reached: f.reached,
		Snapshot: plan.Snapshot, ToStep: plan.Step, Tier: plan.Tier, Seen: f.seen, Since: f.since,
	}
	if !f.still {
		behind := r.Snapshot(plan.Snapshot).Copy(leyline.TierFull) != nil
		e.Deadline = f.since.Add(c.RollbackFull.Duration())
		e.LevelBy = f.since.Add(rollback.Budget(plan.Tier, c))
		e.PhaseBy = f.since.Add(rollback.By(plan.Tier, behind, leyline.PhasePrepare, c))
	}
	t.Emit(e)
}

// again is the fall of a rollback under way, for another attempt.
func again(b projections.Rollback) fall {
	return fall{
		cause: b.Cause, step: b.FaultStep, reached: b.Reached, before: b.ToStep, seen: b.Seen, since: b.Started, still: b.Deadline == 0,
	}
}

func report(t *projections.Turn, x leyline.RollbackReported) {
	r := t.State.Tolaria.Run(x.Run)
	switch b := &r.Rollback; {
	case b.PhaseBy != 0 && t.Meta.At > b.PhaseBy:
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
		advance(t, r, leyline.RollbackAdvanced{Phase: leyline.PhaseCommit, Tier: x.Tier, TookNs: x.TookNs})
		return
	}
	if leaveFast(t, r, why, x.TookNs) {
		return
	}
	old := r.Rollback
	finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeFailed, Reason: why, Digest: x.Digest, Check: x.Check})
	begin(t, r, again(old))
}

func committed(t *projections.Turn, r *projections.Run, x leyline.RollbackReported) {
	why := mismatch(r, x)
	switch {
	case why == leyline.FaultNone:
		superseded(t, r, "the network was rolled back")
		voidRebuild(t, r, leyline.RebuildRolledBack)
		finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeOK, Digest: x.Digest, Check: x.Check, CommitNs: x.TookNs})
		evict(t, r, rollback.After(r, r.Track.Step), leyline.EvictAbandoned)
	case leaveFast(t, r, why, x.TookNs):
	case why == leyline.FaultPhaseOverrun:
		missed(t, r)
	default:
		finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeFailed, Reason: why, Digest: x.Digest, Check: x.Check})
		halt(t, r, why, "the trainer could not restore: "+x.Reason)
	}
}

// mismatch says why the bytes of a report are not those of the snapshot.
func mismatch(r *projections.Run, x leyline.RollbackReported) leyline.FaultReason {
	switch x.Outcome {
	case leyline.OutcomeOK:
	case leyline.OutcomeDeadline:
		return leyline.FaultPhaseOverrun
	default:
		return leyline.FaultRollbackFailed
	}
	s := r.Snapshot(r.Rollback.Snapshot)
	switch {
	case s == nil,
		x.Phase == leyline.PhasePrepare && x.Bytes != s.Bytes,
		!x.Digest.IsZero() && x.Digest != s.Digest,
		x.Check != 0 && x.Check != s.Check,
		x.Digest.IsZero() && x.Tier != leyline.TierFast && !light(s, x): // there is time for the strong digest
		return leyline.FaultDigestMismatch
	}
	return leyline.FaultNone
}

// light reports whether the plane had to take only the checksum, and took it.
func light(s *projections.Snapshot, x leyline.RollbackReported) bool {
	ref := leyline.SnapshotRef{Tier: x.Tier, Bytes: s.Bytes, Check: s.Check}
	return x.Phase == leyline.PhasePrepare && x.Check == s.Check && ref.Light()
}

// advance completes e from the rollback under way and emits it.
func advance(t *projections.Turn, r *projections.Run, e leyline.RollbackAdvanced) {
	b := &r.Rollback
	e.Run, e.Rollback = r.ID, b.ID
	if b.Deadline != 0 {
		behind := r.Snapshot(b.Snapshot).Copy(leyline.TierFull) != nil
		e.PhaseBy = b.Started.Add(rollback.By(e.Tier, behind, e.Phase, &t.Config().Tolaria))
	}
	t.Emit(e)
}

// leaveFast goes on from the full tier when the fast one has failed or is too
// slow: the bytes are prepared once more, within what is left of the deadline. It
// returns false when the rollback is not a fast one or nothing stands behind it.
func leaveFast(t *projections.Turn, r *projections.Run, why leyline.FaultReason, took uint64) bool {
	b := &r.Rollback
	s := r.Snapshot(b.Snapshot)
	if b.Tier != leyline.TierFast || s == nil || s.Copy(leyline.TierFull) == nil {
		return false
	}
	advance(t, r, leyline.RollbackAdvanced{
		Phase: leyline.PhasePrepare, Tier: leyline.TierFull, TookNs: took, Left: b.Phase, Reason: why,
	})
	if why == leyline.FaultDigestMismatch {
		drop(t, r, s.ID, leyline.TierFast, leyline.EvictLost, "its bytes are not those that were registered")
	}
	return true
}

// overdue ends a phase whose time has passed: the fast tier gives way to the full
// one, anything else has missed the deadline.
func overdue(t *projections.Turn, r *projections.Run) {
	if t.Meta.At >= r.Rollback.Deadline || !leaveFast(t, r, leyline.FaultPhaseOverrun, 0) {
		missed(t, r)
	}
}

// missed ends a rollback whose deadline has passed, and the run with it. With
// tolaria.emergency_on_rollback_deadline off the run stays open at L3 and the
// rollback is tried again without a deadline, until tolaria.rollback_limit.
func missed(t *projections.Turn, r *projections.Run) {
	old := r.Rollback
	finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeDeadline, Reason: leyline.FaultRollbackDeadline})
	if t.Config().Tolaria.RollbackHalts {
		halt(t, r, leyline.FaultRollbackDeadline, fmt.Sprintf("the deadline passed in phase %s", old.Phase))
		return
	}
	escalate(t, r, leyline.EmergencyConservative, leyline.FaultRollbackDeadline)
	f := again(old)
	f.before, f.still = old.ToStep+1, true
	begin(t, r, f)
}

// finish completes e from the rollback under way and emits it.
func finish(t *projections.Turn, r *projections.Run, e leyline.RollbackFinished) {
	b := r.Rollback
	e.Run, e.Rollback, e.Snapshot, e.Step, e.Tier = r.ID, b.ID, b.Snapshot, b.ToStep, b.Tier
	e.Incarnation, e.Lineage = r.Incarnation, r.Lineage
	ok := e.Outcome == leyline.OutcomeOK
	if ok {
		e.Incarnation++
		e.Lineage++
		e.QuietBy = quietBy(t, r.Plan.Lockstep, r.Track.StepEWMA)
	}
	e.TotalNs = uint64(t.Meta.At.Sub(b.Started))
	e.WithinSLA = ok && b.Deadline != 0 && t.Meta.At <= b.Started.Add(rollback.Budget(b.Tier, &t.Config().Tolaria))
	if e.Outcome == leyline.OutcomeDeadline || ok && b.Deadline != 0 && !e.WithinSLA {
		e.Overran = b.Phase
	}
	t.Emit(e)
}
