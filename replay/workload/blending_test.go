package workload

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/subsystems/kasmina/blend"
)

// bench is a net as wide as a vector with a seed whose output, whatever it reads, is
// set, and heads that classify as they are told.
func bench(t *testing.T, c leylinetest.BlendCase, row int) (*Net, *seed) {
	t.Helper()
	d := &Data{Name: "vectors", X: mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6}), Train: []int{0}, Probe: []int{1}, HeldOut: []int{2}}
	classes := []leylinetest.BlendLogits{{Classes: 2, Values: make([]leylinetest.Number, 2*c.Rows)}}
	if len(c.Logits) > 0 {
		classes = c.Logits
	}
	for i, l := range classes {
		task := Task{Name: string(rune('a' + i)), Classes: l.Classes}
		for k := range l.Classes {
			task.Labels = append(task.Labels, string(rune('a'+k)))
		}
		d.Tasks, d.Labels = append(d.Tasks, task), append(d.Labels, []int{0, 0, 0})
	}
	n, err := NewNet(d, NetConfig{Hidden: c.Features, Batch: 1})
	ok(t, err)
	for i, l := range classes {
		h := n.head(i)
		clear(h.w.Data)
		copy(h.b, l.Floats()[row*l.Classes:])
	}
	kernel, err := NewKernel("vectors", Block{Hidden: c.Features, Width: 1}, 1)
	ok(t, err)
	ok(t, n.Graft("s", kernel))
	ok(t, n.SetBlend("s", c.Plan.BlendPlan))
	ok(t, n.SetMode("s", ModeBlending))
	ok(t, n.SetAlpha("s", c.Alpha))
	s := n.find("s")
	out := s.shape.over(s.value).out
	clear(out.w.Data)
	for i := range out.b {
		// What a block puts out is what it reads and what it adds.
		out.b[i] = c.Seed[row*c.Features+i]
		if c.Plan.Mode != leyline.BlendResidual {
			out.b[i] -= c.Host[row*c.Features+i]
		}
	}
	return n, s
}

// TestNetBlendsByTheVectors runs the shared vectors through the net, row by row. Its
// rounding differs by that of reading and adding.
func TestNetBlendsByTheVectors(t *testing.T) {
	for _, c := range leylinetest.Blends().Cases {
		t.Run(c.Name, func(t *testing.T) {
			for row := range c.Rows {
				n, s := bench(t, c, row)
				at := row * c.Features
				current := matrix(1, c.Features)
				copy(current.Data, c.Host[at:])
				n.mixIn(s, current, c.Alpha, true)
				if s.failure != leyline.SeedFailureNone {
					t.Fatalf("row %d: %s, %s", row, s.failure, s.why)
				}
				up := make([]float64, c.Features)
				s.mix.SeedGradient(up, c.Upstream[at:at+c.Features])
				for i := range c.Features {
					if got, want := current.Data[i], c.Want.Output[at+i]; !(math.Abs(got-want) <= 1e-11*max(1, math.Abs(want))) {
						t.Errorf("row %d: output %d is %v, want %v", row, i, got, want)
					}
					if got, want := up[i], c.Want.SeedGradient[at+i]; !(math.Abs(got-want) <= 1e-11*max(1, math.Abs(want))) {
						t.Errorf("row %d: gradient %d is %v, want %v", row, i, got, want)
					}
				}
			}
		})
	}
}

// TestPlansThatDoNotFitTheNet are refused, and change nothing.
func TestPlansThatDoNotFitTheNet(t *testing.T) {
	n := garden(t).net
	before := n.Digest()
	for _, c := range leylinetest.Blends().Refused {
		if c.Of != "plan" {
			continue
		}
		r, refused := leyline.AsRefusal(n.SetBlend("a", c.Plan.BlendPlan))
		if !refused || r.Kind.String() != c.Kind || r.Field != c.Field {
			t.Errorf("%s: %v", c.Name, r)
		}
	}
	short := leyline.BlendPlan{Mode: leyline.BlendChannel, TotalSteps: 1, Temperature: 1, Channels: make([]float64, 31), ChannelCount: 31}
	if r, refused := leyline.AsRefusal(n.SetBlend("a", short)); !refused || r.Field != "channels" {
		t.Errorf("31 channels of 32: %v", r)
	}
	if err := n.SetBlend("nobody", newPlan()); !errors.Is(err, ErrUnknownSlot) {
		t.Errorf("an unknown slot: %v", err)
	}
	if n.Digest() != before {
		t.Error("a plan that was refused has changed the net")
	}
}

