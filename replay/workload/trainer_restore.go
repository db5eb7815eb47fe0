package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// restoreOrder is an order to restore and by when, on this machine's clock; the zero time
// if there is no deadline.
type restoreOrder struct {
	*leyline.RestoreOrder
	by time.Time
}

func newRestore(d leyline.Directive) restoreOrder {
	o := restoreOrder{RestoreOrder: d.Restore}
	if d.Deadline != 0 {
		o.by = time.Now().Add(time.Duration(d.WithinNs))
	}
	return o
}

// bounded ends with the time that an order leaves.
func (o restoreOrder) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.by.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, o.by)
}

// read reads a copy of a snapshot from its tier.
func (t *trainer) read(ctx context.Context, ref leyline.SnapshotRef) ([]byte, snapstore.Sums, error) {
	store := t.opts.Snapshots
	if ref.Tier == leyline.TierFast {
		store = t.opts.Fast
	}
	if store == nil {
		return nil, snapstore.Sums{}, fmt.Errorf("snapshot %s lies in the %s tier, which this trainer has not", ref.Snapshot, ref.Tier)
	}
	b, sums, err := snapstore.Load(ctx, store, t.opts.Run, ref, t.staging)
	if err == nil {
		t.staging = b
	}
	return b, sums, err
}

// recover follows the plane's orders until the net is restored or the run is
// halted. began is when the step started that was answered with the rollback.
func (t *trainer) recover(ctx context.Context, began time.Time) error {
	t.still(false)
	defer t.still(true)
	for {
		for len(t.restores) > 0 {
			o := t.restores[0]
			t.restores = t.restores[1:]
			if done, err := t.restore(ctx, began, o); done || err != nil {
				return err
			}
		}
		a, err := t.plane.Directives(ctx, t.opts.Run, t.answer.Cursor)
		if err != nil {
			return fmt.Errorf("waiting for orders after step %d: %w", t.step, err)
		}
		if err := t.hear(a); err != nil {
			return err
		}
	}
}

// still tells Options.Still once that training stands still, and once that this is
// over.
func (t *trainer) still(over bool) {
	if t.opts.Still != nil && over == t.stands {
		t.stands = !over
		t.opts.Still(over, t.net.Digest())
	}
}

// restore stages a snapshot beside the net, reports it, and lets it take over when
// the plane has confirmed it. Until then no parameter is touched: whatever is late,
// failed or refused leaves the net bit for bit as it was. It returns false when the
// plane did not accept the result and further orders will follow.
func (t *trainer) restore(ctx context.Context, began time.Time, o restoreOrder) (bool, error) {
	defer t.trace.span("restore", o.From.Step)()
	start := time.Now()
	staged, in, err := t.stage(ctx, o)
	in.TookNs = uint64(time.Since(start))
	if ctx.Err() != nil { // stopped from outside, which says nothing about the snapshot
		return false, ctx.Err()
	}
	a, perr := t.plane.Rollback(ctx, in, t.answer.Cursor)
	if r, ok := leyline.AsRefusal(perr); ok && r.Kind == leyline.RefusalUnknownRollback {
		return false, nil // it came too late; what the plane wants instead is on its way
	}
	if perr != nil {
		return false, errors.Join(fmt.Errorf("rollback %s: %w", o.Rollback, perr), err)
	}
	if herr := t.hear(a); herr != nil {
		return false, herr
	}
	if a.Incarnation == in.Incarnation {
		return false, nil
	}
	t.net.adopt(staged)
	t.result.Recoveries = append(t.result.Recoveries, Recovery{
		Rollback: o.Rollback, Cause: o.Cause, FaultStep: o.Fault, ToStep: o.From.Step, Tier: o.From.Tier,
		Restore: time.Duration(in.TookNs), Digest: in.Digest, Check: in.Check,
	})
	t.unproven = append(t.unproven, began)
	t.step = o.From.Step
	t.faulted = append(t.faulted, o.Reached)
	if err := t.adopt(); err != nil {
		return true, err
	}
	return true, t.settle(ctx)
}

// stage reads and builds what an order names, within its time, and says how that
// went.
func (t *trainer) stage(ctx context.Context, o restoreOrder) (*Net, leyline.RollbackReported, error) {
	in := leyline.RollbackReported{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Rollback: o.Rollback, Phase: leyline.PhaseCommit,
		Tier: o.From.Tier, Outcome: leyline.OutcomeOK,
	}
	bounded, cancel := o.bounded(ctx)
	defer cancel()
	b, sums, err := t.read(bounded, o.From)
	in.Digest, in.Check, in.Bytes = sums.Digest, sums.Check, sums.Bytes
	var staged *Net
	if err == nil {
		staged, err = t.net.stage(b)
	}
	if err == nil {
		err = bounded.Err()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		in.Outcome, in.Reason = leyline.OutcomeDeadline, clipReason(err)
	case err != nil:
		in.Outcome, in.Reason = leyline.OutcomeFailed, clipReason(err)
	}
	return staged, in, err
}
