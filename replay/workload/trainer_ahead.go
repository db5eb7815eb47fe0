package workload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// Ahead is a Plane that takes reports of steps before earlier ones are answered. Answers
// come in the order of the reports.
type Ahead interface {
	Plane
	// Submit reports a step and does not wait for its answer.
	Submit(ctx context.Context, in leyline.StepObserved, after leyline.Seq) error
	// Wait takes the answer to the oldest step that has none.
	Wait(ctx context.Context) (leyline.Answer, error)
	// Outstanding is how many steps have no answer.
	Outstanding() int
}

// pipe is an Ahead of a pipelined trainer: it hears all answers that are outstanding
// before it reports anything that is not a step of its own kind.
type pipe struct {
	Ahead
	t *trainer
}

// pipeline makes the plane of a trainer with a lag an Ahead.
func (t *trainer) pipeline(clocked *stopwatch) error {
	a, ok := clocked.plane.(Ahead)
	if !ok {
		return fmt.Errorf("a lag of %d steps needs a plane that takes steps ahead of their answers; a plane in this process answers at once", t.opts.Lag)
	}
	if t.opts.Weigh == nil {
		return errors.New("a lag needs the plane's rule for weights; set Weigh")
	}
	t.ahead, clocked.plane = a, &pipe{a, t}
	return nil
}

// drained makes a call when no answer is outstanding, with the cursor of the last one.
func drained[A any](ctx context.Context, p *pipe, call func(after leyline.Seq) (A, error)) (a A, err error) {
	if err := p.t.drain(ctx); err != nil {
		return a, err
	}
	return call(p.t.answer.Cursor)
}

// Step implements Plane.
func (p *pipe) Step(ctx context.Context, in leyline.StepObserved, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Step(ctx, in, after) })
}

// Epoch implements Plane.
func (p *pipe) Epoch(ctx context.Context, in leyline.EpochObserved, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Epoch(ctx, in, after) })
}

// Snapshot implements Plane.
func (p *pipe) Snapshot(ctx context.Context, in leyline.SnapshotTaken, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Snapshot(ctx, in, after) })
}

// Probe implements Plane.
func (p *pipe) Probe(ctx context.Context, in leyline.SeedProbed, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Probe(ctx, in, after) })
}

// Ack implements Plane.
func (p *pipe) Ack(ctx context.Context, in leyline.CommandAcked, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Ack(ctx, in, after) })
}

// Profiled implements Plane.
func (p *pipe) Profiled(ctx context.Context, in leyline.ProfileReported, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Profiled(ctx, in, after) })
}

// Rollback implements Plane.
func (p *pipe) Rollback(ctx context.Context, in leyline.RollbackReported, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Rollback(ctx, in, after) })
}

// Directives implements Plane.
func (p *pipe) Directives(ctx context.Context, run leyline.RunID, _ leyline.Seq) (leyline.Answer, error) {
	return drained(ctx, p, func(after leyline.Seq) (leyline.Answer, error) { return p.Ahead.Directives(ctx, run, after) })
}

// Close implements Plane.
func (p *pipe) Close(ctx context.Context, in leyline.RunClosed) (leyline.Answer, error) {
	return drained(ctx, p, func(leyline.Seq) (leyline.Answer, error) { return p.Ahead.Close(ctx, in) })
}

// take hears the oldest answer that is outstanding, and keeps what it says is due.
func (t *trainer) take(ctx context.Context) error {
	a, err := t.ahead.Wait(ctx)
	if err != nil {
		return err
	}
	if err := t.hear(a); err != nil {
		return err
	}
	t.due.Snapshot, t.due.Probes = t.due.Snapshot || a.Snapshot, a.Probes // a probe is asked for until it is made
	return nil
}

// drain hears every answer that is outstanding.
func (t *trainer) drain(ctx context.Context) error {
	for t.ahead != nil && t.ahead.Outstanding() > 0 {
		if err := t.take(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sound reports whether a step may be applied before the plane has judged it.
func sound(in *leyline.StepObserved) bool {
	for _, xs := range [][]float64{in.Losses, in.Gram} {
		for _, x := range xs {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return false
			}
		}
	}
	return true
}

// leap reports a step with the weights that the trainer has worked out by the plane's
// rule, and applies it without waiting for more answers than the lag demands.
func (t *trainer) leap(ctx context.Context, s leyline.Step, pass *Pass, in leyline.StepObserved) error {
	weights, err := t.opts.Weigh(&in)
	if err != nil {
		return fmt.Errorf("step %d: %w", s, err)
	}
	in.Applied = weights
	asked := time.Now()
	if err := t.ahead.Submit(ctx, in, t.answer.Cursor); err != nil {
		return fmt.Errorf("step %d: %w", s, err)
	}
	for t.ahead.Outstanding() > int(t.opts.Lag) {
		if err := t.take(ctx); err != nil {
			return fmt.Errorf("step %d: %w", s, err)
		}
	}
	t.waited = time.Since(asked)
	t.clocked.spent += t.waited
	if len(t.restores) > 0 {
		return nil // whatever was trained since is void
	}
	t.optimize()
	if err := t.net.Apply(pass, weights); err != nil {
		return fmt.Errorf("step %d: %w", s, err)
	}
	t.step = s
	t.good()
	return t.whatIsDue(ctx, uint64(s)%t.batches.PerEpoch() == 0)
}

// whatIsDue does what the answers since the last step have asked for. Whatever that is,
// the answers that are outstanding are heard first: what is reported now is about the
// newest step, and they may say that it is no longer wanted.
func (t *trainer) whatIsDue(ctx context.Context, epoch bool) error {
	if epoch || t.due.Snapshot || len(t.due.Probes) > 0 || len(t.commands) > 0 {
		if err := t.drain(ctx); err != nil || len(t.restores) > 0 {
			return err
		}
	}
	due := t.due
	t.due = leyline.Answer{}
	return t.follow(ctx, due, epoch)
}

// unfinished reports whether there is still something to train. A pipelined trainer
// hears its last answers first.
func (t *trainer) unfinished(ctx context.Context) (bool, error) {
	if t.ahead != nil && t.step >= t.opts.Steps && len(t.restores) == 0 {
		if err := t.drain(ctx); err != nil {
			return false, err
		}
		if len(t.restores) == 0 && (t.due.Snapshot || len(t.due.Probes) > 0 || len(t.commands) > 0) {
			if err := t.whatIsDue(ctx, false); err != nil {
				return false, err
			}
		}
	}
	return t.step < t.opts.Steps || len(t.restores) > 0, nil
}
