package plane

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/worker"
)

// chunk is how much is read between two looks at the deadline.
const chunk = 1 << 20

// snapshotFile opens a snapshot's file without ever leaving the run's
// directory.
func (p *Plane) snapshotFile(run leyline.RunID, name string) (fs.File, error) {
	root, err := os.OpenRoot(filepath.Join(p.opts.Snapshots, string(run)))
	if err != nil {
		return nil, err
	}
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe must not wait
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file (%s)", name, info.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// read hashes a file in chunks and stops between two of them when the deadline
// has passed.
func (c *completion) read(ctx context.Context, file io.Reader) error {
	h := sha256.New()
	n, err := copyChunks(ctx, h, file)
	h.Sum(c.digest[:0])
	c.bytes = n
	return err
}

func copyChunks(ctx context.Context, h hash.Hash, file io.Reader) (uint64, error) {
	var n uint64
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k, err := io.CopyN(h, file, chunk)
		n += uint64(k)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// remove deletes an evicted snapshot. A file that is gone already is what was
// wanted.
func (p *Plane) remove(run leyline.RunID, name string) error {
	root, err := os.OpenRoot(filepath.Join(p.opts.Snapshots, string(run)))
	if err != nil {
		return err
	}
	err = root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, root.Close())
}

// verify reads a snapshot's file on the shared worker.
func (p *Plane) verify(ctx context.Context, run leyline.RunID, id leyline.SnapshotID, name string) (*completion, worker.Outcome, error) {
	c := &completion{}
	h, err := p.worker.Submit(ctx, worker.Job{
		Name: "verify " + string(id),
		Run: func(ctx context.Context) error {
			file, err := p.snapshotFile(run, name)
			if err != nil {
				return err
			}
			return errors.Join(c.read(ctx, file), file.Close())
		},
	})
	if err != nil {
		return nil, worker.Outcome{}, fmt.Errorf("cannot verify snapshot %s: %w", id, err)
	}
	o, err := h.Wait(ctx)
	return c, o, err
}

// inspect notes the damaged ones among the snapshots that a resume could start
// from, down to the first that is intact.
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
		var c *completion
		var o worker.Outcome
		if c, o, err = p.verify(ctx, in.Run, ref.Snapshot, ref.File); err == nil && o.State == worker.Done && c.digest == ref.Digest {
			return nil
		}
		in.Damaged = append(in.Damaged, ref.Snapshot)
	}
	return err
}

// proven lists the snapshots that a later healthy step has proven good, newest
// first.
func proven(r *projections.Run) []leyline.SnapshotRef {
	var out []leyline.SnapshotRef
	for i := len(r.Snapshots) - 1; i >= 0; i-- {
		if r.Snapshots[i].Confirmed {
			out = append(out, effect.Ref(&r.Snapshots[i]))
		}
	}
	return out
}

// measure reads a snapshot's file at the door and notes what it found.
func (p *Plane) measure(ctx context.Context, in *leyline.SnapshotTaken) error {
	in.Measured, in.Problem = leyline.Digest{}, ""
	c, o, err := p.verify(ctx, in.Run, in.Snapshot, in.File)
	if err != nil {
		return err
	}
	in.VerifyNs = uint64(o.Ran)
	switch {
	case o.State != worker.Done:
		in.Problem = clip(o.Err)
	case c.bytes != in.Bytes:
		in.Problem = fmt.Sprintf("the file has %d bytes, the trainer reported %d", c.bytes, in.Bytes)
	default:
		in.Measured = c.digest
	}
	return nil
}
