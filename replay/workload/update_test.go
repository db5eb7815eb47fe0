package workload

import (
	"math"
	"slices"
	"testing"
)

// An update is gradient descent with momentum: shared parameters follow the
// weighted sum, heads their own gradient, a training seed its auxiliary one,
// frozen and idle seeds nothing.
func TestApply(t *testing.T) {
	s := garden(t)
	n := s.net
	for _, weights := range [][]float64{{0.5, 2, -1}, {0, 0, 3}} { // the second step meets velocities of the first
		p, err := n.Step(s.batches.Batch(31))
		ok(t, err)
		shared := make([]float64, n.SharedSize())
		for i := range shared {
			for task, w := range weights {
				shared[i] += w * p.Gradients[task][i]
			}
		}
		a, b, c, e := n.find("a"), n.find("b"), n.find("c"), n.find("e")
		checks := []func(){
			descended(t, "trunk", n.trunk.params, shared[:n.trunk.size()]),
			descended(t, "head", n.heads[1], n.headGrad[1]),
			descended(t, "blending", a.params, shared[a.offset:a.offset+a.size()]),
			descended(t, "training", b.params, b.aux),
			unchanged(t, "frozen", c.params),
			unchanged(t, "idle", e.params),
		}
		ok(t, n.Apply(p, weights))
		for _, check := range checks {
			check()
		}
	}
	n.ResetOptimizer()
	for _, p := range []params{n.trunk.params, n.heads[2], n.find("d").params} {
		if slices.ContainsFunc(p.velocity, func(v float64) bool { return v != 0 }) {
			t.Error("a velocity is left after ResetOptimizer")
		}
	}
}

// descended returns a check, for after the update, that p has followed grad at
// rate 0.05 with momentum 0.9.
func descended(t *testing.T, what string, p params, grad []float64) func() {
	value, velocity := slices.Clone(p.value), slices.Clone(p.velocity)
	return func() {
		t.Helper()
		for i, g := range grad {
			v := 0.9*velocity[i] + g
			if math.Abs(p.velocity[i]-v) > 1e-12 || math.Abs(p.value[i]-(value[i]-0.05*v)) > 1e-12 {
				t.Fatalf("%s: element %d is %g with velocity %g, want %g with %g", what, i, p.value[i], p.velocity[i], value[i]-0.05*v, v)
			}
		}
	}
}

func unchanged(t *testing.T, what string, p params) func() {
	value := slices.Clone(p.value)
	return func() {
		t.Helper()
		if !slices.Equal(value, p.value) {
			t.Errorf("%s: the seed has learned", what)
		}
	}
}

// Ties and NaN are never correct; large logits do not overflow.
func TestCrossEntropy(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		logits  []float64
		loss    float64
		correct int
	}{
		{[]float64{2, 0, 0}, math.Log(1 + 2*math.Exp(-2)), 1},
		{[]float64{1, 1, 0}, math.Log(2 + math.Exp(-1)), 0},
		{[]float64{0, 1, 0}, math.Log(2 + math.E), 0},
		{[]float64{1000, -1000, 0}, 0, 1},
		{[]float64{-1000, 1000, 0}, 2000, 0},
		{[]float64{1, nan, 0}, nan, 0},
		{[]float64{nan, 0, 0}, nan, 0},
	} {
		z := matrix(1, 3)
		copy(z.Data, tt.logits)
		loss, correct := crossEntropy(z, []int{0}, 1)
		if math.Abs(loss-tt.loss) > 1e-12 || math.IsNaN(loss) != math.IsNaN(tt.loss) || correct != tt.correct {
			t.Errorf("logits %v: loss %g, %d correct, want %g and %d", tt.logits, loss, correct, tt.loss, tt.correct)
		}
		if sum := z.Data[0] + z.Data[1] + z.Data[2]; !math.IsNaN(tt.loss) && math.Abs(sum) > 1e-12 {
			t.Errorf("logits %v: the gradient sums to %g, want 0", tt.logits, sum)
		}
	}
}

// A configuration out of range is refused; a zero takes its default.
func TestNetConfig(t *testing.T) {
	d, err := Penguins()
	ok(t, err)
	for _, cfg := range []NetConfig{{Hidden: 257}, {Hidden: -1}, {Batch: 257}, {LearningRate: math.Inf(1)}, {LearningRate: -1}, {Momentum: 1}, {Momentum: math.NaN()}} {
		if _, err := NewNet(d, cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
	if got, want := newStory(t, 4).net.Config(), (NetConfig{32, 32, 4, 0.05, 0.9}); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	damaged := *d
	damaged.Labels = [][]int{d.Labels[0], d.Labels[1], slices.Repeat([]int{3}, 333)}
	for _, bad := range []*Data{nil, {}, &damaged} {
		if _, err := NewNet(bad, NetConfig{}); err == nil {
			t.Error("damaged data were accepted")
		}
	}
}
