package projections

import "github.com/esper-plane/esper/leyline"

// Rollback is the rollback under way; the zero value means there is none.
type Rollback struct {
	ID        leyline.RollbackID
	Phase     leyline.RollbackPhase
	Cause     leyline.FaultReason
	FaultStep leyline.Step
	Reached   leyline.Step
	Seen      leyline.Instant // when the fault step was reported
	Snapshot  leyline.SnapshotID
	ToStep    leyline.Step
	Tier      leyline.Tier
	Started   leyline.Instant
	Deadline  leyline.Instant       // of the whole; zero after a restart: the clock stands still until the run is resumed
	PhaseBy   leyline.Instant       // when the phase is given up; zero as Deadline
	Left      leyline.RollbackPhase // of the fast tier, in which it was given up
	Effect    leyline.EffectID      // outstanding: the bytes being staged, or the restore directive
}

// Active reports whether a rollback is under way.
func (r Rollback) Active() bool { return r.ID != "" }
