package aggregate

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/google/go-cmp/cmp"
)

func TestGramRefusals(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name string
		g    Gram
		want *GramError
	}{
		{"no tasks", Gram{}, &GramError{ReasonTasks, -1, -1, 0}},
		{"too many tasks", Gram{K: 65, V: make([]float64, 65*65)}, &GramError{ReasonTasks, -1, -1, 65}},
		{"short", Gram{2, []float64{1, 0, 0}}, &GramError{ReasonShape, -1, -1, 3}},
		{"NaN", Gram{2, []float64{1, 0, nan, 1}}, &GramError{ReasonNonFinite, 1, 0, nan}},
		{"Inf", Gram{2, []float64{1, 0, 0, inf}}, &GramError{ReasonNonFinite, 1, 1, inf}},
		{"negative diagonal", Gram{2, []float64{1, 0, 0, -1}}, &GramError{ReasonNegative, 1, 1, -1}},
		{"asymmetric", Gram{2, []float64{1, 0.5, 0.25, 1}}, &GramError{ReasonAsymmetric, 0, 1, 0.5}},
		{"Cauchy-Schwarz", Gram{2, []float64{1, 2.1, 2.1, 4}}, &GramError{ReasonCauchy, 0, 1, 2.1}},
		{"just beyond tolerance", Gram{2, []float64{1, -1.0000011, -1.0000011, 1}}, &GramError{ReasonCauchy, 0, 1, -1.0000011}},
		{"zero row with a product", Gram{2, []float64{0, 0.1, 0.1, 1}}, &GramError{ReasonCauchy, 0, 1, 0.1}},
		{"within tolerance", Gram{2, []float64{1, 1.0000009, 1.0000009, 1}}, nil},
		{"signed zeros", Gram{2, []float64{1, 0, math.Copysign(0, -1), 1}}, nil},
		{"huge", Gram{2, []float64{1e308, -1e308, -1e308, 1e308}}, nil},
		{"all zero", Gram{K: 64, V: make([]float64, 64*64)}, nil},
	} {
		var got *GramError
		if err := c.g.Validate(); err != nil && !errors.As(err, &got) {
			t.Errorf("%s: %T is not a *GramError", c.name, err)
		}
		same := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
		if d := cmp.Diff(c.want, got, same); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if _, err := PCGrad(nil, c.g, nil, false); c.want != nil && !errors.As(err, &got) {
			t.Errorf("%s: PCGrad says %v", c.name, err)
		}
	}
}

func TestOrderRefusals(t *testing.T) {
	g, _ := FromVectors([][]float64{{1}, {2}, {3}})
	for name, orders := range map[string][][]int{
		"gradient orders missing": {{1, 2}, {0, 2}},
		"too short":               {{1}, {0, 2}, {0, 1}},
		"too long":                {{1, 2}, {0, 2, 0}, {0, 1}},
		"twice":                   {{1, 1}, {0, 2}, {0, 1}},
		"itself":                  {{1, 2}, {0, 1}, {0, 1}},
		"outside":                 {{1, 2}, {0, 3}, {0, 1}},
		"negative":                {{1, 2}, {0, -1}, {0, 1}},
	} {
		w, err := PCGrad(nil, g, orders, false)
		if e := (*OrderError)(nil); !errors.As(err, &e) || w != nil {
			t.Errorf("%s: weights %v, error %v", name, w, err)
		}
	}
}

func TestVectorRefusals(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		name  string
		grads [][]float64
		want  VectorError
	}{
		{"none", nil, VectorError{Reason: ReasonNone, Index: -1, Element: -1}},
		{"empty", [][]float64{{}, {}}, VectorError{Reason: ReasonEmpty, Element: -1}},
		{"too many", make([][]float64, 65), VectorError{Reason: ReasonTooMany, Index: -1, Element: -1, Got: 65, Want: 64}},
		{"first that differs", [][]float64{{1, 2}, {3, 4}, {5}, {6, 7, 8}}, VectorError{Reason: ReasonLength, Index: 2, Element: -1, Got: 1, Want: 2}},
		{"infinite", [][]float64{{1, 2}, {3, -inf}}, VectorError{Reason: ReasonElement, Index: 1, Element: 1, Value: -inf}},
		{"overflow", [][]float64{{1}, {1e200}}, VectorError{Reason: ReasonInnerOver, Index: 1, Element: 1, Value: inf}},
	} {
		_, err := FromVectors(c.grads)
		var got *VectorError
		if !errors.As(err, &got) {
			t.Errorf("%s: error %v", c.name, err)
		} else if d := cmp.Diff(c.want, *got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if err.Error() == "" {
			t.Errorf("%s: empty text", c.name)
		}
	}
}

