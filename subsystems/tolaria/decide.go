package tolaria

import (
	"fmt"

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
	case leyline.StepObserved:
		step(t, x)
	case leyline.EpochObserved:
		epoch(t, x)
	case leyline.SnapshotTaken:
		snapshot(t, x)
	case leyline.RollbackReported:
		report(t, x)
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
	evict(t, x.Run, rollback.After(r, e.Step))
}

// lost gives up the snapshots whose bytes are no longer what was registered.
func lost(t *projections.Turn, r *projections.Run, damaged []leyline.SnapshotID) {
	for _, id := range damaged {
		s := r.Snapshot(id)
		if s == nil {
			continue
		}
		file, step := s.File, s.Step
		t.Emit(leyline.SnapshotRefused{Run: r.ID, Step: step, Snapshot: id, Reason: "its bytes on disk are missing or changed"})
		t.Emit(leyline.SnapshotEvicted{Run: r.ID, Snapshot: id, File: file})
	}
}

func snapshot(t *projections.Turn, x leyline.SnapshotTaken) {
	if reason := unfit(t.State.Tolaria.Run(x.Run), x); reason != "" {
		t.Emit(leyline.SnapshotRefused{Run: x.Run, Step: x.Step, Snapshot: x.Snapshot, Reason: reason})
		return
	}
	t.Emit(leyline.SnapshotRegistered{
		Run: x.Run, Incarnation: x.Incarnation, Step: x.Step, Snapshot: x.Snapshot,
		Tier: x.Tier, File: x.File, Bytes: x.Bytes, Digest: x.Digest,
	})
	r := t.State.Tolaria.Run(x.Run)
	evict(t, x.Run, rollback.Surplus(r, t.Config().Tolaria.SnapshotKeep))
}

// unfit says why a snapshot is not registered: its bytes are in doubt, or the
// state that they hold is.
func unfit(r *projections.Run, x leyline.SnapshotTaken) string {
	if r.Track.Suspect > 0 {
		return fmt.Sprintf("the loss is anomalous since step %d", r.Track.SuspectFrom)
	}
	if x.Problem != "" {
		return x.Problem
	}
	if x.Measured != x.Digest {
		return "the file hashes to " + x.Measured.Short() + ", the trainer reported " + x.Digest.Short()
	}
	return ""
}

func evict(t *projections.Turn, run leyline.RunID, which []projections.Snapshot) {
	for _, s := range which {
		t.Emit(leyline.SnapshotEvicted{Run: run, Snapshot: s.ID, File: s.File})
	}
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
}
