package aggregate

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/esper-plane/esper/leyline"
)

// byOwner adds microbatches up, row by row of their owners.
func byOwner(k int, owner []int, micro ...[]float64) [][]float64 {
	rows := make([][]float64, k)
	for i := range rows {
		rows[i] = make([]float64, len(owner))
	}
	for _, g := range micro {
		for e, v := range g {
			rows[owner[e]][e] += v
		}
	}
	return rows
}

// TestSumsByOwner is the tracker of SPEC.md 8.2: rows by owner, their norms and
// shares, and their combination with the weights of two seeds.
func TestSumsByOwner(t *testing.T) {
	rows := byOwner(2, []int{0, 1, 0}, []float64{1, 2, 3}, []float64{0.5, 0, 0.5})
	if !near(rows[0], []float64{1.5, 0, 3.5}, 0) || !near(rows[1], []float64{0, 2, 0}, 0) {
		t.Fatalf("rows %v", rows)
	}
	g, err := FromVectors(rows)
	if err != nil {
		t.Fatal(err)
	}
	a, b := math.Sqrt(g.At(0, 0)), math.Sqrt(g.At(1, 1))
	if !near([]float64{a, b, a / (a + b), b / (a + b)}, []float64{3.8078866, 2, 0.6556407, 0.3443593}, 1e-7) {
		t.Errorf("norms %v and %v", a, b)
	}
	if n, _ := Conflicts(g); n != 0 {
		t.Errorf("%d conflicts", n)
	}
	w, err := Normalised(nil, []float64{0.15, 0.25})
	if err != nil {
		t.Fatal(err)
	}
	update := make([]float64, 3)
	if err := CombineVectors(update, w, rows); err != nil {
		t.Fatal(err)
	}
	if !near(update, []float64{0.5625, 1.25, 1.3125}, 1e-15) {
		t.Errorf("combined %v", update)
	}
}

func seedOwner() Owner { return Owner{Stage: leyline.StageTraining, Alpha: 1} }

// TestTeacherIsSplitAmongItsSeeds is the teacher split of SPEC.md 8.2.
func TestTeacherIsSplitAmongItsSeeds(t *testing.T) {
	owners := []Owner{seedOwner(), seedOwner(), {Host: true}}
	rows := byOwner(3, []int{0, 1, 2}, []float64{1, 1, 1})
	w, err := StateWeights(nil, owners)
	if err != nil {
		t.Fatal(err)
	}
	Attribute(w, owners, []float64{2, 1, 0})
	update := make([]float64, 3)
	if err := CombineVectors(update, w, rows); err != nil {
		t.Fatal(err)
	}
	if !near(update, []float64{0.5, 0.5, 0.5}, 1e-15) {
		t.Errorf("combined %v", update)
	}
}

// The coefficients are those of a naive twin that adds the host's gradient to those
// of its seeds and then weights the rows of the seeds.
func TestAttributeAgreesWithVectors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k, n := rapid.IntRange(2, 6).Draw(rt, "k"), 5
		owners, parts, rows := make([]Owner, k), make([]float64, k), make([][]float64, k)
		for i := range owners {
			owners[i] = seedOwner()
			owners[i].Alpha = rapid.Float64Range(0, 1).Draw(rt, "alpha")
			parts[i] = rapid.Float64Range(0.01, 1).Draw(rt, "part")
			rows[i] = rapid.SliceOfN(rapid.Float64Range(-10, 10), n, n).Draw(rt, "row")
		}
		host := rapid.IntRange(0, k-1).Draw(rt, "host")
		owners[host] = Owner{Host: true}
		w, err := StateWeights(nil, owners)
		if err != nil {
			rt.Fatal(err)
		}
		seeds, total, part := slices.Clone(w), 0.0, 0.0
		seeds[host] = 0
		for i := range seeds {
			total += seeds[i]
			if i != host {
				part += parts[i]
			}
		}
		want := make([]float64, n)
		for i := range seeds {
			for e := range want {
				if i != host {
					want[e] += seeds[i] / total * (rows[i][e] + parts[i]/part*rows[host][e])
				}
			}
		}
		Attribute(w, owners, parts)
		got := make([]float64, n)
		if err := CombineVectors(got, w, rows); err != nil {
			rt.Fatal(err)
		}
		if !near(got, want, 1e-12) {
			rt.Errorf("combined %v, want %v", got, want)
		}
	})
}

func TestHostStandsForItself(t *testing.T) {
	host, seed := Owner{Host: true}, seedOwner()
	for name, x := range map[string]struct {
		owners []Owner
		parts  []float64
	}{
		"no host":        {[]Owner{seed, seed}, []float64{1, 1}},
		"no seed":        {[]Owner{host, host}, []float64{1, 1}},
		"no part":        {[]Owner{host, seed}, []float64{1, 0}},
		"no seed weighs": {[]Owner{host, {Stage: leyline.StageDormant}}, []float64{0, 1}},
	} {
		w, err := StateWeights(nil, x.owners)
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(w)
		if Attribute(w, x.owners, x.parts); !slices.Equal(w, before) {
			t.Errorf("%s: %v became %v", name, before, w)
		}
	}
}
