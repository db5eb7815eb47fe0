// Package rollback chooses what to return to, by when each phase must be done, and
// what to give up. Pure.
package rollback

import (
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Plan is where a rollback goes, and from which copy.
type Plan struct {
	Snapshot leyline.SnapshotID
	Step     leyline.Step
	Tier     leyline.Tier
}

// Choose returns the newest proven snapshot that was taken before a step, from the
// fast tier where it has a copy there; with late, from the full one if it can be. A
// non-zero reason says why there is none: FaultNoSnapshot, or FaultRollbackLimit
// when it has been returned to limit times already.
func Choose(r *projections.Run, before leyline.Step, late bool, c *leyline.TolariaConfig) (Plan, leyline.FaultReason) {
	for i := len(r.Snapshots) - 1; i >= 0; i-- {
		s := &r.Snapshots[i]
		if !s.Confirmed || s.Step >= before {
			continue
		}
		if s.Rollbacks >= c.RollbackLimit {
			return Plan{}, leyline.FaultRollbackLimit
		}
		return Plan{Snapshot: s.ID, Step: s.Step, Tier: tier(s, late)}, leyline.FaultNone
	}
	return Plan{}, leyline.FaultNoSnapshot
}

func tier(s *projections.Snapshot, late bool) leyline.Tier {
	if s.Copy(leyline.TierFast) == nil || late && s.Copy(leyline.TierFull) != nil {
		return leyline.TierFull
	}
	return leyline.TierFast
}

// Budget is the service level of a tier.
func Budget(t leyline.Tier, c *leyline.TolariaConfig) time.Duration {
	if t == leyline.TierFast {
		return c.RollbackFast.Duration()
	}
	return c.RollbackFull.Duration()
}

// By is how long after a rollback began a phase is given up. What one phase leaves
// of its budget goes to the next. A fast tier that nothing stands behind, and the
// full one, have until the end.
func By(t leyline.Tier, behind bool, p leyline.RollbackPhase, c *leyline.TolariaConfig) time.Duration {
	switch {
	case t != leyline.TierFast || !behind:
		return c.RollbackFull.Duration()
	case p == leyline.PhasePrepare:
		return c.RollbackPrep.Duration()
	}
	return c.RollbackFast.Duration()
}

// Surplus returns the snapshots to evict so that keep remain: the oldest first,
// but never the newest proven one.
func Surplus(r *projections.Run, keep uint32) []leyline.SnapshotID {
	over := len(r.Snapshots) - int(keep)
	newest := r.Good(^leyline.Step(0))
	var out []leyline.SnapshotID
	for i := range r.Snapshots {
		s := &r.Snapshots[i]
		if len(out) >= over {
			break
		}
		if newest == nil || s.ID != newest.ID {
			out = append(out, s.ID)
		}
	}
	return out
}

// After returns the snapshots taken after a step. A rewind to that step makes
// them part of an abandoned history.
func After(r *projections.Run, step leyline.Step) []leyline.SnapshotID {
	var out []leyline.SnapshotID
	for i := range r.Snapshots {
		if r.Snapshots[i].Step > step {
			out = append(out, r.Snapshots[i].ID)
		}
	}
	return out
}

// Replaced returns the other snapshots of the same step: two of one state are one
// too many. A proven one is never given up for one that is not.
func Replaced(r *projections.Run, id leyline.SnapshotID, step leyline.Step) []leyline.SnapshotID {
	var out []leyline.SnapshotID
	for i := range r.Snapshots {
		if s := &r.Snapshots[i]; s.Step == step && s.ID != id && !s.Confirmed {
			out = append(out, s.ID)
		}
	}
	return out
}
