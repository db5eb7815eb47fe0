package aggregate

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Ones and twos with weights 1 and 3 give 1.75 everywhere.
func TestWeighted(t *testing.T) {
	w, err := Normalised(nil, []float64{1, 3})
	if err != nil {
		t.Fatal(err)
	}
	update := make([]float64, 4)
	if err := CombineVectors(update, w, [][]float64{{1, 1, 1, 1}, {2, 2, 2, 2}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{1.75, 1.75, 1.75, 1.75}, update); d != "" {
		t.Error(d)
	}
}

func TestWeightsThatCannotBeNormalised(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		w      []float64
		reason string // "": accepted
	}{
		{nil, ReasonWeightCount}, {make([]float64, 65), ReasonWeightCount}, {[]float64{1, nan}, ReasonWeight},
		{[]float64{inf, 1}, ReasonWeight}, {[]float64{0, 0}, ReasonTotal}, {[]float64{1, -1}, ReasonTotal}, {[]float64{-1, -2}, ReasonTotal},
		{[]float64{1e-12}, ReasonTotal}, {[]float64{math.MaxFloat64, math.MaxFloat64}, ReasonTotal}, {[]float64{1e300, 1e-11 - 1e300}, ReasonTotal},
		{[]float64{2e-12}, ""}, {[]float64{0, 1}, ""}, {[]float64{-1, 3}, ""},
	} {
		w, err := Normalised(nil, c.w)
		var v *VectorError
		switch {
		case c.reason == "":
			if err != nil || math.Abs(detmath.Sum(w)-1) > 1e-15 {
				t.Errorf("%v: %v (%v)", c.w, w, err)
			}
		case !errors.As(err, &v) || v.Reason != c.reason || v.Error() == "" || w != nil:
			t.Errorf("%v: %v (%v), want %s", c.w, w, err, c.reason)
		}
	}
}

// The table of SPEC.md 2.4.3, whole: no stage is forgotten.
func TestStateWeights(t *testing.T) {
	for stage := leyline.StageDormant; stage.Known(); stage++ {
		want := map[leyline.Stage]float64{
			leyline.StageGerminated: 0.25 * 0.75, leyline.StageTraining: 0.75, leyline.StageBlending: 0.375,
			leyline.StageShadowing: 0.75, leyline.StageProbationary: 0.75, leyline.StageFossilized: 0.75,
		}[stage]
		if got := (Owner{Stage: stage, Alpha: 0.5}).Weight(); got != want {
			t.Errorf("%s at alpha 0.5 weighs %v, want %v", stage, got, want)
		}
	}
	if w := (Owner{Stage: leyline.StageGerminated}).Weight(); w != 0.125 {
		t.Errorf("a germinated seed at alpha 0 weighs %v", w)
	}
	// 0.15 (0.25 at alpha 0.2) and 0.25 (0.5 at alpha 0), as SPEC.md 8.2 has them.
	w, err := StateWeights(nil, []Owner{{Stage: leyline.StageGerminated, Alpha: 0.2}, {Stage: leyline.StageBlending}})
	if err != nil {
		t.Fatal(err)
	}
	update := make([]float64, 3)
	if err := CombineVectors(update, w, [][]float64{{1.5, 0, 3.5}, {0, 2, 0}}); err != nil || !near(update, []float64{0.5625, 1.25, 1.3125}, 1e-15) {
		t.Errorf("combined %v (%v), want [0.5625 1.25 1.3125]", update, err)
	}
	w, err = StateWeights(nil, []Owner{{Host: true}, {Stage: leyline.StageDormant}, {Stage: leyline.StageBlending, Alpha: 1}})
	if err != nil || !near(w, []float64{2. / 3, 0, 1. / 3}, 1e-15) {
		t.Errorf("host, empty slot and blending seed weigh %v (%v)", w, err)
	}
	for reason, o := range map[string][]Owner{
		ReasonStage: {{}}, ReasonAlpha: {{Stage: leyline.StageTraining, Alpha: math.NaN()}}, ReasonTotal: {{Stage: leyline.StageCulled}},
		ReasonWeightCount: nil,
	} {
		var v *VectorError
		if _, err := StateWeights(nil, o); !errors.As(err, &v) || v.Reason != reason {
			t.Errorf("%+v: %v, want %s", o, err, reason)
		}
	}
}

