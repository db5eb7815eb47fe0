package plane

import (
	"cmp"
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
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/worker"
)

// chunk is how much is read between two looks at the deadline.
const chunk = 1 << 20

// completion is what came of an effect.
type completion struct {
	effect  effect.Effect
	outcome worker.Outcome
	digest  leyline.Digest
	bytes   uint64
	choice  policy.Choice
}

// compute starts a computation on the shared worker. Its deadline is plane
// time's; after a restart there is none and the configured budget holds.
func (l *loop) compute(f effect.Effect, c *chain) {
	done := &completion{effect: f}
	l.running[f.ID] = c
	if c != nil {
		c.waits++
	}
	work := l.prefetch
	switch f.Kind {
	case leyline.EffectStage:
		work = l.stage
	case leyline.EffectPolicy:
		work = l.ask(policy.Ask(l.state, f.Run).Clone())
	}
	l.submit(worker.Job{
		Name: f.Kind.String() + " " + f.ID.String(), Timeout: l.budget(f),
		Run: func(ctx context.Context) error { return work(ctx, f, done) },
	}, done)
}

func (l *loop) budget(f effect.Effect) time.Duration {
	if f.Deadline != 0 {
		return max(f.Deadline.Sub(l.state.At), time.Nanosecond)
	}
	if f.Kind == leyline.EffectStage {
		return l.state.Plane.Config.Tolaria.RollbackFull.Duration()
	}
	return l.state.Plane.Config.Kasmina.PrefetchTimeout.Duration()
}

// submit queues a job; a full queue is an outcome like any other failure.
func (l *loop) submit(j worker.Job, done *completion) {
	j.Done = func(o worker.Outcome) { l.plane.post(done, o) }
	if _, err := l.plane.worker.Submit(context.Background(), j); err != nil {
		go l.plane.post(done, worker.Outcome{Name: j.Name, Err: err, State: worker.Failed})
	}
}

// post brings a completion to the loop, unless the loop has ended.
func (p *Plane) post(c *completion, o worker.Outcome) {
	c.outcome = o
	select {
	case p.done <- c:
	case <-p.ended:
	}
}

func (l *loop) prefetch(ctx context.Context, f effect.Effect, c *completion) error {
	file, err := l.plane.opts.Kernels.Open(f.Kernel)
	if err != nil {
		return fmt.Errorf("kernel_missing: %w", err)
	}
	return errors.Join(c.read(ctx, file), file.Close())
}

func (l *loop) stage(ctx context.Context, f effect.Effect, c *completion) error {
	file, err := l.plane.snapshotFile(f.Run, f.File)
	if err != nil {
		return err
	}
	return errors.Join(c.read(ctx, file), file.Close())
}

// ask puts a question to the policy. The question was copied: the loop goes on
// changing the state.
func (l *loop) ask(q policy.Question) func(context.Context, effect.Effect, *completion) error {
	answer := l.plane.opts.Policy
	return func(ctx context.Context, _ effect.Effect, c *completion) (err error) {
		if answer == nil {
			c.choice = policy.Next(q)
			return ctx.Err()
		}
		c.choice, err = answer(ctx, q)
		return err
	}
}

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

// complete records what came of an effect. A computation that the state no
// longer waits for was voided by a rollback, a resume or its deadline, which is
// in the log already; its late result is dropped.
func (l *loop) complete(c *completion) {
	f := c.effect
	if f.Kind == leyline.EffectEvict {
		l.evicted(c)
		return
	}
	owner := l.running[f.ID]
	delete(l.running, f.ID)
	if in := l.input(c); in != nil {
		l.stamp(in, owner)
	} else {
		l.log.Debug("late completion dropped", "effect", f.ID.String(), "kind", f.Kind.String())
	}
	if owner != nil {
		owner.waits--
	}
}

// evicted says when the bytes of an evicted snapshot could not be deleted. They
// are swept away at the next start.
func (l *loop) evicted(c *completion) {
	if c.outcome.State != worker.Done {
		l.log.Warn("cannot delete an evicted snapshot", "run", c.effect.Run, "file", c.effect.File, "err", c.outcome.Err)
	}
}

func (l *loop) input(c *completion) leyline.Input {
	switch c.effect.Kind {
	case leyline.EffectPrefetch:
		return l.kernelInput(c)
	case leyline.EffectStage:
		return l.stageInput(c)
	case leyline.EffectPolicy:
		return l.policyInput(c)
	}
	return nil
}

