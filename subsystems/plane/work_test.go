package plane

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/worker"
)

// The staging of a rollback is urgent, a deletion can wait, and one place of more
// than one is for what is urgent.
func TestClassesOfEffects(t *testing.T) {
	p := &Plane{ended: make(chan struct{})}
	close(p.ended) // nobody waits for completions
	p.opts.Process = leyline.PlaneConfig{Workers: 1, WorkerQueue: 8, Shutdown: 5_000}
	if err := p.startWorker(); err != nil {
		t.Fatal(err)
	}
	hold := func(ctx context.Context) error { <-ctx.Done(); return nil }
	if _, err := p.worker.Submit(t.Context(), worker.Job{Name: "first", Run: hold}); err != nil {
		t.Fatal(err)
	}
	const run = "run-a"
	l := &loop{plane: p, running: map[leyline.EffectID]*chain{}, jobs: map[leyline.EffectID]*worker.Handle{}, state: &projections.State{
		Tolaria: projections.Tolaria{Runs: []projections.Run{{ID: run}}},
		Kasmina: projections.Kasmina{Runs: []projections.Slots{{Run: run}}},
		Tamiyo:  projections.Tamiyo{Runs: []projections.Policy{{Run: run}}},
	}}
	for i, c := range []struct {
		kind  leyline.EffectKind
		class worker.Priority
	}{
		{leyline.EffectEvict, worker.Background},
		{leyline.EffectClean, worker.Urgent},
		{leyline.EffectPrefetch, worker.Normal},
		{leyline.EffectPolicy, worker.Normal},
		{leyline.EffectPolicyFile, worker.Normal},
		{leyline.EffectStage, worker.Urgent},
	} {
		before := waiting(p.worker)
		f := effect.Effect{ID: leyline.EffectID{Seq: leyline.Seq(i + 1)}, Kind: c.kind, Run: run, Deadline: leyline.Instant(time.Hour)}
		if effect.Computation(c.kind) {
			l.compute(f, nil)
		} else {
			l.act(f)
		}
		before[c.class]++
		if d := cmp.Diff(before, waiting(p.worker)); d != "" {
			t.Errorf("%v (-want +got):\n%s", c.kind, d)
		}
	}
	if err := p.worker.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// waiting counts what waits, by class.
func waiting(w *worker.Worker) map[worker.Priority]int {
	n := map[worker.Priority]int{}
	for _, c := range w.Stats().Classes {
		n[c.Priority] = c.Queued
	}
	return n
}

func TestOnePlaceIsForRollbacks(t *testing.T) {
	for workers, want := range map[uint32]int{1: 0, 2: 1, 8: 1} {
		p := &Plane{}
		p.opts.Process = leyline.PlaneConfig{Workers: workers, WorkerQueue: 3, Shutdown: 5_000}
		if err := p.startWorker(); err != nil {
			t.Fatal(err)
		}
		got := p.worker.Stats().Options
		if d := cmp.Diff(worker.Options{Concurrency: int(workers), Reserved: want, Queue: 3, Shutdown: 5 * time.Second}, got); d != "" {
			t.Errorf("%d workers (-want +got):\n%s", workers, d)
		}
	}
}
