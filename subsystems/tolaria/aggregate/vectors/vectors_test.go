package vectors_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/vectors"
)

// exact is the inner product without rounding, but for the last one.
func exact[T vectors.Float](a, b []T) float64 {
	sum := new(big.Float).SetPrec(2200)
	for i := range a {
		x, y := new(big.Float).SetFloat64(float64(a[i])), new(big.Float).SetFloat64(float64(b[i]))
		sum.Add(sum, new(big.Float).SetPrec(120).Mul(x, y))
	}
	v, _ := sum.Float64()
	return v
}

// drawn is a set of gradients of one type, with lengths around the block size.
func drawn[T vectors.Float](t *rapid.T) [][]T {
	k := rapid.IntRange(1, 9).Draw(t, "k")
	n := rapid.SampledFrom([]int{1, 2, 7, 511, 512, 513, 1024, 1500}).Draw(t, "n")
	rng := detmath.NewPCG(9, rapid.Uint64().Draw(t, "seed"))
	grads := make([][]T, k)
	for i := range grads {
		grads[i] = make([]T, n)
		scale := math.Pow(10, float64(rng.IntN(13)-6))
		for c := range grads[i] {
			grads[i][c] = T(scale * (rng.Float64() - 0.5))
		}
	}
	return grads
}

func checkGram[T vectors.Float](t *rapid.T) {
	grads := drawn[T](t)
	g, err := vectors.Gram(grads)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	l := aggregate.Lengths(g)
	for i, a := range grads {
		for j, b := range grads {
			if want := exact(a, b); math.Abs(g.At(i, j)-want) > 1e-13*l[i]*l[j] {
				t.Fatalf("<%d, %d> is %v, want %v", i, j, g.At(i, j), want)
			}
		}
	}
}

// Inner products of both types are those of exact arithmetic to 1e-13 of the
// lengths: nothing is added up in float32.
func TestGramIsExactToTheLastDigits(t *testing.T) {
	t.Run("float64", func(t *testing.T) { rapid.Check(t, checkGram[float64]) })
	t.Run("float32", func(t *testing.T) { rapid.Check(t, checkGram[float32]) })
}

func checkPaths[T vectors.Float](t *rapid.T) {
	grads := drawn[T](t)
	wide := make([][]float64, len(grads))
	size := 0.0
	for i, g := range grads {
		for _, v := range g {
			wide[i] = append(wide[i], float64(v))
			size = max(size, math.Abs(float64(v)))
		}
	}
	g, err := vectors.Gram(grads)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := aggregate.FromVectors(wide)
	if err != nil {
		t.Fatal(err)
	}
	orders := aggregate.Orders(len(grads), detmath.NewPCG(1, rapid.Uint64().Draw(t, "orders")))
	w, err := aggregate.PCGrad(nil, slow, orders, true)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, len(wide[0]))
	if err := aggregate.CombineVectors(want, w, wide); err != nil {
		t.Fatal(err)
	}
	if w, err = aggregate.PCGrad(nil, g, orders, true); err != nil {
		t.Fatal(err)
	}
	got := make([]T, len(want))
	if err := vectors.Combine(got, w, grads); err != nil {
		t.Fatal(err)
	}
	scale := 0.0
	for i := range w {
		scale += math.Abs(w[i]) * size
	}
	for c := range want {
		if math.Abs(float64(got[c])-want[c]) > 1e-9*scale+math.Abs(want[c])*ulp[T]() {
			t.Fatalf("element %d is %v, want %v", c, got[c], want[c])
		}
	}
}

func ulp[T vectors.Float]() float64 {
	if _, is32 := any(T(0)).(float32); is32 {
		return 0x1p-24
	}
	return 0x1p-53
}

// The fast path, and the twin that adds from the first element to the last, are
// one method.
func TestFastPathAgreesWithItsTwin(t *testing.T) {
	t.Run("float64", func(t *testing.T) { rapid.Check(t, checkPaths[float64]) })
	t.Run("float32", func(t *testing.T) { rapid.Check(t, checkPaths[float32]) })
}