func (l *loop) kernelInput(c *completion) leyline.Input {
	f, took := c.effect, uint64(c.outcome.Queued+c.outcome.Ran)
	if s := l.state.Kasmina.Seed(f.Run, f.Seed); s == nil || s.Kernel.Request != f.ID {
		return nil
	}
	if c.outcome.State == worker.Done {
		return leyline.KernelReady{
			Request: f.ID, Run: f.Run, Seed: f.Seed, Digest: c.digest, Bytes: c.bytes, TookNs: took,
		}
	}
	return leyline.KernelFailed{
		Request: f.ID, Run: f.Run, Seed: f.Seed, Outcome: outcomeOf(c.outcome), Reason: clip(c.outcome.Err), TookNs: took,
	}
}

func (l *loop) policyInput(c *completion) leyline.Input {
	f, took := c.effect, uint64(c.outcome.Queued+c.outcome.Ran)
	if p := l.state.Tamiyo.Run(f.Run); p == nil || p.Asked.Effect != f.ID {
		return nil
	}
	failed := leyline.PolicyFailed{Request: f.ID, Run: f.Run, Outcome: outcomeOf(c.outcome), Reason: clip(c.outcome.Err), TookNs: took}
	if c.outcome.State != worker.Done {
		return failed
	}
	x := c.choice
	in, err := storable(leyline.PolicyAnswered{Request: f.ID, Run: f.Run, Command: x.Command, Reason: x.Reason, Why: x.Why, TookNs: took})
	if err == nil {
		err = in.Validate()
	}
	if err != nil { // an answer that means nothing is none
		failed.Outcome, failed.Reason = leyline.OutcomeFailed, clip(fmt.Errorf("the answer cannot be used: %w", err))
		return failed
	}
	return in
}

func (l *loop) stageInput(c *completion) leyline.Input {
	f := c.effect
	r := l.state.Tolaria.Run(f.Run)
	if r == nil || r.Rollback.Effect != f.ID {
		return nil
	}
	in := leyline.RollbackReported{
		Run: f.Run, Incarnation: r.Incarnation, Rollback: f.Rollback, Phase: leyline.PhasePrepare,
		Outcome: leyline.OutcomeOK, Digest: c.digest, TookNs: uint64(c.outcome.Queued + c.outcome.Ran),
	}
	if c.outcome.State != worker.Done {
		in.Outcome, in.Reason, in.Digest = outcomeOf(c.outcome), clip(c.outcome.Err), leyline.Digest{}
	}
	return in
}

func outcomeOf(o worker.Outcome) leyline.Outcome {
	if o.State == worker.TimedOut {
		return leyline.OutcomeDeadline
	}
	return leyline.OutcomeFailed
}

func clip(err error) string {
	s := "cancelled"
	if err != nil {
		s = cmp.Or(err.Error(), "failed without a reason")
	}
	return s[:min(len(s), leyline.MaxText)]
}

// act starts an action. Its record is durable.
func (l *loop) act(f effect.Effect) {
	switch f.Kind {
	case leyline.EffectCommand, leyline.EffectRestore, leyline.EffectHalt:
		l.orders[f.Run] = append(l.orders[f.Run], *f.Order)
	case leyline.EffectSignal:
		l.later = append(l.later, l.publish(f))
	case leyline.EffectEvict:
		l.submit(worker.Job{
			Name: "evict " + f.ID.String(), Timeout: 10 * time.Second,
			Run: func(context.Context) error { return l.plane.remove(f.Run, f.File) },
		}, &completion{effect: f})
	}
}

// publish sets the emergency signal: a write to memory, done here and now so
// that two levels of one record cannot overtake each other. Other runs may be at
// a higher level; the highest is what is published.
func (l *loop) publish(f effect.Effect) leyline.Input {
	began := time.Now()
	level := max(f.Level, highestBut(l.state, f.Run))
	if err := l.plane.opts.Signal.Set(level, f.Reason.String()); err != nil {
		return leyline.EmergencyUndelivered{Effect: f.ID, Level: level, Reason: clip(err)}
	}
	return leyline.EmergencyDelivered{Effect: f.ID, Level: level, TookNs: uint64(time.Since(began))}
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
