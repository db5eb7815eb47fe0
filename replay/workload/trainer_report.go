package workload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// afterStep does what follows an update: commands, the evaluation at the end of
// an epoch, the snapshot that is due. Any answer may bring commands; they are
// carried out before the next report, so that a snapshot holds the network that
// the plane believes in. An order to restore makes the rest of it void.
func (t *trainer) afterStep(ctx context.Context, a leyline.Answer) error {
	return t.follow(ctx, a, uint64(t.step)%t.batches.PerEpoch() == 0)
}

// follow does what an answer asks for, and reports the epoch that has ended, if one has.
func (t *trainer) follow(ctx context.Context, a leyline.Answer, epoch bool) error {
	for _, x := range []struct {
		name string
		due  bool
		do   func(context.Context) error
	}{
		{"commands", true, t.carryOut},
		{"probe", len(a.Probes) > 0, func(ctx context.Context) error { return t.probe(ctx, a.Probes) }}, {"commands", len(a.Probes) > 0, t.carryOut},
		{"evaluate", epoch, t.epoch}, {"commands", epoch, t.carryOut},
		{"snapshot", a.Snapshot, t.snapshot}, {"commands", a.Snapshot, t.carryOut},
	} {
		if !x.due {
			continue
		}
		end := t.trace.span(x.name, t.step)
		if err := x.do(ctx); err != nil {
			return err
		}
		end()
		if len(t.restores) > 0 {
			return nil
		}
	}
	return t.reconcile()
}

// probe measures what seeds add: the net as it is against the net with one seed
// at alpha 0, on rows that it does not learn from.
func (t *trainer) probe(ctx context.Context, seeds []leyline.SeedID) error {
	if err := t.reconcile(); err != nil {
		return err
	}
	for _, id := range seeds {
		s := t.net.find(string(id))
		if s == nil {
			continue // carried out in between: it was culled
		}
		if err := t.probeOne(ctx, id, s); err != nil {
			return err
		}
	}
	return nil
}

func (t *trainer) probeOne(ctx context.Context, id leyline.SeedID, s *seed) error {
	began := time.Now()
	with, err := t.net.Evaluate(t.data.Probe)
	if err != nil {
		return err
	}
	without, err := t.net.Evaluate(t.data.Probe, AlphaOverride{Slot: s.ID})
	if err != nil {
		return err
	}
	t.result.Work.Probes += 2 * t.net.forwardWork(len(t.data.Probe))
	if slices.Contains(with.Failed, s.ID) {
		return nil // it had no part in the output: the next step reports that, and it is culled
	}
	a, err := t.plane.Probe(ctx, leyline.SeedProbed{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: t.step, Seed: id, Alpha: s.Alpha,
		Losses: with.Losses, Accuracies: with.Accuracy, LossesAt0: without.Losses, AccuracyAt0: without.Accuracy,
		Samples: uint32(with.Rows), TookNs: uint64(time.Since(began)),
	}, t.answer.Cursor)
	if err != nil {
		return t.overtaken(ctx, began, fmt.Errorf("probe of %s at step %d: %w", id, t.step, err))
	}
	return t.hear(a)
}

// epoch judges the net by the probe rows and reports it.
func (t *trainer) epoch(ctx context.Context) error {
	ev, err := t.net.Evaluate(t.data.Probe)
	if err != nil {
		return err
	}
	a, err := t.plane.Epoch(ctx, leyline.EpochObserved{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: t.step, Epoch: uint32(t.batches.Epoch(uint64(t.step)) + 1),
		Losses: ev.Losses, Accuracies: ev.Accuracy, Samples: uint32(ev.Rows),
		TookNs: uint64(time.Since(t.epochAt)), HookNs: uint64(t.waited),
	}, t.answer.Cursor)
	if err != nil {
		return fmt.Errorf("epoch at step %d: %w", t.step, err)
	}
	t.epochAt = time.Now()
	if err := t.hear(a); err != nil {
		return err
	}
	if len(t.restores) == 0 {
		t.optimize()
	}
	return nil
}

// snapshot writes the net's state and reports it, first in the full tier, then in
// the fast one if that has room. A snapshot that cannot be
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
	if err := t.write(t.opts.Snapshots, in.File, b); err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	if err := t.taken(ctx, in, began); err != nil || t.opts.Fast == nil || t.answer.FastRoom < in.Bytes {
		return err
	}
	began, in.Tier = time.Now(), leyline.TierFast
	if err := t.write(t.opts.Fast, in.File, b); err != nil {
		in.Unwritten = clipReason(err) // the full copy is there; the plane records that this one is not
	}
	return t.taken(ctx, in, began)
}

func (t *trainer) write(s snapstore.Store, file string, b []byte) error {
	return s.Write(t.opts.Run, file, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// taken reports a copy of a snapshot.
func (t *trainer) taken(ctx context.Context, in leyline.SnapshotTaken, began time.Time) error {
	in.WriteNs = uint64(time.Since(began))
	a, err := t.plane.Snapshot(ctx, in, t.answer.Cursor)
	if err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	return t.hear(a)
}

func (t *trainer) observed(s leyline.Step, pass *Pass, forward time.Duration) leyline.StepObserved {
	t.gram = pass.Gram(t.gram)
	_, seed := detmath.Mix(t.opts.Seed, uint64(t.answer.Lineage), uint64(s))
	in := leyline.StepObserved{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: s,
		Losses: append([]float64(nil), pass.Losses...), Gram: append([]float64(nil), t.gram...), Seed: seed,
		Samples: uint32(pass.Rows), Microbatches: 1, LearnRate: t.net.LearningRate(),
		ForwardNs: uint64(forward), PreviousNs: uint64(t.last), Acks: t.reported(),
	}
	for _, p := range pass.Seeds {
		if p.Mode == ModeIdle || t.stages[p.Slot] == leyline.StageTerminated {
			continue // it is paused, or the host's: there is nothing to tell
		}
		in.Seeds = append(in.Seeds, leyline.SeedObserved{
			Seed: leyline.SeedID(p.Slot), Alpha: p.Alpha, GradNorm: p.GradNorm, HostNorm: pass.HostGradNorm,
			Cosine: p.Cosine, Leak: p.Leak, Loss: detmath.Sum(p.AuxLosses),
			Parameters: uint64(t.net.find(p.Slot).size()), Layers: t.layers(p),
			Stage: t.stages[p.Slot],
			Blend: p.Blend, Failure: p.Failure, Why: p.Why, CosineSamples: uint32(p.CosineSamples),
		})
	}
	return in
}

// layers are the norms of a seed's gradient, tensor by tensor, where they are
// wanted.
func (t *trainer) layers(p SeedPass) []leyline.LayerNorm {
	if !t.opts.SeedLayers || p.gradient == nil {
		return nil
	}
	var out []leyline.LayerNorm
	for _, x := range t.net.find(p.Slot).shape.tensors("", p.gradient) {
		out = append(out, leyline.LayerNorm{Layer: x.Name, Norm: norm(x.Data)})
	}
	return out
}
