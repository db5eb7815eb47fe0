package tolaria

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/rollback"
)

// snapshot admits a copy of a snapshot, or says why not, and keeps the registry
// within its bounds.
func snapshot(t *projections.Turn, x leyline.SnapshotTaken) {
	r := t.State.Tolaria.Run(x.Run)
	reason := unfit(r, x)
	var victims []rollback.FastCopy
	if reason == "" && x.Tier == leyline.TierFast {
		var fits bool
		if victims, fits = rollback.MakeRoom(t.State, x.Bytes); !fits {
			reason = fmt.Sprintf("its %d bytes do not fit: of the %d of the fast tier %d could be given up", x.Bytes, t.State.Plane.FastBudget(), rollback.Room(t.State))
		}
	}
	if reason != "" {
		t.Emit(leyline.SnapshotRefused{
			Run: x.Run, Step: x.Step, Snapshot: x.Snapshot, Tier: x.Tier, File: x.File, Bytes: x.Bytes, Reason: reason,
		})
		return
	}
	giveUp(t, victims, leyline.EvictNoRoom)
	held := t.State.Tolaria.FastBytes
	if x.Tier == leyline.TierFast {
		held += x.Bytes
	}
	t.Emit(leyline.SnapshotRegistered{
		Run: x.Run, Incarnation: x.Incarnation, Step: x.Step, Snapshot: x.Snapshot,
		Tier: x.Tier, File: x.File, Bytes: x.Bytes, Digest: x.Digest, Check: x.Check,
		Further: r.Snapshot(x.Snapshot) != nil, FastBytes: held,
	})
	evict(t, r, rollback.Replaced(r, x.Snapshot, x.Step), leyline.EvictReplaced)
	evict(t, r, rollback.Surplus(r, t.Config().Tolaria.SnapshotKeep), leyline.EvictSurplus)
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

// lost gives up the copies whose bytes are no longer what was registered.
func lost(t *projections.Turn, r *projections.Run, damaged []leyline.SnapshotCopy) {
	for _, d := range damaged {
		drop(t, r, d.Snapshot, d.Tier, leyline.EvictLost, "its bytes are missing or changed")
	}
}

// disagree repairs a difference between the registry and a tier's directory: what
// is not there is not registered any more, what nobody registered is deleted.
func disagree(t *projections.Turn, x leyline.SnapshotLost) {
	if x.Snapshot != "" {
		drop(t, t.State.Tolaria.Run(x.Run), x.Snapshot, x.Tier, leyline.EvictLost, x.Problem)
		return
	}
	t.Emit(leyline.SnapshotEvicted{
		Run: x.Run, Tier: x.Tier, File: x.File, Why: leyline.EvictOrphaned, Detail: x.Problem, FastBytes: t.State.Tolaria.FastBytes,
	})
}

// trim makes the fast tier fit a budget that has become smaller.
func trim(t *projections.Turn) {
	giveUp(t, rollback.Over(t.State), leyline.EvictNoRoom)
}

// leaveMemory gives up the fast copies of a run that cannot need them any more.
func leaveMemory(t *projections.Turn, run leyline.RunID) {
	r := t.State.Tolaria.Run(run)
	for _, id := range ids(r) {
		drop(t, r, id, leyline.TierFast, leyline.EvictEnded, "")
	}
}

func ids(r *projections.Run) []leyline.SnapshotID {
	out := make([]leyline.SnapshotID, len(r.Snapshots))
	for i := range r.Snapshots {
		out[i] = r.Snapshots[i].ID
	}
	return out
}

func giveUp(t *projections.Turn, victims []rollback.FastCopy, why leyline.EvictReason) {
	for _, v := range victims {
		drop(t, t.State.Tolaria.Run(v.Run), v.Snapshot, leyline.TierFast, why, "")
	}
}

// evict gives up snapshots in every tier.
func evict(t *projections.Turn, r *projections.Run, which []leyline.SnapshotID, why leyline.EvictReason) {
	for _, id := range which {
		drop(t, r, id, leyline.TierFast, why, "")
		drop(t, r, id, leyline.TierFull, why, "")
	}
}

// drop gives up one copy, if there is one.
func drop(t *projections.Turn, r *projections.Run, id leyline.SnapshotID, tier leyline.Tier, why leyline.EvictReason, detail string) {
	s := r.Snapshot(id)
	if s == nil || s.Copy(tier) == nil {
		return
	}
	held := t.State.Tolaria.FastBytes
	if tier == leyline.TierFast {
		held -= s.Bytes
	}
	t.Emit(leyline.SnapshotEvicted{
		Run: r.ID, Snapshot: id, Tier: tier, File: s.Copy(tier).File, Why: why, Detail: detail, Gone: len(s.Copies) == 1, FastBytes: held,
	})
}
