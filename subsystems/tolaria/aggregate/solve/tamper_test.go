package solve_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/solve"
)

// Weights that differ from the solution by more than what is promised of it are
// not proven, in whatever direction they differ.
func TestOtherWeightsAreNotProven(t *testing.T) {
	rng := detmath.NewPCG(41, 42)
	for _, m := range methods {
		t.Run(m.String(), func(t *testing.T) {
			for range 200 {
				k := 2 + rng.IntN(5)
				j := make([][]float64, k)
				for i := range j {
					for range k + 3 {
						j[i] = append(j[i], rng.Float64()-0.4)
					}
				}
				g := gram(t, j)
				s, _, err := solve.Weights(m, defaults(), g)
				if err != nil {
					t.Fatal(err)
				}
				tampered := s
				tampered.Weights = slices.Clone(s.Weights)
				// One weight grows and another shrinks, so that a sum stays.
				a, size := rng.IntN(k), 0.0
				b := (a + 1 + rng.IntN(k-1)) % k
				for _, w := range s.Weights {
					size += math.Abs(w)
				}
				tampered.Weights[a] += 1e-4 * size
				tampered.Weights[b] -= 1e-4 * size
				_, err = aggregate.Check(m, defaults(), g, &tampered)
				var bad *aggregate.CertificateError
				if !errors.As(err, &bad) || bad.Method != m {
					t.Fatalf("weights %v of %v were changed to %v: %v", s.Weights, j, tampered.Weights, err)
				}
			}
		})
	}
}

// Every part of a solution is bound to the problem that it is for.
func TestSolutionsOfOtherProblemsAreNotProven(t *testing.T) {
	g := gram(t, base)
	for _, m := range methods {
		good, _, err := solve.Weights(m, defaults(), g)
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(s *leyline.Solution, o *aggregate.Options){
			"none":        func(s *leyline.Solution, _ *aggregate.Options) { *s = leyline.Solution{} },
			"method":      func(s *leyline.Solution, _ *aggregate.Options) { s.Method = leyline.AggregationSum },
			"option":      func(s *leyline.Solution, _ *aggregate.Options) { s.Option += 0.25 },
			"problem":     func(s *leyline.Solution, _ *aggregate.Options) { s.Problem = "no" },
			"few weights": func(s *leyline.Solution, _ *aggregate.Options) { s.Weights = s.Weights[:1] },
			"NaN":         func(s *leyline.Solution, _ *aggregate.Options) { s.Weights = []float64{math.NaN(), 0} },
			"huge":        func(s *leyline.Solution, _ *aggregate.Options) { s.Weights = []float64{1e300, 1e300} },
			"negative":    func(s *leyline.Solution, _ *aggregate.Options) { s.Weights = []float64{-1, 2} },
			"zero":        func(s *leyline.Solution, _ *aggregate.Options) { s.Weights = []float64{0, 0} },
		} {
			s, o := good, defaults()
			change(&s, &o)
			var bad *aggregate.CertificateError
			if _, err := aggregate.Check(m, o, g, &s); !errors.As(err, &bad) || err.Error() == "" {
				t.Errorf("%s, %s: %v", m, name, err)
			}
		}
		// The evidence is looked at, number by number, where there is any.
		for at := range good.Evidence {
			s := good
			s.Evidence = slices.Clone(good.Evidence)
			s.Evidence[at] += 0.01
			if _, err := aggregate.Check(m, defaults(), g, &s); err == nil {
				t.Errorf("%s: changed number %d of the evidence is proof", m, at)
			}
			s.Evidence = good.Evidence[:at]
			if _, err := aggregate.Check(m, defaults(), g, &s); err == nil {
				t.Errorf("%s: %d numbers of evidence are proof", m, at)
			}
		}
	}
}

