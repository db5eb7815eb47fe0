package plane

import (
	"context"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/subsystems/worker"
)

// tier returns the store of a tier; an error says that this process has none.
func (o *Options) tier(t leyline.Tier) (snapstore.Store, error) {
	switch {
	case t == leyline.TierFull:
		return o.Snapshots, nil
	case o.Fast == nil:
		return nil, fmt.Errorf("this plane has no %s tier", t)
	}
	return o.Fast, nil
}

// remove deletes the file of a copy that is given up. Without a tier there is
// nothing to delete.
func (p *Plane) remove(f effect.Effect) error {
	store, err := p.opts.tier(f.Tier)
	if err != nil {
		return nil
	}
	return store.Remove(f.Run, f.File)
}

// sum reads the file of a copy on the shared worker.
func (p *Plane) sum(ctx context.Context, run leyline.RunID, id leyline.SnapshotID, t leyline.Tier, file string) (snapstore.Sums, worker.Outcome, error) {
	var got snapstore.Sums
	leave, err := p.reading.take(ctx, run)
	if err != nil {
		return got, worker.Outcome{}, fmt.Errorf("cannot verify snapshot %s: %w", id, err)
	}
	defer leave()
	h, err := p.worker.Submit(ctx, worker.Job{
		Name: "verify " + string(id),
		Run: func(ctx context.Context) error {
			store, err := p.opts.tier(t)
			if err == nil {
				got, err = snapstore.Sum(ctx, store, run, file)
			}
			return err
		},
	})
	if err != nil {
		return got, worker.Outcome{}, fmt.Errorf("cannot verify snapshot %s: %w", id, err)
	}
	o, err := h.Wait(ctx)
	if o.State != worker.Done {
		return snapstore.Sums{}, o, err // a job that was given up may still write
	}
	return got, o, err
}

// inspect notes the damaged ones among the copies that a resume could start from,
// down to the first that is intact.
func (p *Plane) inspect(ctx context.Context, in *leyline.RunOpened) error {
	in.Damaged = nil
	if !in.Resume {
		return nil
	}
	var candidates []leyline.SnapshotRef
	err := p.View(ctx, func(s *projections.State) {
		if r := s.Tolaria.Run(in.Run); r != nil {
			candidates = proven(r)
		}
	})
	for _, ref := range candidates {
		if err != nil {
			break
		}
		var got snapstore.Sums
		var o worker.Outcome
		if got, o, err = p.sum(ctx, in.Run, ref.Snapshot, ref.Tier, ref.File); err == nil && o.State == worker.Done && got.Digest == ref.Digest {
			return nil
		}
		in.Damaged = append(in.Damaged, leyline.SnapshotCopy{Snapshot: ref.Snapshot, Tier: ref.Tier})
	}
	return err
}

// proven lists the copies of snapshots that a later healthy step has proven good,
// the newest snapshot first and of each the full copy.
func proven(r *projections.Run) []leyline.SnapshotRef {
	var out []leyline.SnapshotRef
	for i := len(r.Snapshots) - 1; i >= 0; i-- {
		s := &r.Snapshots[i]
		for j := len(s.Copies) - 1; j >= 0 && s.Confirmed; j-- {
			out = append(out, effect.Ref(s, s.Copies[j].Tier))
		}
	}
	return out
}

// measure reads a copy's file at the door and notes what it found.
func (p *Plane) measure(ctx context.Context, in *leyline.SnapshotTaken) error {
	in.Measured, in.Check, in.Problem = leyline.Digest{}, 0, ""
	if in.Unwritten != "" {
		in.Problem = "the trainer could not write it: " + in.Unwritten
		in.Problem = in.Problem[:min(len(in.Problem), leyline.MaxText)]
		return nil
	}
	got, o, err := p.sum(ctx, in.Run, in.Snapshot, in.Tier, in.File)
	if err != nil {
		return err
	}
	in.VerifyNs = uint64(o.Ran)
	switch {
	case o.State != worker.Done:
		in.Problem = clip(o.Err)
	case got.Bytes != in.Bytes:
		in.Problem = fmt.Sprintf("the file has %d bytes, the trainer reported %d", got.Bytes, in.Bytes)
	default:
		in.Measured, in.Check = got.Digest, got.Check
	}
	return nil
}

// stage reads the bytes of the rollback under way and takes their sums, or as much of
// that as there is time for beside the trainer's own check.
func (l *loop) stage(ctx context.Context, f effect.Effect, c *completion) error {
	store, err := l.plane.opts.tier(f.Tier)
	if err != nil {
		return err
	}
	switch {
	case f.Quick:
		c.sums.Bytes, err = snapstore.Peek(ctx, store, f.Run, f.File)
	case f.Light:
		c.sums, err = snapstore.Checksum(ctx, store, f.Run, f.File)
	default:
		c.sums, err = snapstore.Sum(ctx, store, f.Run, f.File)
	}
	return err
}
