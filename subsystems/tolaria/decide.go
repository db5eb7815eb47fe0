package tolaria

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/rollback"
)

// Decide emits Tolaria's events for an input that the guard admitted.
func Decide(t *projections.Turn, in leyline.Input) {
	switch x := in.(type) {
	case leyline.RunOpened:
		open(t, x)
	case leyline.RunClosed:
		acknowledged(t, t.State.Tolaria.Run(x.Run), x.Acks)
		voidRebuild(t, t.State.Tolaria.Run(x.Run), leyline.RebuildClosed)
		t.Emit(leyline.RunEnded{Run: x.Run, Step: x.Step, Outcome: x.Outcome, Digest: x.Digest})
		leaveMemory(t, x.Run)
	case leyline.StepObserved:
		step(t, x)
	case leyline.EpochObserved:
		epoch(t, x)
	case leyline.SnapshotTaken:
		snapshot(t, x)
	case leyline.SnapshotLost:
		disagree(t, x)
	case leyline.PlaneStarted, leyline.ConfigApplied:
		trim(t)
	case leyline.RollbackReported:
		report(t, x)
	case leyline.ProfileReported:
		t.Emit(x.Recorded())
	case leyline.TimerFired:
		switch x.Timer {
		case leyline.TimerRollback:
			overdue(t, t.State.Tolaria.Run(x.Run))
		case leyline.TimerSilence:
			silent(t, t.State.Tolaria.Run(x.Run))
		case leyline.TimerRates:
			unacknowledged(t, t.State.Tolaria.Run(x.Run))
		case leyline.TimerRebuild:
			overdueRebuild(t, t.State.Tolaria.Run(x.Run))
		}
	case leyline.EmergencyDelivered:
		published(t, leyline.EmergencyPublished{
			Run: x.Run, Effect: x.Effect, Level: x.Level, Outcome: leyline.OutcomeOK, TookNs: x.TookNs,
		})
	case leyline.EmergencyUndelivered:
		published(t, leyline.EmergencyPublished{
			Run: x.Run, Effect: x.Effect, Level: x.Level, Outcome: x.Outcome, Reason: x.Reason, TookNs: x.TookNs,
		})
	}
}

func open(t *projections.Turn, x leyline.RunOpened) {
	if !x.Resume {
		t.Emit(leyline.RunStarted{Run: x.Run, Incarnation: 1, Plan: x, QuietBy: quietBy(t, x.Lockstep, leyline.Moments{})})
		return
	}
	r := t.State.Tolaria.Run(x.Run)
	e := leyline.RunResumed{
		Run: x.Run, Incarnation: r.Incarnation + 1, Lineage: r.Lineage, Lost: r.Track.Step,
		QuietBy: quietBy(t, x.Lockstep, r.Track.StepEWMA), Posture: x.Posture,
	}
	lost(t, r, x.Damaged)
	superseded(t, r, "the run was resumed")
	voidRebuild(t, r, leyline.RebuildResumed)
	upto := r.Track.Step
	if r.Rollback.Active() {
		upto = r.Rollback.ToStep
		e.Rollback = r.Rollback.ID
		e.Lineage++
		finish(t, r, leyline.RollbackFinished{Outcome: leyline.OutcomeSuperseded, Reason: leyline.FaultResumed})
	}
	if s := r.Good(upto); s != nil {
		e.Snapshot, e.Step = s.ID, s.Step
	}
	t.Emit(e)
	evict(t, r, rollback.After(r, e.Step), leyline.EvictAbandoned)
}

// escalate raises the emergency level; a level is never lowered by a fault.
func escalate(t *projections.Turn, r *projections.Run, to leyline.EmergencyLevel, why leyline.FaultReason) {
	if to > r.Emergency {
		t.Emit(leyline.EmergencyEscalated{Run: r.ID, From: r.Emergency, To: to, Reason: why})
	}
}

// halt stops the run at L4.
func halt(t *projections.Turn, r *projections.Run, why leyline.FaultReason, detail string) {
	escalate(t, r, leyline.EmergencyHalt, why)
	t.Emit(leyline.RunHalted{Run: r.ID, Step: r.Track.Step, Reason: why, Detail: detail})
	leaveMemory(t, r.ID)
}
