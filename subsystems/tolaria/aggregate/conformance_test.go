package aggregate

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// ascending visits the other tasks in their order, for every task.
func ascending(k int) [][]int {
	orders := make([][]int, k)
	for i := range orders {
		for j := range k {
			if j != i {
				orders[i] = append(orders[i], j)
			}
		}
	}
	return orders
}

// surgery is the whole path of a caller with vectors: Gram, weights, update.
func surgery(t testing.TB, grads [][]float64, orders [][]int, mean bool) []float64 {
	t.Helper()
	g, err := FromVectors(grads)
	if err != nil {
		t.Fatal(err)
	}
	w, err := PCGrad(nil, g, orders, mean)
	if err != nil {
		t.Fatal(err)
	}
	update := make([]float64, len(grads[0]))
	if err := CombineVectors(update, w, grads); err != nil {
		t.Fatal(err)
	}
	return update
}

func near(got, want []float64, tolerance float64) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			return false
		}
	}
	return true
}

func rationals(t *testing.T, texts []string) []float64 {
	t.Helper()
	out := make([]float64, len(texts))
	for i, s := range texts {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is no rational", s)
		}
		out[i], _ = r.Float64()
	}
	return out
}

type conformanceCase struct {
	Orders [][]int  `json:"orders"`
	Sum    []string `json:"sum"`
}

type conformance struct {
	J         [][]float64       `json:"J"`
	Projected [][]string        `json:"projected"`
	Sum       []string          `json:"sum"`
	Cases     []conformanceCase `json:"cases"`
}

func TestConformance(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "aggregators.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pcgrad_J_base", "pcgrad_J3", "pcgrad_zero_row", "pcgrad_aligned", "pcgrad_opposed"} {
		t.Run(name, func(t *testing.T) {
			var c conformance
			if err := json.Unmarshal(file[name], &c); err != nil {
				t.Fatal(err)
			}
			checkConformance(t, c)
		})
	}
}

