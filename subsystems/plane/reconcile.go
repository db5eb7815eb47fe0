package plane

import (
	"context"
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/subsystems/worker"
)

// disagreements holds the registry against the directories of both tiers: copies
// whose file is missing or has another size, and files that no registered copy
// names. A trainer in this process opens its run after the plane has started; any other
// may have outlived the last plane with a file that it is about to report, so in an open
// run of its own a file that nobody registered is left alone. The full tier's files of runs that the log does not know are left alone:
// they may be all that is left of a log that was lost.
func disagreements(o Options, s *projections.State) ([]leyline.SnapshotLost, error) {
	var out []leyline.SnapshotLost
	for _, t := range []leyline.Tier{leyline.TierFast, leyline.TierFull} {
		var files []snapstore.Entry
		if store, err := o.tier(t); err == nil {
			if files, err = store.List(); err != nil {
				return nil, fmt.Errorf("cannot list the %s tier of snapshots: %w", t, err)
			}
		}
		out = append(out, missing(s, t, files)...)
		for _, f := range files {
			r := s.Tolaria.Run(f.Run)
			if r == nil && t == leyline.TierFull || r != nil && (r.HasFile(t, f.File) || outlives(r)) {
				continue
			}
			out = append(out, leyline.SnapshotLost{Run: f.Run, Tier: t, File: f.File, Bytes: f.Bytes, Problem: "no registered snapshot names it"})
		}
	}
	return out, nil
}

// outlives reports whether the trainer of a run may go on without its plane.
func outlives(r *projections.Run) bool {
	return r.Status == leyline.RunStatusOpen && r.Plan.Principal != leyline.PrincipalProcess
}

// missing lists the registered copies that files do not hold in their size.
func missing(s *projections.State, t leyline.Tier, files []snapstore.Entry) []leyline.SnapshotLost {
	found := map[snapstore.Entry]bool{}
	sizes := map[snapstore.Entry]uint64{}
	for _, f := range files {
		name := snapstore.Entry{Run: f.Run, File: f.File}
		found[name], sizes[name] = true, f.Bytes
	}
	var out []leyline.SnapshotLost
	for i := range s.Tolaria.Runs {
		r := &s.Tolaria.Runs[i]
		for j := range r.Snapshots {
			snap := &r.Snapshots[j]
			c := snap.Copy(t)
			if c == nil {
				continue
			}
			name := snapstore.Entry{Run: r.ID, File: c.File}
			x := leyline.SnapshotLost{Run: r.ID, Snapshot: snap.ID, Tier: t, File: c.File, Bytes: sizes[name]}
			switch {
			case !found[name]:
				x.Problem = "the file is missing"
			case x.Bytes != snap.Bytes:
				x.Problem = fmt.Sprintf("the file has %d bytes, registered was one of %d", x.Bytes, snap.Bytes)
			default:
				continue
			}
			out = append(out, x)
		}
	}
	return out
}

// reconcile records every disagreement, which repairs it, and has the bytes of what
// a run could still return to read in the background.
func (p *Plane) reconcile(ctx context.Context) error {
	var lost []leyline.SnapshotLost
	if err := p.View(ctx, func(s *projections.State) { lost = stillSo(s, p.lost) }); err != nil {
		return err
	}
	for _, x := range lost {
		p.log.Warn("registry and directory disagree", "run", x.Run, "tier", x.Tier.String(), "snapshot", x.Snapshot, "file", x.File, "problem", x.Problem)
		if x.Validate() == nil { // else it is not a name that anything of esper gave a file, and the log has no place for it
			if _, err := p.submit(ctx, x); err != nil {
				return fmt.Errorf("cannot record a disagreement about snapshots: %w", err)
			}
		}
		// The eviction just recorded deletes it as well, when the worker comes to it;
		// before the plane is handed out nobody writes there.
		if err := p.remove(effect.Effect{Run: x.Run, Tier: x.Tier, File: x.File}); err != nil {
			return fmt.Errorf("cannot delete %q in the %s tier of run %q: %w", x.File, x.Tier, x.Run, err)
		}
	}
	var copies []copyOf
	if err := p.View(ctx, func(s *projections.State) { copies = restorable(s) }); err != nil {
		return err
	}
	for _, c := range copies {
		p.audit(c)
	}
	return nil
}

