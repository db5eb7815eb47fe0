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

// blended is a gallery whose seeds blend by every mode.
func blended(t *testing.T) *story {
	s := gallery(t)
	ok(t, s.net.SetBlend("a", confident(leyline.LogitsSeed)))
	ok(t, s.net.SetBlend("c", leyline.BlendPlan{Mode: leyline.BlendConvex, TotalSteps: 1, Temperature: 1}))
	ok(t, s.net.SetBlend("d", leyline.BlendPlan{Mode: leyline.BlendChannel, TotalSteps: 1, Temperature: 1, Channels: []float64{0, 0.2, 0.4, 0.6, 0.8, 1}, ChannelCount: 6}))
	return s
}

// confident is a plan of CONFIDENCE.
func confident(source leyline.LogitSource) leyline.BlendPlan {
	p := leyline.BlendPlan{Mode: leyline.BlendConfidence, TotalSteps: 1, Temperature: 1, Source: source, Gate: leyline.ConfidenceGate{K: 4, Tau: 0.2, Lo: 0.05, Hi: 0.6}}
	if source == leyline.LogitsPolicy {
		p.Logits = []float64{1, 0.5}
	}
	return p
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
