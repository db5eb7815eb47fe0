package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/testdata"
)

// ok ends the test at once when err is not nil.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// story drives a net over a stretch of steps in the way the trainer does.
type story struct {
	net       *Net
	batches   *Batches
	weights   []float64
	conflicts int // steps with at least one negative inner product
	pairs     int // negative inner products
	leak      float64
}

func newStory(t testing.TB, seed uint64) *story {
	t.Helper()
	d, err := Penguins()
	ok(t, err)
	n, err := NewNet(d, NetConfig{Seed: seed})
	ok(t, err)
	b, err := NewBatches(d.Train, n.Config().Batch, seed)
	ok(t, err)
	return &story{net: n, batches: b, weights: []float64{1, 1, 1}}
}

// train does the steps from..to, both included.
func (s *story) train(t testing.TB, from, to uint64) {
	t.Helper()
	var gram []float64
	for step := from; step <= to; step++ {
		p, err := s.net.Step(s.batches.Batch(step))
		ok(t, err)
		gram = p.Gram(gram)
		k, negative := len(p.Gradients), 0
		for i := range k {
			for j := range i {
				if gram[i*k+j] < 0 {
					negative++
				}
			}
		}
		s.pairs += negative
		s.conflicts += min(negative, 1)
		s.leak = max(s.leak, p.IsolationLeak)
		ok(t, s.net.Apply(p, s.weights))
	}
}

func (s *story) judge(t testing.TB, overrides ...AlphaOverride) Evaluation {
	t.Helper()
	ev, err := s.net.Evaluate(s.net.Data().HeldOut, overrides...)
	ok(t, err)
	return ev
}

func kernelOf(t testing.TB, blueprint string) []byte {
	t.Helper()
	b, err := testdata.Kernel(blueprint)
	ok(t, err)
	return b
}

// A net learns each task about as well as the task allows, and the tasks' gradients
// are at odds in most steps.
func TestLearnsPenguins(t *testing.T) {
	low := map[string]float64{"species": 0.94, "sex": 0.82, "island": 0.48}
	high := map[string]float64{"species": 1, "sex": 1, "island": 0.85}
	for _, seed := range []uint64{1, 2, 3} {
		const steps = 400
		s := newStory(t, seed)
		s.train(t, 1, steps)
		ev := s.judge(t)
		t.Logf("seed %d: held-out accuracy %.3f, loss %.3f; %.0f%% of steps in conflict, %.0f%% of pairs",
			seed, ev.Accuracy, ev.Losses, 100*float64(s.conflicts)/steps, 100*float64(s.pairs)/(3*steps))
		for i, task := range s.net.Data().Tasks {
			if a := ev.Accuracy[i]; a < low[task.Name] || a > high[task.Name] {
				t.Errorf("seed %d: accuracy of %s is %.3f, not within %.2f and %.2f", seed, task.Name, a, low[task.Name], high[task.Name])
			}
		}
		if s.conflicts*2 < steps {
			t.Errorf("seed %d: only %d of %d steps in conflict", seed, s.conflicts, steps)
		}
	}
}

// A training seed learns, and the host is bit for bit the host it would have been.
func TestTrainingSeedLeavesHostAlone(t *testing.T) {
	alone, hosting := newStory(t, 1), newStory(t, 1)
	ok(t, hosting.net.Graft("s1", kernelOf(t, "residual-mlp-16")))
	before := hosting.net.find("s1").value[0]
	alone.train(t, 1, 100)
	hosting.train(t, 1, 100)
	if hosting.net.find("s1").value[0] == before {
		t.Error("the seed did not learn")
	}
	if diff := cmp.Diff(alone.judge(t), hosting.judge(t)); diff != "" {
		t.Errorf("evaluation with a training seed (-alone +hosting):\n%s", diff)
	}
	ok(t, hosting.net.Remove("s1"))
	if alone.net.Digest() != hosting.net.Digest() {
		t.Error("the host is another one after the seed was removed")
	}
	if hosting.leak != 0 {
		t.Errorf("leak %g, want 0", hosting.leak)
	}
}

// The auxiliary loss falls while the seed trains, and blending it in brings the
// task losses down against alpha 0.
func TestSeedContributes(t *testing.T) {
	s := newStory(t, 1)
	s.train(t, 1, 100)
	ok(t, s.net.Graft("s1", kernelOf(t, "residual-mlp-16")))
	s.train(t, 101, 200)
	ok(t, s.net.SetMode("s1", ModeBlending))
	for i := range uint64(10) {
		ok(t, s.net.SetAlpha("s1", float64(i+1)/10))
		s.train(t, 201+20*i, 220+20*i)
	}
	with, err := s.net.Evaluate(s.net.Data().Train)
	ok(t, err)
	without, err := s.net.Evaluate(s.net.Data().Train, AlphaOverride{"s1", 0})
	ok(t, err)
	t.Logf("training loss with the seed %.4f, without %.4f; held-out with %.3f, without %.3f", with.Losses, without.Losses,
		s.judge(t).Accuracy, s.judge(t, AlphaOverride{"s1", 0}).Accuracy)
	for i, task := range s.net.Data().Tasks {
		if with.Losses[i] >= without.Losses[i] {
			t.Errorf("%s: loss %.4f with the seed, %.4f without", task.Name, with.Losses[i], without.Losses[i])
		}
	}
	if s.leak != 0 {
		t.Errorf("leak %g, want 0", s.leak)
	}
}