// Two steps of the published algorithm, in exact data.
func TestGradVacConformance(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "aggregators.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Case struct {
			J1   [][]float64 `json:"step1_J"`
			Sum1 []float64   `json:"step1_sum"`
			Rho1 [][]float64 `json:"rho_after1"`
			J2   [][]float64 `json:"step2_J"`
			Sum2 []float64   `json:"step2_sum"`
			Rho2 [][]float64 `json:"rho_after2"`
		} `json:"gradvac_2step_beta0.5"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	var targets []float64
	for _, s := range []struct {
		j   [][]float64
		sum []float64
		rho [][]float64
	}{{file.Case.J1, file.Case.Sum1, file.Case.Rho1}, {file.Case.J2, file.Case.Sum2, file.Case.Rho2}} {
		g, err := FromVectors(s.j)
		if err != nil {
			t.Fatal(err)
		}
		var w []float64
		if w, targets, err = GradVac(nil, targets, g, ascending(2), 0.5); err != nil {
			t.Fatal(err)
		}
		update := make([]float64, 2)
		if err := CombineVectors(update, w, s.j); err != nil || !near(update, s.sum, 1e-12) {
			t.Errorf("update %v (%v), want %v", update, err, s.sum)
		}
		if !near(targets, slices.Concat(s.rho...), 1e-12) {
			t.Errorf("targets %v, want %v", targets, s.rho)
		}
	}
}

// naiveVac is GradVac as the paper writes it, on vectors.
func naiveVac(grads [][]float64, targets []float64, orders [][]int, beta float64) (sum, next []float64) {
	k := len(grads)
	next, sum = slices.Clone(targets), make([]float64, len(grads[0]))
	inner := func(a, b []float64) (s float64) {
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	for i, order := range orders {
		v := slices.Clone(grads[i])
		for _, j := range order {
			gj := grads[j]
			lv, lj := math.Sqrt(inner(v, v)), math.Sqrt(inner(gj, gj))
			if lv == 0 || lj*lj <= 1e-12 {
				continue
			}
			p, t := inner(v, gj)/(lv*lj), next[i*k+j]
			if p < t {
				a := lv * (t*math.Sqrt(max(0, 1-p*p)) - p*math.Sqrt(1-t*t)) / (lj * math.Sqrt(1-t*t))
				for c := range v {
					v[c] += a * gj[c]
				}
			}
			next[i*k+j] = (1-beta)*t + beta*p
		}
		for c := range v {
			sum[c] += v[c]
		}
	}
	return sum, next
}

func TestGradVacAgreesWithVectors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := detmath.NewPCG(4, rapid.Uint64().Draw(rt, "seed"))
		k, n := 1+rng.IntN(6), 8+rng.IntN(8)
		grads, targets := make([][]float64, k), make([]float64, k*k)
		for i := range grads {
			for range n {
				grads[i] = append(grads[i], rng.Float64()-0.5)
			}
		}
		for i := range targets {
			targets[i] = 1.6*rng.Float64() - 0.8
		}
		beta, orders := rng.Float64(), Orders(k, rng)
		g, err := FromVectors(grads)
		if err != nil {
			rt.Fatal(err)
		}
		w, next, err := GradVac(nil, targets, g, orders, beta)
		if err != nil {
			rt.Fatal(err)
		}
		want, wantNext := naiveVac(grads, targets, orders, beta)
		got := make([]float64, n)
		if err := CombineVectors(got, w, grads); err != nil || !near(got, want, 1e-9) || !near(next, wantNext, 1e-9) {
			rt.Errorf("update %v and targets %v (%v), want %v and %v", got, next, err, want, wantNext)
		}
	})
}

// Targets of zero that stay are PCGrad.
func TestGradVacWithoutTargetsIsPCGrad(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProblem(rt)
		g, err := FromVectors(p.grads)
		if err != nil {
			rt.Fatal(err)
		}
		w, next, err := GradVac(nil, nil, g, p.orders, 0)
		if err != nil {
			rt.Fatal(err)
		}
		update, want := make([]float64, len(p.grads[0])), surgery(t, p.grads, p.orders, false)
		if err := CombineVectors(update, w, p.grads); err != nil || !near(update, want, 1e-10*p.size*float64(g.K)) {
			rt.Errorf("update %v (%v), want %v", update, err, want)
		}
		if slices.Max(next) != 0 || slices.Min(next) != 0 {
			rt.Errorf("targets moved: %v", next)
		}
	})
}

// Parallel gradients drive their target to 1, which no finite multiple reaches:
// the correction stays bounded.
func TestGradVacStaysFinite(t *testing.T) {
	parallel, opposed := Gram{2, []float64{1, 1, 1, 1}}, Gram{2, []float64{1, -1, -1, 1}}
	var targets []float64
	for range 200 {
		var err error
		if _, targets, err = GradVac(nil, targets, parallel, ascending(2), 0.5); err != nil {
			t.Fatal(err)
		}
	}
	if targets[1] != 1 {
		t.Fatalf("target %v after 200 parallel steps", targets[1])
	}
	w, _, err := GradVac(nil, targets, opposed, ascending(2), 0.5)
	if err != nil || slices.Max(w) > 2000 || !finite(w[0]) {
		t.Errorf("weights %v (%v)", w, err)
	}
}

func TestGradVacRefusals(t *testing.T) {
	g := Gram{2, []float64{1, 0, 0, 1}}
	var target *TargetError
	for _, targets := range [][]float64{{0}, {0, 0, 0}, {0, 1.5, 0, 0}, {0, math.NaN(), 0, 0}} {
		if w, next, err := GradVac(nil, targets, g, ascending(2), 0.5); !errors.As(err, &target) || err.Error() == "" || w != nil || next != nil {
			t.Errorf("targets %v: %v", targets, err)
		}
	}
	var order *OrderError
	if _, _, err := GradVac(nil, nil, g, nil, 0.5); !errors.As(err, &order) {
		t.Errorf("no orders: %v", err)
	}
	var matrix *GramError
	if _, _, err := GradVac(nil, nil, Gram{}, nil, 0.5); !errors.As(err, &matrix) {
		t.Errorf("no matrix: %v", err)
	}
}