// Each of the conditions of a projection is demanded by itself: that no gradient is
// opposed, and that nothing is added which is not needed for that.
func TestEachConditionOfAProjectionIsDemanded(t *testing.T) {
	g := gram(t, base)
	for _, m := range []leyline.Aggregation{leyline.AggregationDualProj, leyline.AggregationUPGrad} {
		good, _, err := solve.Weights(m, defaults(), g)
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(v float64, u float64) float64{
			"not projected": func(_, u float64) float64 { return u },
			"too far":       func(v, _ float64) float64 { return 2 * v },
			"below":         func(v, u float64) float64 { return v - u },
		} {
			s := good
			s.Weights, s.Evidence = slices.Clone(good.Weights), slices.Clone(good.Evidence)
			for at := range s.Evidence { // of upgrad: row i is the projection of gradient i
				u := 0.0
				if at%3 == 0 {
					u = 0.5
				}
				s.Evidence[at] = change(s.Evidence[at], u)
			}
			if m == leyline.AggregationUPGrad {
				s.Weights = aggregate.AddRows(s.Evidence, 2)
			} else {
				for i := range s.Weights {
					s.Weights[i] = change(s.Weights[i], 0.5)
				}
			}
			var bad *aggregate.CertificateError
			if _, err := aggregate.Check(m, defaults(), g, &s); !errors.As(err, &bad) || bad.Reason != "" {
				t.Errorf("%s, %s: %v", m, name, err)
			}
		}
	}
}

// An update of CAGrad beyond its radius, or short of it, is not proven even where
// the worst task would like it.
func TestCAGradKeepsItsRadius(t *testing.T) {
	o := defaults()
	o.C = 0.4
	g := gram(t, base)
	good, _, err := solve.Weights(leyline.AggregationCAGrad, o, g)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []float64{0.5, 0.999, 1.001, 1.5} {
		s := good
		s.Weights = slices.Clone(good.Weights)
		for i := range s.Weights {
			s.Weights[i] = 0.5 + f*(s.Weights[i]-0.5)
		}
		if _, err := aggregate.Check(leyline.AggregationCAGrad, o, g, &s); err == nil {
			t.Errorf("%v of the radius is proven", f)
		}
	}
}

// A short gradient is no dependent one, although the Gram matrix alone cannot tell.
func TestShortGradientIsNotPassedOffAsDependent(t *testing.T) {
	g := aggregate.Gram{K: 2, V: []float64{1, 0, 0, 0x1p-46}}
	evidence := []float64{aggregate.EvidenceGram, 0x1p-46, 1, 0, 1, 1, 0}
	w, sum := aggregate.Spectrum{Values: evidence[1:3], Vectors: evidence[3:]}.Equalised(aggregate.Lengths(g), false)
	for i := range w {
		w[i] /= sum
	}
	s := leyline.Solution{Method: leyline.AggregationIMTLG, Weights: w, Evidence: evidence}
	if _, err := aggregate.Check(leyline.AggregationIMTLG, defaults(), g, &s); err == nil {
		t.Errorf("weights %v are proven", w)
	}
	good, _, err := solve.Weights(leyline.AggregationIMTLG, defaults(), g)
	if err != nil || !relative(good.Weights, []float64{1 / (1 + 0x1p23), 0x1p23 / (1 + 0x1p23)}, 1e-9) {
		t.Errorf("weights %v (%v)", good.Weights, err)
	}
}

// Where zero is in the hull, cagrad's proof needs the zero.
func TestCAGradWithinReachOfNothing(t *testing.T) {
	o := defaults()
	o.C = 2
	g := gram(t, [][]float64{{1, 0.5}, {-1, 0.5}, {0, -2}})
	s, _, err := solve.Weights(leyline.AggregationCAGrad, o, g)
	if err != nil || len(s.Evidence) != 3 {
		t.Fatalf("%+v (%v)", s, err)
	}
	without := s
	without.Evidence = nil
	if _, err := aggregate.Check(leyline.AggregationCAGrad, o, g, &without); err == nil {
		t.Error("proven without the zero")
	}
	wrong := s
	wrong.Evidence = []float64{1, 0, 0}
	if _, err := aggregate.Check(leyline.AggregationCAGrad, o, g, &wrong); err == nil {
		t.Error("proven with a point that is not zero")
	}
}