// A float32 sum would stop at 2^24; and a result is rounded once, not per term.
func TestFloat32IsAddedInFloat64(t *testing.T) {
	n := 1<<24 + 1000
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	g, err := vectors.Gram([][]float32{ones})
	if err != nil || g.V[0] != float64(n) {
		t.Errorf("square of %d ones is %v (%v)", n, g.V, err)
	}
	dst := make([]float32, 1)
	err = vectors.Combine(dst, []float64{1, 1, -1}, [][]float32{{1}, {0x1p-30}, {1}})
	if err != nil || dst[0] != 0x1p-30 {
		t.Errorf("1 + 2^-30 - 1 is %v (%v)", dst[0], err)
	}
}

func TestCombineMayWriteOverAGradient(t *testing.T) {
	grads := [][]float64{{1, 1, 1}, {2, 2, 2}}
	if err := vectors.Combine(grads[0], []float64{0.25, 0.75}, grads); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{1.75, 1.75, 1.75}, grads[0]); d != "" {
		t.Error(d)
	}
}

func TestRefusals(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	long := make([]float64, 1300)
	long[1200] = nan
	for name, c := range map[string]struct {
		dst, w []float64
		grads  [][]float64
		want   aggregate.VectorError
	}{
		"none":        {nil, nil, nil, aggregate.VectorError{Reason: aggregate.ReasonNone, Index: -1, Element: -1}},
		"too many":    {nil, nil, make([][]float64, 65), aggregate.VectorError{Reason: aggregate.ReasonTooMany, Index: -1, Element: -1, Got: 65, Want: 64}},
		"empty":       {nil, nil, [][]float64{{}}, aggregate.VectorError{Reason: aggregate.ReasonEmpty, Element: -1}},
		"length":      {nil, nil, [][]float64{{1}, {1, 2}}, aggregate.VectorError{Reason: aggregate.ReasonLength, Index: 1, Element: -1, Got: 2, Want: 1}},
		"not finite":  {nil, []float64{1, 1}, [][]float64{{1}, {inf}}, aggregate.VectorError{Reason: aggregate.ReasonElement, Index: 1, Value: inf}},
		"deep inside": {make([]float64, 1300), []float64{1}, [][]float64{long}, aggregate.VectorError{Reason: aggregate.ReasonElement, Element: 1200, Value: nan}},
		"weights":     {make([]float64, 1), []float64{1}, [][]float64{{1}, {1}}, aggregate.VectorError{Reason: aggregate.ReasonWeights, Index: -1, Element: -1, Got: 1, Want: 2}},
		"weight":      {make([]float64, 1), []float64{inf}, [][]float64{{1}}, aggregate.VectorError{Reason: aggregate.ReasonWeight, Element: -1, Value: inf}},
		"result":      {make([]float64, 2), []float64{1}, [][]float64{{1}}, aggregate.VectorError{Reason: aggregate.ReasonResult, Index: -1, Element: -1, Got: 2, Want: 1}},
		"overflow":    {make([]float64, 1), []float64{2}, [][]float64{{1e308}}, aggregate.VectorError{Reason: aggregate.ReasonOverflow, Index: -1, Value: inf}},
	} {
		if c.dst == nil && len(c.grads) > 0 {
			c.dst = make([]float64, len(c.grads[0]))
		}
		same := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
		var got *aggregate.VectorError
		if err := vectors.Combine(c.dst, c.w, c.grads); !errors.As(err, &got) {
			t.Errorf("%s: error %v", name, err)
		} else if d := cmp.Diff(c.want, *got, same); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	var got *aggregate.VectorError
	if _, err := vectors.Gram([][]float64{long}); !errors.As(err, &got) || got.Reason != aggregate.ReasonElement || got.Element != 1200 {
		t.Errorf("NaN inside: %v", err)
	}
	if _, err := vectors.Gram([][]float64{{1}, {1e200}}); !errors.As(err, &got) || got.Reason != aggregate.ReasonInnerOver {
		t.Errorf("overflow: %v", err)
	}
}

// A sum of finite elements that overflows is no overflow of an element.
func TestLargeFiniteResultsPass(t *testing.T) {
	dst := make([]float64, 3)
	if err := vectors.Combine(dst, []float64{1}, [][]float64{{1e308, 1e308, 1e308}}); err != nil {
		t.Error(err)
	}
	small := make([]float32, 1)
	var got *aggregate.VectorError
	if err := vectors.Combine(small, []float64{1e30}, [][]float32{{1e30}}); !errors.As(err, &got) || got.Reason != aggregate.ReasonOverflow {
		t.Errorf("1e60 as float32: %v (%v)", small, err)
	}
}
