package decider_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/esper-plane/esper/leyline"
)

// grown is a world with a seed that is TRAINING and an epoch that begins.
func grown(t *testing.T, change ...func(*leyline.ExecutionConfig)) *world {
	w := newWorld(t, change...)
	w.open()
	w.until(leyline.StageTraining)
	w.endEpoch()
	return w
}

func (w *world) endEpoch() leyline.EpochAssessed {
	w.t.Helper()
	e := leyline.EpochObserved{
		Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Epoch: w.run().Track.Epoch + 1, Losses: []float64{1, 1}, Accuracies: []float64{0.5, 0.5}, Samples: 10,
	}
	return one[leyline.EpochAssessed](w, w.must(e))
}

// with reports a step of which change sees what was observed of the seed.
func (w *world) with(change func(*leyline.SeedObserved)) leyline.TrainingAssessed {
	w.t.Helper()
	x := w.report()
	x.Seeds[0].Parameters = 90
	change(&x.Seeds[0])
	return one[leyline.TrainingAssessed](w, w.must(x))
}

func layersOf(a, b float64) []leyline.LayerNorm {
	return []leyline.LayerNorm{{Layer: "in", Norm: a}, {Layer: "out", Norm: b}}
}

func TestSharesOfAnEpoch(t *testing.T) {
	w := grown(t, func(c *leyline.ExecutionConfig) {
		c.Tolaria.SeedLayers, c.Tolaria.Attribution = 1, leyline.AttributionUniform
	})
	w.with(func(o *leyline.SeedObserved) {
		o.GradNorm, o.HostNorm, o.Cosine, o.Layers = 1, 3, -0.1, layersOf(1, 0.5)
	})
	w.with(func(o *leyline.SeedObserved) {
		o.GradNorm, o.HostNorm, o.Cosine, o.Layers = 3, 1, 0.1, layersOf(1, 2.5)
	})
	got := w.endEpoch().Shares
	want := leyline.Shares{
		Steps: 2, HostNorm: 2, HostShare: 0.5, JumpLimit: 0.3, ConflictLimit: 0.5,
		Seeds: []leyline.SeedShare{{
			Seed: "seed-a", Stage: leyline.StageTraining, Steps: 2, Weight: 0.5, Norm: 2, Share: 0.5, ShareDelta: 0.5, Attributed: 1,
			Conflicts: 1, Conflict: 0.5, Parameters: 90, MaskFraction: 0.9, Layers: []leyline.LayerNorm{{Layer: "out", Norm: 1.5}},
			Conflicting: true,
		}},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-15)); d != "" {
		t.Error(d)
	}
	if w.run().Track.Tally.Steps != 0 {
		t.Error("the next epoch goes on with the sums of the last")
	}
	w.with(func(o *leyline.SeedObserved) { o.GradNorm, o.HostNorm = 9, 1 })
	if s := w.endEpoch().Shares.Seeds[0]; math.Abs(s.ShareDelta-0.4) > 1e-12 || !s.Jumped || s.Conflicting {
		t.Errorf("a share that goes from 0.5 to 0.9 is %+v", s)
	}
}

func TestEpochWithoutSeedsHasNoShares(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	w.open()
	w.steps(3)
	if s := w.endEpoch().Shares; s.Steps != 0 || len(s.Seeds) != 0 {
		t.Errorf("shares %+v", s)
	}
}

// A norm that is not finite, or a sum that would not be, must not stay in the
// figures of the whole epoch.
func TestSharesStayFinite(t *testing.T) {
	for name, spoil := range map[string]func(*leyline.SeedObserved){
		"a norm":  func(o *leyline.SeedObserved) { o.GradNorm = math.NaN() },
		"a layer": func(o *leyline.SeedObserved) { o.Layers = layersOf(math.Inf(1), 1) },
		"a sum":   func(o *leyline.SeedObserved) { o.HostNorm = math.MaxFloat64 },
	} {
		w := grown(t)
		if name == "a sum" {
			w.with(func(o *leyline.SeedObserved) { o.HostNorm = math.MaxFloat64 / 1.5 })
		} else {
			w.with(func(*leyline.SeedObserved) {})
		}
		before := w.run().Track.Tally
		if a := w.with(spoil); a.Health != leyline.HealthHealthy || !cmp.Equal(a.Tally, before) {
			t.Errorf("%s: the step is %s, the tally %+v", name, a.Health, a.Tally)
		}
		if s := w.endEpoch().Shares; s.Steps != 1 || len(s.Seeds) != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// A trainer may report any number of parameters; what is told of it stays a share.
func TestMaskFractionOfAbsurdNumbers(t *testing.T) {
	w := grown(t)
	w.with(func(o *leyline.SeedObserved) { o.Parameters = math.MaxUint64 })
	if s := w.endEpoch().Shares.Seeds[0]; s.MaskFraction != 1 {
		t.Errorf("all but ten of 2^64 parameters are %v of them", s.MaskFraction)
	}
}

func TestTallyIsRewound(t *testing.T) {
	w := grown(t)
	for w.run().Track.Step%5 != 0 {
		w.steps(1)
	}
	w.steps(2)
	held := w.run().Snapshots[len(w.run().Snapshots)-1]
	if held.Memo.Tally.Steps == 0 || w.run().Track.Tally.Steps <= held.Memo.Tally.Steps {
		t.Fatalf("the snapshot holds %+v, the run %+v", held.Memo.Tally, w.run().Track.Tally)
	}
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, held.Digest))
	w.must(w.rollback(leyline.PhaseCommit, held.Digest))
	if d := cmp.Diff(held.Memo.Tally, w.run().Track.Tally); d != "" {
		t.Error(d)
	}
}

func TestAttribution(t *testing.T) {
	for mode, want := range map[leyline.Attribution]float64{
		leyline.AttributionOff: 0, leyline.AttributionUniform: 1, leyline.AttributionReported: 0.25,
	} {
		w := grown(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Attribution = mode })
		w.with(func(o *leyline.SeedObserved) { o.Attributed = 0.25 })
		if s := w.endEpoch().Shares.Seeds[0]; s.Attributed != want {
			t.Errorf("%s: %v of the host's gradient is attributed to the seed, want %v", mode, s.Attributed, want)
		}
	}
	w := grown(t)
	if s := w.with(func(o *leyline.SeedObserved) { o.Attributed = 0.25 }); s.Tally.Seeds[0].Attributed != 0 {
		t.Errorf("by default %v is attributed", s.Tally.Seeds[0].Attributed)
	}
	x := w.report()
	x.Seeds[0].Attributed = 1.5
	if r := w.refused(x); r.Field != "seeds[0].attributed" {
		t.Errorf("more than the whole is refused for %s", r.Field)
	}
}

// Another network in the slot has other layers: their sums are not mixed.
func TestLayersOfAnotherSeedBeginAnew(t *testing.T) {
	w := grown(t, func(c *leyline.ExecutionConfig) { c.Tolaria.SeedLayers = 8 })
	w.with(func(o *leyline.SeedObserved) { o.Layers = layersOf(5, 5) })
	w.with(func(o *leyline.SeedObserved) { o.Layers = []leyline.LayerNorm{{Layer: "filter", Norm: 2}} })
	if d := cmp.Diff([]leyline.LayerNorm{{Layer: "filter", Norm: 1}}, w.endEpoch().Shares.Seeds[0].Layers); d != "" {
		t.Error(d)
	}
}
