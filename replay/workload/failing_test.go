package workload

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// TestSeedThatFailsHasNoPart: the host's output and gradients are those of a net
// without the seed, nothing of it is measured, and nothing of it learns.
func TestSeedThatFailsHasNoPart(t *testing.T) {
	for _, mode := range []Mode{ModeTraining, ModeBlending} {
		bare, with := newStory(t, 7), newStory(t, 7)
		ok(t, with.net.Graft("s", kernelOf(t, "residual-mlp-16")))
		ok(t, with.net.SetMode("s", mode))
		ok(t, with.net.SetAlpha("s", 0.5))
		ok(t, with.net.Corrupt(FaultSeed))
		batch := with.batches.Batch(1)
		p, err := with.net.Step(batch)
		ok(t, err)
		q, err := bare.net.Step(batch)
		ok(t, err)
		got := p.Seeds[0]
		if got.Failure != leyline.SeedFailureForward || got.Why == "" || got.GradNorm != 0 || got.Blend.Mode != 0 || got.Cosine != 0 {
			t.Errorf("%s: reported as %+v", mode, got)
		}
		size := with.net.trunk.size()
		if d := cmp.Diff(q.Losses, p.Losses); d != "" || !slices.Equal(q.Gradients[0], p.Gradients[0][:size]) {
			t.Errorf("%s: the host is not as without the seed: %s", mode, d)
		}
		values := slices.Clone(with.net.find("s").value)
		ok(t, with.net.Apply(p, with.weights))
		for i, v := range with.net.find("s").value {
			if math.Float64bits(v) != math.Float64bits(values[i]) {
				t.Fatalf("%s: a seed that failed has learned", mode)
			}
		}
		ev, err := with.net.Evaluate(batch, AlphaOverride{"s", 1})
		ok(t, err)
		if d := cmp.Diff([]string{"s"}, ev.Failed); d != "" {
			t.Errorf("%s: %s", mode, d)
		}
		ok(t, with.net.SetMode("s", ModeIdle))
		if p, err = with.net.Step(batch); err != nil || p.Seeds[0].Failure != leyline.SeedFailureNone {
			t.Errorf("a seed that does nothing fails: %+v, %v", p.Seeds, err)
		}
	}
}

// TestConfidenceWithoutLogitsFails: heads that went mad while the trunk did not give
// no classification, and the activations do not take its place.
func TestConfidenceWithoutLogitsFails(t *testing.T) {
	n := blended(t).net
	n.head(1).b[0] = math.Inf(1)
	p, err := n.Step(n.data.Train[:8])
	ok(t, err)
	if s := p.Seeds[0]; s.Failure != leyline.SeedFailureLogits || s.Blend.Mode != 0 || !strings.Contains(s.Why, "logits") {
		t.Errorf("reported as %+v", s)
	}
	if s := p.Seeds[3]; s.Failure != leyline.SeedFailureNone || s.Blend.Mode != leyline.BlendChannel {
		t.Errorf("a seed that needs no logits: %+v", s)
	}
}

// TestMadHostBlamesNoSeed: NaN from the trunk goes through to the losses.
func TestMadHostBlamesNoSeed(t *testing.T) {
	n := blended(t).net
	ok(t, n.Corrupt(FaultNaN))
	p, err := n.Step(n.data.Train[:8])
	ok(t, err)
	if !math.IsNaN(p.Losses[0]) {
		t.Errorf("losses %v", p.Losses)
	}
	for _, s := range p.Seeds {
		if s.Failure != leyline.SeedFailureNone {
			t.Errorf("%s is blamed: %s", s.Slot, s.Why)
		}
	}
}

// TestEvaluateLeavesAPassAlone: what a step measured of a blend is not that of an
// evaluation after it, and an override of 0 leaves a seed out in spite of a least
// share.
func TestEvaluateLeavesAPassAlone(t *testing.T) {
	one, two := blended(t), blended(t)
	batch := one.batches.Batch(31)
	p, err := one.net.Step(batch)
	ok(t, err)
	q, err := two.net.Step(batch)
	ok(t, err)
	left, err := one.net.Evaluate(batch, AlphaOverride{Slot: "a"})
	ok(t, err)
	ok(t, one.net.Apply(p, one.weights))
	ok(t, two.net.Apply(q, two.weights))
	if one.net.Digest() != two.net.Digest() {
		t.Error("an evaluation between a step and its update has changed the update")
	}
	three := blended(t)
	ok(t, three.net.Remove("a"))
	gone, err := three.net.Evaluate(batch)
	ok(t, err)
	if d := cmp.Diff(gone.Losses, left.Losses); d != "" {
		t.Errorf("a seed at alpha 0 is not one that is gone: %s", d)
	}
}

// The leak drill does what it says: the host's gradient becomes that of a net
// without detach, and the leak is seen, also when the seed reads the input too.
func TestLeakDrill(t *testing.T) {
	t.Run("trunk", func(t *testing.T) { checkLeak(t, newStory(t, 7), kernelOf(t, "residual-mlp-16")) })
	t.Run("input and trunk", func(t *testing.T) {
		kernel, err := NewKernel("test", Block{Hidden: 6, Width: 2, Channels: 2, Side: 8}, 1)
		ok(t, err)
		checkLeak(t, newGallery(t), kernel)
	})
}

func checkLeak(t *testing.T, s *story, kernel []byte) {
	t.Helper()
	n := s.net
	if err := n.Corrupt(FaultLeak); err == nil {
		t.Error("a leak without a seed was accepted")
	}
	ok(t, n.Graft("a", kernel))
	s.train(t, 1, 20)
	ok(t, n.SetMode("a", ModeBlending))
	ok(t, n.SetAlpha("a", 0.8))
	sound, err := n.Save(0)
	ok(t, err)
	ok(t, n.Corrupt(FaultLeak))
	batch := n.data.Train[:8]
	p, err := n.Step(batch)
	ok(t, err)
	if p.IsolationLeak < 1e-6 || p.Seeds[0].Leak != p.IsolationLeak {
		t.Errorf("leak %g, of the seed %g", p.IsolationLeak, p.Seeds[0].Leak)
	}
	leak, cos := p.IsolationLeak, p.Cosine
	p, err = n.Step(batch)
	ok(t, err)
	if p.IsolationLeak != leak || p.Cosine != cos {
		t.Errorf("the same step again: leak %g and cosine %g, then %g and %g", leak, cos, p.IsolationLeak, p.Cosine)
	}
	loss := func() float64 { l, _ := slow{n: n}.losses(batch, 0, nil, nil); return l }
	slopes(t, "trunk", n.trunk.value, p.Gradients[0][:n.trunk.size()], loss)
	ok(t, n.Load(sound))
	if p, err = n.Step(batch); err != nil || p.IsolationLeak != 0 {
		t.Errorf("after Load: leak %g, error %v", p.IsolationLeak, err)
	}
}
