package workload

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// exactCosine is the cosine over all elements.
func exactCosine(a, b []float64) float64 {
	return floats.Dot(a, b) / math.Sqrt(floats.Dot(a, a)*floats.Dot(b, b))
}

// TestSampledCosine compares the estimate with the exact cosine of the gradients of a
// real net: the host's at the graft, and the one that the seed would send back, both
// summed over tasks by the test itself.
func TestSampledCosine(t *testing.T) {
	data, err := Penguins()
	ok(t, err)
	n, err := NewNet(data, NetConfig{Seed: 7, Hidden: 128, Batch: 64}) // eight times as many elements as samples
	ok(t, err)
	batches, err := NewBatches(data.Train, 64, 7)
	ok(t, err)
	s := &story{net: n, batches: batches, weights: []float64{1, 1, 1}}
	s.train(t, 1, 30)
	plant(t, s, func(i int) Block { return Block{Hidden: 128, Width: 3 + i} })
	d := n.find("d")
	errs, sum := 0.0, 0.0
	const passes = 60
	for step := range uint64(passes) {
		batch := s.batches.Batch(40 + step)
		host, back := make([]float64, len(batch)*n.cfg.Hidden), make([]float64, len(batch)*n.cfg.Hidden)
		n.forward(batch)
		n.teach(batch, nil)
		n.sample.draw(n.cfg.Seed, batch, len(host))
		n.startBackward()
		for task := range n.data.Tasks {
			n.backwardTask(task, len(batch))
			floats.Add(host, n.dHead.Data[:len(host)])
			floats.Add(back, d.du.Data[:len(back)])
		}
		n.measure(batch)
		got, want := n.pass.Seeds[3], exactCosine(host, back)
		if got.Slot != "d" || got.CosineSamples != cosineSamples {
			t.Fatalf("%s was measured by %d samples", got.Slot, got.CosineSamples)
		}
		if e := math.Abs(got.Cosine - want); e > 0.2 {
			t.Errorf("step %d: estimated %v, exact %v", step, got.Cosine, want)
		}
		errs += math.Abs(got.Cosine - want)
		sum += got.Cosine - want
	}
	t.Logf("over %d passes the mean error is %.4f, the mean deviation %+.4f", passes, errs/passes, sum/passes)
	if errs/passes > 0.06 || math.Abs(sum/passes) > 0.02 {
		t.Errorf("the mean error is %v, the mean deviation %v", errs/passes, sum/passes)
	}
}

// TestSampleIsFixed: what is kept of a layer does not grow with it, the same batch is
// sampled the same, and a small layer is taken whole.
func TestSampleIsFixed(t *testing.T) {
	s := newSampler()
	s.draw(7, []int{3, 1, 2}, 1<<30)
	first := slices.Clone(s.at)
	if len(first) != cosineSamples || s.samples() != cosineSamples {
		t.Errorf("%d positions, %d samples", len(first), s.samples())
	}
	draw := func(seed uint64, batch []int) []int {
		s.draw(seed, batch, 1<<30)
		return s.at
	}
	if !slices.Equal(first, draw(7, []int{3, 1, 2})) {
		t.Error("the same batch is sampled elsewhere the second time")
	}
	if slices.Equal(first, draw(8, []int{3, 1, 2})) || slices.Equal(first, draw(7, []int{1, 3, 2})) {
		t.Error("another seed, or another batch, is sampled at the same places")
	}
	s.draw(7, []int{1}, cosineSamples)
	if s.samples() != 0 || len(s.at) != cosineSamples || s.at[9] != 9 {
		t.Errorf("a layer of %d elements is sampled by %d", cosineSamples, s.samples())
	}
	n := testing.AllocsPerRun(10, func() { s.draw(7, []int{3, 1, 2}, 1<<30) })
	if n != 0 || cap(s.at) != cosineSamples {
		t.Errorf("%v allocations, room for %d", n, cap(s.at))
	}
}

func TestCosineOfNothing(t *testing.T) {
	s := newSampler()
	s.draw(1, []int{1}, 3)
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3}, []float64{2, 4, 6}, 1}, {[]float64{1, 0, 0}, []float64{-5, 0, 0}, -1},
		{[]float64{0, 0, 0}, []float64{1, 2, 3}, 0}, {[]float64{1, 0, 0}, []float64{0, 1, 0}, 0},
	} {
		if got := s.cosine(c.a, c.b); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("cosine of %v and %v is %v", c.a, c.b, got)
		}
	}
}
