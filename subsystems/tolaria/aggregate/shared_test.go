package aggregate

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/subsystems/detmath"
)

var update = flag.Bool("update", false, "rewrite the vectors that other languages are held to")

// sharedVectors is the file that this package and the Python package are held to, bit
// for bit.
const sharedVectors = "../../../leyline/leylinetest/testdata/weights.json"

type shared struct {
	Seeds   []seedVector    `json:"seeds"`
	Orders  []orderVector   `json:"orders"`
	Weights []weightVector  `json:"weights"`
	Refused []refusedVector `json:"refused"`
}

type seedVector struct {
	Seed    string `json:"seed"`
	Lineage uint64 `json:"lineage"`
	Step    uint64 `json:"step"`
	Want    string `json:"want"` // of the step
}

type orderVector struct {
	Tasks int     `json:"tasks"`
	Seed  string  `json:"seed"`
	Want  [][]int `json:"want"`
}

type weightVector struct {
	Name     string    `json:"name"`
	Method   string    `json:"method"`
	Mean     bool      `json:"mean"`
	Tasks    int       `json:"tasks"`
	Seed     string    `json:"seed"`
	Gram     []float64 `json:"gram"`
	Declared []float64 `json:"declared"` // task weights of the plan
	Want     []float64 `json:"want"`
}

type refusedVector struct {
	Name  string    `json:"name"`
	Tasks int       `json:"tasks"`
	Gram  []float64 `json:"gram"`
}

func decimal(x uint64) string { return strconv.FormatUint(x, 10) }

// drawn is a Gram matrix of k vectors of five numbers with conflicts among them.
func drawn(k int, rng *detmath.PCG) Gram {
	rows := make([][]float64, k)
	for i := range rows {
		rows[i] = make([]float64, 5)
		for e := range rows[i] {
			rows[i][e] = rng.Float64()*2 - 1
		}
	}
	g, err := FromVectors(rows)
	if err != nil {
		panic(err)
	}
	return g
}

func sharedSeeds() (seeds []seedVector, orders []orderVector) {
	for _, s := range []uint64{0, 1, 1 << 40, 1<<64 - 1} {
		for step := range uint64(3) {
			_, lo := detmath.Mix(s, step/2, step)
			seeds = append(seeds, seedVector{decimal(s), step / 2, step, decimal(lo)})
		}
		for _, k := range []int{1, 2, 3, 7, 64} {
			orders = append(orders, orderVector{k, decimal(s), Orders(k, detmath.NewPCG(detmath.Mix(s)))})
		}
	}
	return seeds, orders
}

func sharedWeights(t *testing.T) []weightVector {
	var out []weightVector
	rng := detmath.NewPCG(1, 2)
	for _, k := range []int{1, 2, 3, 5, 16} {
		g, seed := drawn(k, rng), rng.Uint64()
		for _, mean := range []bool{false, true} {
			w, err := PCGrad(nil, g, Orders(k, detmath.NewPCG(detmath.Mix(seed))), mean)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, weightVector{fmt.Sprintf("pcgrad of %d, mean %v", k, mean), "pcgrad", mean, k, decimal(seed), g.V, []float64{}, w})
		}
		out = append(out,
			weightVector{fmt.Sprintf("sum of %d", k), "sum", false, k, decimal(seed), g.V, []float64{}, SumWeights(nil, k)},
			weightVector{fmt.Sprintf("mean of %d", k), "mean", false, k, decimal(seed), g.V, []float64{}, MeanWeights(nil, k)},
		)
	}
	small := Gram{2, []float64{1e-13, -1e-13, -1e-13, 1e-13}}
	w, err := PCGrad(nil, small, [][]int{{1}, {0}}, false)
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, weightVector{"nothing is projected against a gradient that is nearly zero", "pcgrad", false, 2, "1", small.V, []float64{}, w})
	for _, declared := range [][]float64{{1}, {0.1, 0.2, 0.7}, {3, -1, 0}, {1e300, 1e299}, {0.1, 0.1, 0.1}} {
		w, err := Normalised(nil, declared)
		if err != nil {
			t.Fatal(err)
		}
		k := len(declared)
		out = append(out, weightVector{fmt.Sprintf("weighted by %v", declared), "weighted", false, k, "1", make([]float64, k*k), declared, w})
	}
	return out
}

func sharedRefused(t *testing.T) []refusedVector {
	out := []refusedVector{
		{"no task", 0, []float64{}},
		{"too many", 65, make([]float64, 65*65)},
		{"another shape", 2, []float64{1, 0, 1}},
		{"negative square", 2, []float64{-1, 0, 0, 1}},
		{"not symmetric", 2, []float64{1, 0.5, 0.25, 1}},
		{"longer than Cauchy and Schwarz allow", 2, []float64{1, 1.1, 1.1, 1}},
	}
	for _, r := range out {
		if (Gram{r.Tasks, r.Gram}).Validate() == nil {
			t.Errorf("%s: is accepted", r.Name)
		}
	}
	return out
}

// TestSharedVectors holds the file that other languages test against to what this
// package computes.
func TestSharedVectors(t *testing.T) {
	got := shared{Weights: sharedWeights(t), Refused: sharedRefused(t)}
	got.Seeds, got.Orders = sharedSeeds()
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile(sharedVectors, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(sharedVectors)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(b)); diff != "" {
		t.Errorf("the vectors changed; run with -update if that is right: %.2000s", diff)
	}
}