func checkConformance(t *testing.T, c conformance) {
	const tolerance = 1e-12
	cases := c.Cases
	if len(c.Sum) > 0 {
		cases = append(cases, conformanceCase{ascending(len(c.J)), c.Sum})
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, one := range cases {
		want := rationals(t, one.Sum)
		if got := surgery(t, c.J, one.Orders, false); !near(got, want, tolerance) {
			t.Errorf("orders %v: sum %v, want %v", one.Orders, got, want)
		}
		for i := range want {
			want[i] /= float64(len(c.J))
		}
		if got := surgery(t, c.J, one.Orders, true); !near(got, want, tolerance) {
			t.Errorf("orders %v: mean %v, want %v", one.Orders, got, want)
		}
	}
	checkProjections(t, c.J, c.Projected)
}

// checkProjections compares each task's own projected gradient, visiting the
// others in ascending order, with exact rows.
func checkProjections(t *testing.T, j [][]float64, rows [][]string) {
	t.Helper()
	for i, row := range rows {
		if got, want := projected(t, j, i), rationals(t, row); !near(got, want, 1e-12) {
			t.Errorf("projected row %d is %v, want %v", i, got, want)
		}
	}
}

// projected returns task i's projected gradient.
func projected(t *testing.T, j [][]float64, i int) []float64 {
	t.Helper()
	g, err := FromVectors(j)
	if err != nil {
		t.Fatal(err)
	}
	w, got := make([]float64, g.K), make([]float64, len(j[0]))
	project(w, g, i, ascending(g.K)[i])
	if err := CombineVectors(got, w, j); err != nil {
		t.Fatal(err)
	}
	return got
}

// allOrdersOf3 returns the eight ways in which three tasks visit the others.
func allOrdersOf3() [][][]int {
	var all [][][]int
	for bits := range 8 {
		orders := ascending(3)
		for i, o := range orders {
			if bits>>i&1 == 1 {
				slices.Reverse(o)
			}
		}
		all = append(all, orders)
	}
	return all
}

func TestTwoOpposedGradientsCancel(t *testing.T) {
	j := [][]float64{{1, 0}, {-1, 0}}
	if got := surgery(t, j, ascending(2), false); !near(got, []float64{0, 0}, 0) {
		t.Errorf("sum %v, want [0 0]", got)
	}
	g, _ := FromVectors(j)
	if n, ratio := Conflicts(g); n != 1 || ratio != 1 {
		t.Errorf("conflicts %d (%v), want 1 (1)", n, ratio)
	}
}

func TestOrthogonalGradientsAreAdded(t *testing.T) {
	j := [][]float64{{1, 0}, {0, 1}}
	if got := surgery(t, j, ascending(2), false); !near(got, []float64{1, 1}, 0) {
		t.Errorf("sum %v, want [1 1]", got)
	}
	g, _ := FromVectors(j)
	if n, ratio := Conflicts(g); n != 0 || ratio != 0 {
		t.Errorf("conflicts %d (%v), want 0 (0)", n, ratio)
	}
}

func TestThreeVectors(t *testing.T) {
	const tolerance = 1e-14
	j := [][]float64{{1, 0}, {-1, 1}, {-1, -2}}
	for i, want := range [][]float64{{0.2, -0.1}, {-0.4, 0.2}, {-1, -1}} {
		if got := projected(t, j, i); !near(got, want, tolerance) {
			t.Errorf("projection %d is %v, want %v", i, got, want)
		}
	}
	if got := surgery(t, j, ascending(3), false); !near(got, []float64{-1.2, -0.9}, tolerance) {
		t.Errorf("ascending sum %v, want [-1.2 -0.9]", got)
	}
	want := [][]float64{{0.2, -1.0}, {-0.8, -0.2}, {-1.2, -0.9}, {0.2, -0.7}, {-0.2, -1.4}, {-0.2, -1.1}, {-0.8, -0.5}, {-1.2, -0.6}}
	met := map[int]bool{}
	for _, orders := range allOrdersOf3() {
		got := surgery(t, j, orders, false)
		at := slices.IndexFunc(want, func(w []float64) bool { return near(got, w, tolerance) })
		if at < 0 {
			t.Errorf("orders %v: sum %v is none of the eight", orders, got)
		}
		met[at] = true
	}
	if len(met) != len(want) {
		t.Errorf("only %d of the sums appear, want all %d", len(met), len(want))
	}
}

func TestGradientsAtEpsilonAreNotProjectedAgainst(t *testing.T) {
	for _, c := range []struct {
		length float64 // of the second gradient, opposed to the first of length 1
		want   []float64
	}{
		{1e-6, []float64{1 + 1e-6, 1}},                // squared length 1e-12: too short
		{2e-6, []float64{1 + 2e-6, 1 + 1/2e-6}},       // 4e-12: projected
		{0, []float64{1, 1}},                          // no direction at all
		{1, []float64{1 + 1, 1 + 1}},                  // the ordinary case
		{5e-7, []float64{1 + 5e-7, 1}},                // shorter
		{1.1e-6, []float64{1 + 1.1e-6, 1 + 1/1.1e-6}}, // just above
	} {
		l := c.length
		w, err := PCGrad(nil, Gram{2, []float64{1, -l, -l, l * l}}, ascending(2), false)
		if err != nil || !near(w, c.want, 1e-9) {
			t.Errorf("length %v: weights %v (%v), want %v", l, w, err, c.want)
		}
	}
}

// A matrix that passes Validate need not be positive semidefinite.
func TestCombinedNormIsNeverNegative(t *testing.T) {
	g := Gram{3, []float64{1, -1, -1, -1, 1, -1, -1, -1, 1}}
	if got := CombinedNormSq(g, SumWeights(nil, 3)); got != 0 {
		t.Errorf("squared norm %v, want 0", got)
	}
}
