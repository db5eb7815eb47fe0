package rollback

import (
	"cmp"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// FastCopy is a copy in the fast tier and whose it is.
type FastCopy struct {
	Run      leyline.RunID
	Snapshot leyline.SnapshotID
	Bytes    uint64
	used     leyline.Seq
	needed   bool
}

// Room is the largest file that the fast tier would take: its budget less what it
// will not give up.
func Room(s *projections.State) uint64 {
	budget := s.Plane.FastBudget()
	for _, c := range fastCopies(s) {
		if c.needed {
			budget -= min(c.Bytes, budget)
		}
	}
	return budget
}

// MakeRoom returns the copies to give up so that bytes more fit into the budget of
// the fast tier: the least recently used first, over all runs, but never an open
// run's newest proven snapshot, nor one that it is returning to. It returns false
// when they cannot be made to fit; then nothing is to be given up for them.
func MakeRoom(s *projections.State, bytes uint64) ([]FastCopy, bool) {
	if bytes > Room(s) {
		return nil, false
	}
	return giveUp(s, bytes), true
}

// Over returns the copies to give up because the budget has become smaller than what
// is held: the needed ones last, but those too.
func Over(s *projections.State) []FastCopy { return giveUp(s, 0) }

// giveUp lists copies until what is left leaves room for bytes more.
func giveUp(s *projections.State, bytes uint64) []FastCopy {
	held, budget := s.Tolaria.FastBytes, s.Plane.FastBudget()
	all := fastCopies(s)
	slices.SortStableFunc(all, func(a, b FastCopy) int {
		if a.needed != b.needed {
			if b.needed {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.used, b.used)
	})
	var out []FastCopy
	for _, c := range all {
		if held+bytes <= budget {
			break
		}
		out = append(out, c)
		held -= c.Bytes
	}
	return out
}

// fastCopies lists the fast tier in the order of runs and steps.
func fastCopies(s *projections.State) []FastCopy {
	var out []FastCopy
	for i := range s.Tolaria.Runs {
		r := &s.Tolaria.Runs[i]
		newest := r.Good(^leyline.Step(0))
		for j := range r.Snapshots {
			snap := &r.Snapshots[j]
			if c := snap.Copy(leyline.TierFast); c != nil {
				out = append(out, FastCopy{
					Run: r.ID, Snapshot: snap.ID, Bytes: snap.Bytes, used: c.Used,
					needed: r.Status == leyline.RunStatusOpen && (newest != nil && newest.ID == snap.ID || r.Rollback.Snapshot == snap.ID),
				})
			}
		}
	}
	return out
}