// TestBlendsAreSaved: every mode, with all of its parameters, and the training goes
// on from there bit for bit.
func TestBlendsAreSaved(t *testing.T) {
	s := blended(t)
	file, err := s.net.Save(9)
	ok(t, err)
	again := newGallery(t)
	ok(t, again.net.Load(file))
	for _, slot := range []string{"a", "b", "c", "d", "e"} {
		if d := cmp.Diff(s.net.find(slot).plan, again.net.find(slot).plan); d != "" {
			t.Errorf("%s: %s", slot, d)
		}
	}
	s.train(t, 31, 35)
	again.train(t, 31, 35)
	if s.net.Digest() != again.net.Digest() {
		t.Error("the net that was loaded trains to another")
	}
}

// TestSavedPlansAreChecked: a file whose plan does not fit is refused.
func TestSavedPlansAreChecked(t *testing.T) {
	n := garden(t).net
	n.find("a").plan.Temperature = -1
	file, err := n.Save(1)
	ok(t, err)
	var bad *ContentError
	if err := newStory(t, 7).net.Load(file); !errors.As(err, &bad) || bad.Name != "seed.0.blend" || !strings.Contains(bad.Reason, "temperature") {
		t.Errorf("loaded with %v", err)
	}
}

// TestStatisticsOfAStep: seeds that blend are measured, others have no figures; what
// is measured is what their plans allow.
func TestStatisticsOfAStep(t *testing.T) {
	n := blended(t).net
	p, err := n.Step(n.data.Train[:32])
	ok(t, err)
	var modes []leyline.BlendMode
	for _, s := range p.Seeds {
		modes = append(modes, s.Blend.Mode)
		if s.Blend.Mode == leyline.BlendUnspecified {
			if s.Blend != (leyline.BlendStats{}) {
				t.Errorf("%s does not blend and has %+v", s.Slot, s.Blend)
			}
			continue
		}
		if r := blend.Check(&n.find(s.Slot).plan, s.Alpha, s.Blend); r != nil {
			t.Errorf("%s: %v", s.Slot, r)
		}
	}
	if d := cmp.Diff([]leyline.BlendMode{leyline.BlendConfidence, 0, leyline.BlendConvex, leyline.BlendChannel, 0}, modes); d != "" {
		t.Error(d)
	}
	if g := p.Seeds[0].Blend; !(g.GateMean > 0 && g.GateMean < 1) || g.Source != leyline.LogitsSeed {
		t.Errorf("the gate is told as %+v", g)
	}
	if p.Seeds[3].Blend.Sparsity != 1.0/6 { // its first channel has no share
		t.Errorf("sparsity is %v", p.Seeds[3].Blend.Sparsity)
	}
}

// TestConfidenceFollowsTheSeedsOwnLogits: the gate is a function of what the heads
// make of the seed's output, row by row, and of nothing else.
func TestConfidenceFollowsTheSeedsOwnLogits(t *testing.T) {
	n := blended(t).net
	batch := n.data.Train[:8]
	_, err := n.Step(batch)
	ok(t, err)
	s := n.find("a")
	for at := range batch {
		least := math.Inf(1)
		for task := range n.data.Tasks {
			u := s.tr.u.Data[at*6 : at*6+6]
			z := slowAffine(n.heads[task].value, 6, n.data.Tasks[task].Classes, slowSum(u, 1, s.tr.y.Data[at*6:at*6+6]))
			slices.Sort(z)
			least = min(least, z[len(z)-1]-z[len(z)-2])
		}
		g := s.plan.Gate
		want := min(max(s.Alpha/(1+math.Exp(-g.K*(least-g.Tau))), g.Lo), g.Hi)
		if got := s.mix.Share(at, 0); math.Abs(got-want) > 1e-12 {
			t.Errorf("row %d: share %v, want %v", at, got, want)
		}
	}
}

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
