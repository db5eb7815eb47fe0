// Package rollback chooses what to return to, and what to give up. Pure.
package rollback

import (
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Plan is where a rollback goes and by when it must be there.
type Plan struct {
	Snapshot leyline.SnapshotID
	Step     leyline.Step
	Tier     leyline.Tier
	Budget   time.Duration
}

// Choose returns the newest proven snapshot that was taken before a step. A
// non-zero reason says why there is none: FaultNoSnapshot, or
// FaultRollbackLimit when it has been returned to limit times already.
func Choose(r *projections.Run, before leyline.Step, c *leyline.TolariaConfig) (Plan, leyline.FaultReason) {
	for i := len(r.Snapshots) - 1; i >= 0; i-- {
		s := &r.Snapshots[i]
		if !s.Confirmed || s.Step >= before {
			continue
		}
		if s.Rollbacks >= c.RollbackLimit {
			return Plan{}, leyline.FaultRollbackLimit
		}
		return Plan{Snapshot: s.ID, Step: s.Step, Tier: s.Tier, Budget: Budget(s.Tier, c)}, leyline.FaultNone
	}
	return Plan{}, leyline.FaultNoSnapshot
}

// Budget is the service level of a tier.
func Budget(t leyline.Tier, c *leyline.TolariaConfig) time.Duration {
	if t == leyline.TierFast {
		return c.RollbackFast.Duration()
	}
	return c.RollbackFull.Duration()
}

// Surplus returns the snapshots to evict so that keep remain: the oldest first,
// but never the newest proven one.
func Surplus(r *projections.Run, keep uint32) []projections.Snapshot {
	over := len(r.Snapshots) - int(keep)
	newest := r.Good(^leyline.Step(0))
	var out []projections.Snapshot
	for i := range r.Snapshots {
		s := r.Snapshots[i]
		if len(out) >= over {
			break
		}
		if newest == nil || s.ID != newest.ID {
			out = append(out, s)
		}
	}
	return out
}

// After returns the snapshots taken after a step. A rewind to that step makes
// them part of an abandoned history.
func After(r *projections.Run, step leyline.Step) []projections.Snapshot {
	var out []projections.Snapshot
	for i := range r.Snapshots {
		if r.Snapshots[i].Step > step {
			out = append(out, r.Snapshots[i])
		}
	}
	return out
}
