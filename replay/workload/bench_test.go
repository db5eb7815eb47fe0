package workload

import (
	"fmt"
	"testing"
)

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

// BenchmarkStepMultiMNIST is one batch of 64 on two hidden layers of 128, with a
// blending seed or none.
func BenchmarkStepMultiMNIST(b *testing.B) {
	d, err := MultiMNIST()
	ok(b, err)
	for _, shape := range []Block{{}, {Hidden: 128, Width: 2}, {Hidden: 128, Width: 2, Channels: 3, Side: multiSide}} {
		b.Run(fmt.Sprintf("width=%d/channels=%d", shape.Width, shape.Channels), func(b *testing.B) {
			n, err := NewNet(d, NetConfig{Hidden: 128, Batch: 64, Seed: 1})
			ok(b, err)
			if shape.Width > 0 {
				kernel, err := NewKernel("bench", shape, 1)
				ok(b, err)
				ok(b, n.Graft("s1", kernel))
				ok(b, n.SetMode("s1", ModeBlending))
				ok(b, n.SetAlpha("s1", 1))
			}
			batches, err := NewBatches(d.Train, 64, 1)
			ok(b, err)
			benchmarkStep(b, &story{net: n, batches: batches, weights: []float64{1, 1}})
		})
	}
}

// BenchmarkEvaluateMultiMNIST judges the 4,000 held-out rows.
func BenchmarkEvaluateMultiMNIST(b *testing.B) {
	d, err := MultiMNIST()
	ok(b, err)
	n, err := NewNet(d, NetConfig{Hidden: 128, Batch: 64, Seed: 1})
	ok(b, err)
	for b.Loop() {
		if _, err := n.Evaluate(d.HeldOut); err != nil {
			b.Fatal(err)
		}
	}
}