func TestCombineRefusals(t *testing.T) {
	grads := [][]float64{{1, 2}, {3, 4}}
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		dst, w []float64
		grads  [][]float64
		want   VectorError
	}{
		"weights missing": {make([]float64, 2), []float64{1}, grads, VectorError{Reason: ReasonWeights, Index: -1, Element: -1, Got: 1, Want: 2}},
		"weight infinite": {make([]float64, 2), []float64{1, inf}, grads, VectorError{Reason: ReasonWeight, Index: 1, Element: -1, Value: inf}},
		"result too long": {make([]float64, 3), []float64{1, 1}, grads, VectorError{Reason: ReasonResult, Index: -1, Element: -1, Got: 3, Want: 2}},
		"overflow":        {make([]float64, 1), []float64{2}, [][]float64{{1e308}}, VectorError{Reason: ReasonOverflow, Index: -1, Element: 0, Value: inf}},
		"no gradients":    {nil, nil, nil, VectorError{Reason: ReasonNone, Index: -1, Element: -1}},
	} {
		var got *VectorError
		if err := CombineVectors(c.dst, c.w, c.grads); !errors.As(err, &got) {
			t.Errorf("%s: error %v", name, err)
		} else if d := cmp.Diff(c.want, *got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// Both gradients 1.75 everywhere with weights 1/4 and 3/4; the result may be
// written over an operand.
func TestCombineInPlace(t *testing.T) {
	grads := [][]float64{{1, 1, 1}, {2, 2, 2}}
	if err := CombineVectors(grads[0], []float64{0.25, 0.75}, grads); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{1.75, 1.75, 1.75}, grads[0]); d != "" {
		t.Error(d)
	}
}

func TestMemoryOfDestinationIsUsed(t *testing.T) {
	buffer := make([]float64, 8)
	g, _ := FromVectors([][]float64{{1, 0}, {-1, 1}})
	w, err := PCGrad(buffer, g, ascending(2), false)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]float64{"PCGrad": w, "SumWeights": SumWeights(buffer, 3), "MeanWeights": MeanWeights(buffer, 4)} {
		if &got[0] != &buffer[0] {
			t.Errorf("%s allocated", name)
		}
	}
	// A dirty buffer must not leak into the result.
	for i := range buffer {
		buffer[i] = 1e9
	}
	clean, _ := PCGrad(nil, g, ascending(2), false)
	dirty, _ := PCGrad(buffer, g, ascending(2), false)
	if d := cmp.Diff(clean, dirty); d != "" {
		t.Errorf("a used buffer changes the result:\n%s", d)
	}
}

func TestOrdersAreSeeded(t *testing.T) {
	a, b := Orders(6, detmath.NewPCG(1, 2)), Orders(6, detmath.NewPCG(1, 2))
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("one seed, two orders:\n%s", d)
	}
	for k := range 7 {
		if err := checkOrders(k, Orders(k, detmath.NewPCG(3, uint64(k)))); err != nil {
			t.Errorf("k = %d: %v", k, err)
		}
	}
}

// All eight combinations of three tasks' orders are equally likely: orders are
// unbiased and drawn afresh for every task.
func TestOrdersAreFreshAndUnbiased(t *testing.T) {
	rng, counts := detmath.NewPCG(3, 4), map[[3]int]int{}
	for range 8000 {
		o := Orders(3, rng)
		counts[[3]int{o[0][0], o[1][0], o[2][0]}]++
	}
	for first, n := range counts {
		if n < 880 || n > 1120 {
			t.Errorf("tasks visit %v first %d times of 8000, want about 1000", first, n)
		}
	}
	if len(counts) != 8 {
		t.Errorf("%d combinations of orders, want 8", len(counts))
	}
}

// randomGradients returns k gradients of 128 elements, in [-0.5, 0.5).
func randomGradients(k int, rng *detmath.PCG) [][]float64 {
	grads := make([][]float64, k)
	for i := range grads {
		for range 128 {
			grads[i] = append(grads[i], rng.Float64()-0.5)
		}
	}
	return grads
}

// BenchmarkGramPath is what the decider pays for the weights of a step: orders are
// drawn and the matrix is validated as there.
func BenchmarkGramPath(b *testing.B) {
	for _, k := range []int{2, 4, 8, 16, 64} {
		rng := detmath.NewPCG(1, uint64(k))
		g, err := FromVectors(randomGradients(k, rng))
		if err != nil {
			b.Fatal(err)
		}
		dst, ones := make([]float64, k), SumWeights(nil, k)
		for name, weights := range map[string]func() error{
			"mean":     func() error { MeanWeights(dst, k); return g.Validate() },
			"weighted": func() error { _, err := Normalised(dst, ones); return err },
			"pcgrad":   func() error { _, err := PCGrad(dst, g, Orders(k, rng), false); return err },
			"gradvac":  func() error { _, _, err := GradVac(dst, nil, g, Orders(k, rng), 0.5); return err },
		} {
			b.Run(fmt.Sprintf("method=%s/k=%d", name, k), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := weights(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
