package workload

import "testing"

// BenchmarkStep is one batch of 32 forward, backward, Gram and update.
func BenchmarkStep(b *testing.B) {
	b.Run("seed=none", func(b *testing.B) { benchmarkStep(b, newStory(b, 1)) })
	for _, mode := range []Mode{ModeTraining, ModeBlending} {
		b.Run("seed="+mode.String(), func(b *testing.B) {
			s := newStory(b, 1)
			ok(b, s.net.Graft("s1", kernelOf(b, "residual-mlp-16")))
			ok(b, s.net.SetMode("s1", mode))
			ok(b, s.net.SetAlpha("s1", 0.5))
			benchmarkStep(b, s)
		})
	}
}

func benchmarkStep(b *testing.B, s *story) {
	rows, gram := s.batches.Batch(1), []float64(nil)
	b.ReportAllocs()
	for b.Loop() {
		p, err := s.net.Step(rows)
		ok(b, err)
		gram = p.Gram(gram)
		ok(b, s.net.Apply(p, s.weights))
	}
}

func BenchmarkSave(b *testing.B) {
	s := newStory(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.net.Save(1); err != nil {
			b.Fatal(err)
		}
	}
}
