package solve_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/solve"
)

// defaults are the options that a configuration has unless it says otherwise.
func defaults() aggregate.Options {
	c := leyline.DefaultConfig()
	return aggregate.Configured(&c.Tolaria)
}

func gram(t testing.TB, j [][]float64) aggregate.Gram {
	t.Helper()
	g, err := aggregate.FromVectors(j)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// update is the whole path: Gram, weights, combination.
func update(t testing.TB, m leyline.Aggregation, o aggregate.Options, j [][]float64) (w, d []float64) {
	t.Helper()
	s, c, err := solve.Weights(m, o, gram(t, j))
	if err != nil {
		t.Fatalf("%s of %v: %v", m, j, err)
	}
	if !(c.Residual <= c.Tolerance) {
		t.Fatalf("%s: residual %v over %v without an error", m, c.Residual, c.Tolerance)
	}
	d = make([]float64, len(j[0]))
	if err := aggregate.CombineVectors(d, s.Weights, j); err != nil {
		t.Fatal(err)
	}
	return s.Weights, d
}

func near(got, want []float64, tolerance float64) bool {
	return slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= tolerance })
}

var base = [][]float64{{-4, 1, 1}, {6, 1, 1}}

// The exact data of the conformance file.
func TestConformance(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "testdata", "aggregators.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]json.RawMessage
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	list := func(of, field string) (out []float64) {
		t.Helper()
		if err := json.Unmarshal(file[of][field], &out); err != nil {
			t.Fatalf("%s of %s: %v", field, of, err)
		}
		return out
	}
	with := func(change func(*aggregate.Options)) aggregate.Options {
		o := defaults()
		change(&o)
		return o
	}
	for _, c := range []struct {
		method    leyline.Aggregation
		o         aggregate.Options
		w, d      []float64 // nil: not compared
		tolerance float64
	}{
		{leyline.AggregationMGDA, defaults(), []float64{0.6, 0.4}, []float64{0, 1, 1}, 1e-14},
		{leyline.AggregationUPGrad, with(func(o *aggregate.Options) { o.Reg = 0 }),
			list("upgrad_J_base_reg0.0", "w"), list("upgrad_J_base_reg0.0", "dir"), 1e-14},
		{leyline.AggregationDualProj, defaults(), list("dualproj_J_base", "w"), list("dualproj_J_base", "dir"), 1e-12},
		{leyline.AggregationCAGrad, with(func(o *aggregate.Options) { o.C = 0.4 }), nil, list("cagrad_J_base_c0.4", "dir"), 1e-12},
		// The file's solver stopped at 3e-8 of the exact answer.
		{leyline.AggregationCAGrad, with(func(o *aggregate.Options) { o.C = 1 }), nil, list("cagrad_J_base_c1.0", "dir"), 1e-7},
		{leyline.AggregationCAGrad, with(func(o *aggregate.Options) { o.C = 1 }), nil, []float64{0, 2, 2}, 1e-12},
		{leyline.AggregationNashMTL, with(func(o *aggregate.Options) { o.MaxNorm = 0 }),
			list("nash_J_base", "alpha"), list("nash_J_base", "dir_unclipped"), 1e-12},
		{leyline.AggregationNashMTL, defaults(), nil, list("nash_J_base", "dir_clipped_norm1"), 1e-12},
		{leyline.AggregationIMTLG, defaults(), list("imtlg_J_base", "w"), list("imtlg_J_base", "dir"), 1e-12},
		{leyline.AggregationAlignedMTL, defaults(), list("aligned_J_base_min", "w_mean(torchjd)"), list("aligned_J_base_min", "dir(torchjd)"), 1e-12},
	} {
		w, d := update(t, c.method, c.o, base)
		if c.w != nil && !near(w, c.w, c.tolerance) {
			t.Errorf("%s: weights %v, want %v", c.method, w, c.w)
		}
		if !near(d, c.d, c.tolerance) {
			t.Errorf("%s: update %v, want %v", c.method, d, c.d)
		}
	}
}

// The values that TorchJD's unit tests expect, to their four digits.
func TestPublishedValues(t *testing.T) {
	for _, c := range []struct {
		method leyline.Aggregation
		w, d   []float64
	}{
		{leyline.AggregationAlignedMTL, []float64{0.5591, 0.4083}, []float64{0.2133, 0.9673, 0.9673}},
		{leyline.AggregationDualProj, []float64{0.6109, 0.5}, []float64{0.5563, 1.1109, 1.1109}},
		{leyline.AggregationIMTLG, []float64{0.5923, 0.4077}, []float64{0.0767, 1, 1}},
		{leyline.AggregationMGDA, []float64{0.6, 0.4}, []float64{0, 1, 1}},
		{leyline.AggregationUPGrad, []float64{1.1109, 0.7894}, []float64{0.2929, 1.9004, 1.9004}},
		{leyline.AggregationCAGrad, []float64{0.7041, 0.5}, []float64{0.1835, 1.2041, 1.2041}},
		{leyline.AggregationNashMTL, nil, []float64{0.0542, 0.7061, 0.7061}},
	} {
		w, d := update(t, c.method, defaults(), base)
		if c.w != nil && !near(w, c.w, 1e-4) || !near(d, c.d, 1e-4) {
			t.Errorf("%s: weights %v and update %v, want %v and %v", c.method, w, d, c.w, c.d)
		}
	}
}

