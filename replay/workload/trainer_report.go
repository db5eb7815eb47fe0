package workload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// afterStep does what follows an update: commands, the evaluation at the end of
// an epoch, the snapshot that is due. Any answer may bring commands; they are
// carried out before the next report, so that a snapshot holds the network that
// the plane believes in. An order to restore makes the rest of it void.
func (t *trainer) afterStep(ctx context.Context, snapshot bool) error {
	epoch := uint64(t.step)%t.batches.PerEpoch() == 0
	for _, x := range []struct {
		due bool
		do  func(context.Context) error
	}{
		{true, t.carryOut},
		{epoch, t.epoch}, {epoch, t.carryOut},
		{snapshot, t.snapshot}, {snapshot, t.carryOut},
	} {
		if !x.due {
			continue
		}
		if err := x.do(ctx); err != nil {
			return err
		}
		if len(t.restores) > 0 {
			return nil
		}
	}
	return t.reconcile()
}

// epoch judges the net by the held-out rows and reports it.
func (t *trainer) epoch(ctx context.Context) error {
	ev, err := t.net.Evaluate(t.data.HeldOut)
	if err != nil {
		return err
	}
	a, err := t.plane.Epoch(ctx, leyline.EpochObserved{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: t.step, Epoch: uint32(t.batches.Epoch(uint64(t.step)) + 1),
		Losses: ev.Losses, Accuracies: ev.Accuracy, Samples: uint32(ev.Rows),
	}, t.answer.Cursor)
	if err != nil {
		return fmt.Errorf("epoch at step %d: %w", t.step, err)
	}
	return t.hear(a)
}

// snapshot writes the net's state and reports it. A snapshot that cannot be
// written is not reported as taken: training stops, because it would go on
// without anything to return to.
func (t *trainer) snapshot(ctx context.Context) error {
	if err := t.reconcile(); err != nil {
		return err
	}
	began := time.Now()
	b, err := t.net.Save(uint64(t.step))
	if err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	id := fmt.Sprintf("%d-%d", t.answer.Incarnation, t.step)
	in := leyline.SnapshotTaken{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: t.step,
		Snapshot: leyline.SnapshotID(fmt.Sprintf("%s-%s", t.opts.Run, id)), Tier: leyline.TierFull,
		File: "snap-" + id + ".safetensors", Bytes: uint64(len(b)), Digest: sha256.Sum256(b),
	}
	if err := writeDurable(t.opts.SnapshotDir, in.File, b); err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	in.WriteNs = uint64(time.Since(began))
	a, err := t.plane.Snapshot(ctx, in, t.answer.Cursor)
	if err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	return t.hear(a)
}