// A full-rank decomposition cannot be passed off as one of dependent gradients,
// nor the other way round.
func TestIMTLGChoiceOfMatrixIsProven(t *testing.T) {
	for _, j := range [][][]float64{base, {{1, 0}, {2, 0}}} {
		g := gram(t, j)
		s, _, err := solve.Weights(leyline.AggregationIMTLG, defaults(), g)
		if err != nil {
			t.Fatal(err)
		}
		s.Evidence = slices.Clone(s.Evidence)
		s.Evidence[0] = 1 - s.Evidence[0]
		if _, err := aggregate.Check(leyline.AggregationIMTLG, defaults(), g, &s); err == nil {
			t.Errorf("%v: proven with the wrong matrix", j)
		}
	}
}

// Step tells a step from one that needs no solution, and For keeps one that fits.
func TestStep(t *testing.T) {
	c := leyline.DefaultConfig()
	x := leyline.StepObserved{Losses: []float64{1, 1}, Gram: []float64{18, -22, -22, 38}}
	if s := solve.Step(&c.Tolaria, &x); s.Method != leyline.AggregationUnspecified || !solve.Fits(&c.Tolaria, &x) {
		t.Errorf("pcgrad was solved: %+v", s)
	}
	c.Tolaria.Aggregation = leyline.AggregationMGDA
	if solve.Fits(&c.Tolaria, &x) {
		t.Error("no solution fits mgda")
	}
	x.Solution = solve.For(&c.Tolaria, &x)
	if !solve.Fits(&c.Tolaria, &x) || !near(x.Solution.Weights, []float64{0.6, 0.4}, 1e-15) {
		t.Errorf("solution %+v", x.Solution)
	}
	x.Solution.Iterations = 99
	if s := solve.For(&c.Tolaria, &x); s.Iterations != 99 {
		t.Error("a solution that fits was replaced")
	}
	c.Tolaria.Aggregation = leyline.AggregationNashMTL
	x.Gram = []float64{1, -1, -1, 1}
	if x.Solution = solve.For(&c.Tolaria, &x); x.Solution.Problem == "" || !solve.Fits(&c.Tolaria, &x) {
		t.Errorf("opposed gradients: %+v", x.Solution)
	}
	x.Gram = []float64{math.NaN(), 0, 0, 1}
	if s := solve.Step(&c.Tolaria, &x); s.Method != leyline.AggregationUnspecified {
		t.Errorf("NaN was solved: %+v", s)
	}
	x.Solution = leyline.Solution{}
	if !solve.Fits(&c.Tolaria, &x) {
		t.Error("a training fault needs no solution")
	}
}

func BenchmarkWeights(b *testing.B) {
	rng := detmath.NewPCG(51, 52)
	for _, k := range []int{2, 4, 8, 16, 64} {
		j := make([][]float64, k)
		for i := range j {
			for range 2 * k {
				j[i] = append(j[i], rng.Float64()-0.4)
			}
		}
		g := gram(b, j)
		for _, m := range methods {
			b.Run(fmt.Sprintf("method=%s/k=%d", m, k), func(b *testing.B) {
				for b.Loop() {
					if _, _, err := solve.Weights(m, defaults(), g); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkCheck is what the decider pays for a step of a solved method.
func BenchmarkCheck(b *testing.B) {
	rng := detmath.NewPCG(61, 62)
	for _, k := range []int{4, 8, 64} {
		j := make([][]float64, k)
		for i := range j {
			for range 2 * k {
				j[i] = append(j[i], rng.Float64()-0.4)
			}
		}
		g := gram(b, j)
		for _, m := range methods {
			s, _, err := solve.Weights(m, defaults(), g)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("method=%s/k=%d", m, k), func(b *testing.B) {
				for b.Loop() {
					if _, err := aggregate.Check(m, defaults(), g, &s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