// stillSo leaves out the copies that the start itself has given up: those that a
// smaller budget of the fast tier has no room for, for example because there is no
// such tier any more.
func stillSo(s *projections.State, lost []leyline.SnapshotLost) []leyline.SnapshotLost {
	return slices.DeleteFunc(lost, func(x leyline.SnapshotLost) bool { return x.Snapshot != "" && !registered(s, x) })
}

// registered reports whether the copy that was lost is in the registry.
func registered(s *projections.State, x leyline.SnapshotLost) bool {
	r := s.Tolaria.Run(x.Run)
	if r == nil {
		return false
	}
	snap := r.Snapshot(x.Snapshot)
	return snap != nil && snap.Copy(x.Tier) != nil
}

// copyOf is a copy of a run's snapshot.
type copyOf struct {
	run leyline.RunID
	ref leyline.SnapshotRef
}

// restorable lists the copies of open runs.
func restorable(s *projections.State) []copyOf {
	var out []copyOf
	for i := range s.Tolaria.Runs {
		r := &s.Tolaria.Runs[i]
		for j := range r.Snapshots {
			for _, c := range r.Snapshots[j].Copies {
				if r.Status == leyline.RunStatusOpen {
					out = append(out, copyOf{r.ID, effect.Ref(&r.Snapshots[j], c.Tier)})
				}
			}
		}
	}
	return out
}

// audit reads a copy on the shared worker when nothing else is to be done.
func (p *Plane) audit(c copyOf) {
	done := &completion{effect: effect.Effect{Run: c.run}, copy: c.ref}
	_, err := p.worker.Submit(context.Background(), worker.Job{
		Name: "audit " + string(c.ref.Snapshot), Priority: worker.Background,
		Run: func(ctx context.Context) error {
			store, err := p.opts.tier(c.ref.Tier)
			if err == nil {
				done.sums, err = snapstore.Sum(ctx, store, c.run, c.ref.File)
			}
			return err
		},
		Done: func(o worker.Outcome) { p.post(done, o) },
	})
	if err != nil {
		p.log.Warn("a snapshot was not read at the start", "run", c.run, "snapshot", c.ref.Snapshot, "err", err)
	}
}

// audited records a copy whose bytes are not what was registered, unless it was
// given up meanwhile.
func (l *loop) audited(c *completion) {
	x := leyline.SnapshotLost{Run: c.effect.Run, Snapshot: c.copy.Snapshot, Tier: c.copy.Tier, File: c.copy.File, Bytes: c.sums.Bytes}
	switch {
	case c.outcome.State == worker.Failed:
		x.Problem = clip(c.outcome.Err)
	case c.outcome.State != worker.Done:
		return // the plane stops
	case c.sums.Digest != c.copy.Digest:
		x.Problem = fmt.Sprintf("the file hashes to %s, registered was %s", c.sums.Digest.Short(), c.copy.Digest.Short())
	default:
		return
	}
	if registered(l.state, x) {
		l.stamp(x, nil)
	}
}

// clearFast deletes from shared memory what no registered copy names, when the plane
// ends: deletions that were still waiting for the worker.
func (l *loop) clearFast() {
	fast := l.plane.opts.Fast
	if fast == nil {
		return
	}
	files, err := fast.List()
	for _, f := range files {
		if r := l.state.Tolaria.Run(f.Run); (r == nil || !r.HasFile(leyline.TierFast, f.File) && !outlives(r)) && err == nil {
			err = fast.Remove(f.Run, f.File)
		}
	}
	if err == nil {
		err = fast.Clear()
	}
	if err != nil {
		l.log.Warn("cannot clear the fast tier", "err", err)
	}
}