// For two tasks three methods have a closed form.
func TestClosedFormsOfTwoTasks(t *testing.T) {
	o := defaults()
	o.MaxNorm = 0
	rng := detmath.NewPCG(5, 6)
	for range 2000 {
		j := randomGradients(2, 1+rng.IntN(5), rng)
		g := gram(t, j)
		a, b, c := g.At(0, 0), g.At(0, 1), g.At(1, 1)
		w, _ := update(t, leyline.AggregationMGDA, o, j)
		if want := max(0, min(1, (c-b)/(a+c-2*b))); math.Abs(w[0]-want) > 1e-9 {
			t.Fatalf("mgda of %v: %v, want %v", j, w, want)
		}
		if cos := b / math.Sqrt(a*c); cos > -0.999 && cos < 0.999 {
			w, _ = update(t, leyline.AggregationNashMTL, o, j)
			root := math.Sqrt(1 + cos)
			if want := []float64{1 / (math.Sqrt(a) * root), 1 / (math.Sqrt(c) * root)}; !relative(w, want, 1e-9) {
				t.Fatalf("nash of %v: %v, want %v", j, w, want)
			}
			w, _ = update(t, leyline.AggregationIMTLG, o, j)
			la, lc := math.Sqrt(a), math.Sqrt(c)
			if want := []float64{lc / (la + lc), la / (la + lc)}; !relative(w, want, 1e-9) {
				t.Fatalf("imtl_g of %v: %v, want %v", j, w, want)
			}
		}
	}
}

func relative(got, want []float64, tolerance float64) bool {
	return slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= tolerance*math.Abs(b) })
}

var methods = []leyline.Aggregation{
	leyline.AggregationMGDA, leyline.AggregationCAGrad, leyline.AggregationIMTLG, leyline.AggregationNashMTL,
	leyline.AggregationUPGrad, leyline.AggregationDualProj, leyline.AggregationAlignedMTL,
}

// randomGradients returns k gradients of n elements, in [-0.5, 0.5) times a power
// of ten of their own from 1e-3 to 1e3; sometimes one is zero or repeats another.
func randomGradients(k, n int, rng *detmath.PCG) [][]float64 {
	j := make([][]float64, k)
	whole := rng.IntN(4) == 0 // small whole numbers: exact dependence
	for i := range j {
		j[i] = make([]float64, n)
		scale := math.Pow(10, float64(rng.IntN(7)-3))
		for c := range j[i] {
			j[i][c] = (rng.Float64() - 0.5) * scale
			if whole {
				j[i][c] = float64(rng.IntN(7) - 3)
			}
		}
		switch kind := rng.IntN(30); {
		case kind == 0:
			clear(j[i])
		case kind < 3 && i > 0:
			f := float64(kind*2 - 3) // 1: repeats it, -1: opposes it
			for c := range j[i] {
				j[i][c] = f * j[i-1][c]
			}
		}
	}
	return j
}

// refusal reports whether an error is one of those that say that a method has no
// weights.
func refusal(err error) bool {
	var u *solve.UndefinedError
	var c *aggregate.CertificateError
	return errors.As(err, &u) || errors.As(err, &c)
}

func TestEveryMethodProvesItsWeightsAtEveryScaleAndSize(t *testing.T) {
	rng := detmath.NewPCG(7, 8)
	refused := map[leyline.Aggregation]int{}
	n := 0
	for _, k := range []int{1, 2, 3, 4, 8, 16, 33, 64} {
		for _, scale := range []float64{0, 1e-10, 1, 1e3, 1e5, 1e10, 1e15} {
			for _, width := range []int{1, 2, k, k + 5, 4 * k} {
				j := randomGradients(k, width, rng)
				for _, g := range j {
					for c := range g {
						g[c] *= scale
					}
				}
				n++
				for _, m := range methods {
					s, _, err := solve.Weights(m, defaults(), gram(t, j))
					switch {
					case err == nil && len(s.Weights) == k:
					case refusal(err):
						refused[m]++
					default:
						t.Fatalf("%s, k %d, n %d, scale %v: %v", m, k, width, scale, err)
					}
				}
			}
		}
	}
	t.Logf("of %d problems were refused: %v", n, fmt.Sprint(refused))
	for _, m := range methods {
		if m != leyline.AggregationNashMTL && m != leyline.AggregationIMTLG && m != leyline.AggregationAlignedMTL && refused[m] > 0 {
			t.Errorf("%s has weights for every problem, but %d were refused", m, refused[m])
		}
	}
}
