package solve_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/solve"
)

// problem is a drawn set of gradients without the six decades of scale that
// randomGradients has, so that absolute tolerances mean something.
func drawProblem(t *rapid.T) [][]float64 {
	k, n := rapid.IntRange(1, 12).Draw(t, "k"), rapid.IntRange(1, 15).Draw(t, "n")
	rng := detmath.NewPCG(11, rapid.Uint64().Draw(t, "seed"))
	j := randomGradients(k, n, rng)
	for _, g := range j {
		if l := detmath.Norm(g); l > 0 {
			f := (0.2 + rng.Float64()) / l
			for c := range g {
				g[c] *= f
			}
		}
	}
	return j
}

func with(change func(*aggregate.Options)) aggregate.Options {
	o := defaults()
	change(&o)
	return o
}

// No gradient is opposed by the updates that are made for that.
func TestUpdatesOpposeNoGradient(t *testing.T) {
	for _, c := range []struct {
		name   string
		method leyline.Aggregation
		o      aggregate.Options
	}{
		{"mgda", leyline.AggregationMGDA, defaults()},
		{"upgrad", leyline.AggregationUPGrad, with(func(o *aggregate.Options) { o.Reg = 0 })},
		{"dualproj", leyline.AggregationDualProj, with(func(o *aggregate.Options) { o.Reg = 0 })},
		{"cagrad c=1", leyline.AggregationCAGrad, with(func(o *aggregate.Options) { o.C = 1 })},
		{"cagrad c=3", leyline.AggregationCAGrad, with(func(o *aggregate.Options) { o.C = 3 })},
	} {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				j := drawProblem(rt)
				g := gram(t, j)
				w, _ := update(t, c.method, c.o, j)
				size := 0.0
				for _, v := range w {
					size += math.Abs(v) * 1.2
				}
				for i, v := range aggregate.Times(g, w) {
					if v < -1e-10*size {
						rt.Errorf("gradient %d of %v is opposed by %v: %v", i, j, w, v)
					}
				}
			})
		})
	}
}

// The update of MGDA is the projection of zero on the convex hull: no point of the
// hull is nearer in its direction. That is checked in R^n, without the Gram matrix.
func TestMGDAIsNearestToZero(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := drawProblem(rt)
		w, d := update(t, leyline.AggregationMGDA, defaults(), j)
		if slices.Min(w) < 0 || math.Abs(detmath.Sum(w)-1) > 1e-12 {
			rt.Fatalf("weights %v", w)
		}
		for i, g := range j {
			if detmath.Dot(d, g) < detmath.Dot(d, d)-1e-11 {
				rt.Errorf("gradient %d is nearer in the direction of %v", i, d)
			}
		}
	})
}

// The update of CAGrad has the demanded distance from the mean gradient, unless no
// update improves every task; and none of many others within reach improves the
// worst task more.
func TestCAGradReachesItsRadiusAndIsBest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := drawProblem(rt)
		c := rapid.SampledFrom([]float64{0, 0.1, 0.5, 0.9, 1, 2}).Draw(rt, "c")
		o := with(func(o *aggregate.Options) { o.C = c })
		_, d := update(t, leyline.AggregationCAGrad, o, j)
		_, near := update(t, leyline.AggregationMGDA, o, j)
		mean := make([]float64, len(d))
		if err := aggregate.CombineVectors(mean, aggregate.MeanWeights(nil, len(j)), j); err != nil {
			rt.Fatal(err)
		}
		radius, diff := c*detmath.Norm(mean), make([]float64, len(d))
		for i := range d {
			diff[i] = d[i] - mean[i]
		}
		if r := detmath.Norm(diff); r > radius+1e-8 || detmath.Norm(near) > 1e-6 && r < radius-1e-8 {
			rt.Errorf("distance %v, want %v", r, radius)
		}
		worst, rng := improvement(j, d), detmath.NewPCG(1, rapid.Uint64().Draw(rt, "others"))
		for range 50 {
			other := make([]float64, len(d))
			for i := range other {
				other[i] = rng.Float64() - 0.5
			}
			f := radius / max(detmath.Norm(other), 1e-9)
			for i := range other {
				other[i] = mean[i] + f*other[i]
			}
			if improvement(j, other) > worst+1e-8 {
				rt.Fatalf("%v improves the worst task more than %v", other, d)
			}
		}
	})
}

// improvement is that of the worst task.
func improvement(j [][]float64, d []float64) float64 {
	worst := math.Inf(1)
	for _, g := range j {
		worst = min(worst, detmath.Dot(g, d))
	}
	return worst
}

func TestNashBargainIsStationary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := drawProblem(rt)
		g := gram(t, j)
		s, _, err := solve.Weights(leyline.AggregationNashMTL, with(func(o *aggregate.Options) { o.MaxNorm = 0 }), g)
		if err != nil {
			if !refusal(err) {
				rt.Fatal(err)
			}
			return
		}
		if _, factor := aggregate.Scaled(g); factor == 0 {
			return // of zeros nothing is demanded
		}
		for i, v := range aggregate.Times(g, s.Weights) {
			if math.Abs(v*s.Weights[i]-1) > 1e-6 {
				rt.Errorf("product %d is %v, want 1", i, v*s.Weights[i])
			}
		}
		if q := aggregate.CombinedNormSq(g, s.Weights); math.Abs(q-float64(len(j))) > 1e-6*float64(len(j)) {
			rt.Errorf("squared length %v, want %d", q, len(j))
		}
	})
}

// The projections of the update of IMTL-G on the unit gradients are equal, and
// its weights have the sum 1.
func TestIMTLGHasEqualProjections(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := drawProblem(rt)
		g := gram(t, j)
		if aggregate.CombinedNormSq(g, aggregate.MeanWeights(nil, g.K)) == 0 || len(j) > len(j[0]) {
			return
		}
		s, _, err := solve.Weights(leyline.AggregationIMTLG, defaults(), g)
		if err != nil || s.Evidence[0] != aggregate.EvidenceCosines {
			return // dependent gradients need not have equal projections
		}
		size := 0.0
		for _, v := range s.Weights {
			size += math.Abs(v)
		}
		gd, l := aggregate.Times(g, s.Weights), aggregate.Lengths(g)
		for i := range gd {
			if math.Abs(gd[i]/l[i]-gd[0]/l[0]) > 1e-6*size {
				rt.Errorf("projections %v of lengths %v", gd, l)
			}
		}
		if math.Abs(detmath.Sum(s.Weights)-1) > 1e-9*size {
			rt.Errorf("weights %v", s.Weights)
		}
	})
}

// Aligned gradients have one singular value: twice the alignment is the same as
// once, up to that value.
func TestAlignedGradientsHaveOneSingularValue(t *testing.T) {
	rng := detmath.NewPCG(21, 22)
	for range 300 {
		k := 2 + rng.IntN(6)
		j := make([][]float64, k)
		for i := range j {
			for range k + 2 {
				j[i] = append(j[i], rng.Float64()-0.5)
			}
		}
		for _, scale := range []leyline.AlignedScale{leyline.ScaleMin, leyline.ScaleMedian, leyline.ScaleRMSE} {
			o := with(func(o *aggregate.Options) { o.Scale = scale })
			_, d := update(t, leyline.AggregationAlignedMTL, o, j)
			// |d|^2 = p'B'GBp = scale*|p|^2 with p = 1/k: the length tells the scale.
			got := detmath.Dot(d, d) * float64(k)
			s, _, err := solve.Weights(leyline.AggregationAlignedMTL, o, gram(t, j))
			if err != nil {
				t.Fatal(err)
			}
			unit := gram(t, j).V[0] / aggregateScaled(t, j).V[0]
			values := s.Evidence[:k]
			want := map[leyline.AlignedScale]float64{
				leyline.ScaleMin: values[0], leyline.ScaleMedian: values[(k-1)/2], leyline.ScaleRMSE: detmath.Sum(values) / float64(k),
			}[scale] * unit
			if math.Abs(got-want) > 1e-9*want {
				t.Fatalf("%s: squared singular value %v, want %v", scale, got, want)
			}
		}
	}
}

func aggregateScaled(t *testing.T, j [][]float64) aggregate.Gram {
	g, _ := aggregate.Scaled(gram(t, j))
	return g
}

// Renaming the tasks renames the weights; where they are not unique, the update
// stays.
func TestPermutationOfTasks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := drawProblem(rt)
		to := detmath.NewPCG(2, rapid.Uint64().Draw(rt, "renaming")).Perm(len(j))
		q := make([][]float64, len(j))
		for i := range j {
			q[to[i]] = j[i]
		}
		for _, m := range methods {
			a, _, errA := solve.Weights(m, defaults(), gram(t, j))
			b, _, errB := solve.Weights(m, defaults(), gram(t, q))
			if errA != nil || errB != nil {
				if errA != nil && errB != nil {
					continue
				}
				if !refusal(errA) && errA != nil || !refusal(errB) && errB != nil {
					rt.Fatalf("%s: %v and %v", m, errA, errB)
				}
				continue // at the edge of what can be proven rounding decides
			}
			da, db := make([]float64, len(j[0])), make([]float64, len(j[0]))
			if err := aggregate.CombineVectors(da, a.Weights, j); err != nil {
				rt.Fatal(err)
			}
			if err := aggregate.CombineVectors(db, b.Weights, q); err != nil {
				rt.Fatal(err)
			}
			size := 1.0
			for _, v := range a.Weights {
				size += math.Abs(v)
			}
			if !near(da, db, 2e-6*size) {
				rt.Errorf("%s of %v: %v, renamed %v", m, j, da, db)
			}
		}
	})
}

// A power of four scales without rounding: weights keep every bit, those of
// nash_mtl shrink by the root of it.
func TestScaleOfAllGradients(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := drawProblem(rt)
		power := rapid.IntRange(-60, 60).Draw(rt, "power")
		s := math.Ldexp(1, power)
		g := gram(t, j)
		h := aggregate.Gram{K: g.K, V: slices.Clone(g.V)}
		for i := range h.V {
			h.V[i] *= s * s
		}
		for _, m := range methods {
			a, _, errA := solve.Weights(m, defaults(), g)
			b, _, errB := solve.Weights(m, defaults(), h)
			if (errA == nil) != (errB == nil) {
				rt.Fatalf("%s: %v, scaled by %v %v", m, errA, s, errB)
			}
			if _, factor := aggregate.Scaled(g); m == leyline.AggregationNashMTL && factor != 0 {
				for i := range b.Weights {
					b.Weights[i] *= s
				}
			}
			if !slices.Equal(a.Weights, b.Weights) {
				rt.Errorf("%s: %v, scaled by %v %v", m, a.Weights, s, b.Weights)
			}
		}
	})
}

// UPGrad is linear under scaling: with one gradient made longer, the update grows
// by the same for equal steps of the length, since each gradient is projected on
// its own and the cone stays.
func TestUPGradIsLinearUnderScaling(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := drawProblem(rt)
		which := rapid.IntRange(0, len(j)-1).Draw(rt, "which")
		o := with(func(o *aggregate.Options) { o.Reg = 0 })
		var at [3][]float64
		for step := range at {
			q := slices.Clone(j)
			q[which] = slices.Clone(j[which])
			for c := range q[which] {
				q[which][c] *= float64(step + 1)
			}
			_, at[step] = update(t, leyline.AggregationUPGrad, o, q)
		}
		for c := range at[0] {
			if math.Abs(at[2][c]-2*at[1][c]+at[0][c]) > 1e-6 {
				rt.Fatalf("updates %v with gradient %d scaled by 1, 2, 3 are not on a line", at, which)
			}
		}
	})
}

// For two tasks PCGrad is the sum of the projections, of which UPGrad is the mean.
func TestTwoTasksOfUPGradArePCGrad(t *testing.T) {
	rng := detmath.NewPCG(31, 32)
	for range 500 {
		j := randomGradients(2, 1+rng.IntN(6), rng)
		g := gram(t, j)
		pc, err := aggregate.PCGrad(nil, g, [][]int{{1}, {0}}, true)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Min(aggregate.Lengths(g)) <= 1e-6 {
			continue // PCGrad leaves those alone
		}
		up, _ := update(t, leyline.AggregationUPGrad, with(func(o *aggregate.Options) { o.Reg = 0 }), j)
		if !near(pc, up, 1e-9*max(pc[0], pc[1], 1)) {
			t.Fatalf("pcgrad %v, upgrad %v of %v", pc, up, j)
		}
	}
}

// The values of the degenerate cases that the package promises.
func TestDegenerateCases(t *testing.T) {
	third := []float64{1. / 3, 1. / 3, 1. / 3}
	zero := [][]float64{{0, 0}, {0, 0}, {0, 0}}
	for _, m := range methods {
		if w, _ := update(t, m, defaults(), zero); !slices.Equal(w, third) {
			t.Errorf("%s of zeros: %v", m, w)
		}
	}
	one := map[leyline.Aggregation]float64{
		leyline.AggregationMGDA: 1, leyline.AggregationCAGrad: 1.5, leyline.AggregationIMTLG: 1, leyline.AggregationNashMTL: 0.2,
		leyline.AggregationUPGrad: 1, leyline.AggregationDualProj: 1, leyline.AggregationAlignedMTL: 1,
	}
	for m, want := range one {
		if w, _ := update(t, m, defaults(), [][]float64{{3, 4}}); !near(w, []float64{want}, 1e-12) {
			t.Errorf("%s of one task: %v, want %v", m, w, want)
		}
	}
	for _, c := range []struct {
		method leyline.Aggregation
		j      [][]float64
		d      []float64 // nil: refused
	}{
		{leyline.AggregationMGDA, [][]float64{{0, 0}, {1, 2}}, []float64{0, 0}},
		{leyline.AggregationMGDA, [][]float64{{1, 0}, {-3, 0}}, []float64{0, 0}},
		{leyline.AggregationMGDA, [][]float64{{1, 1}, {2, 2}}, []float64{1, 1}},
		{leyline.AggregationCAGrad, [][]float64{{1, 0}, {-1, 0}}, []float64{0, 0}},
		{leyline.AggregationCAGrad, [][]float64{{3, 0}, {-1, 0}}, []float64{0.5, 0}}, // g0 = 1, c = 0.5: as far as it may
		{leyline.AggregationIMTLG, [][]float64{{0, 0}, {1, 2}}, []float64{1, 2}},
		{leyline.AggregationIMTLG, [][]float64{{1, 0}, {2, 0}}, []float64{5. / 3, 0}},
		{leyline.AggregationIMTLG, [][]float64{{1, 0}, {-1, 0}}, nil},
		{leyline.AggregationNashMTL, [][]float64{{0, 0}, {1, 2}}, nil},
		{leyline.AggregationNashMTL, [][]float64{{1, 0}, {-2, 0}}, nil},
		{leyline.AggregationNashMTL, [][]float64{{1, 0}, {2, 0}}, []float64{1, 0}},
		{leyline.AggregationUPGrad, [][]float64{{1, 0}, {1, 0}}, []float64{1, 0}},
		{leyline.AggregationDualProj, [][]float64{{0, 0}, {1, 0}}, []float64{0.5, 0}},
		{leyline.AggregationAlignedMTL, [][]float64{{1, 0}, {1, 0}}, []float64{1, 0}},
		{leyline.AggregationAlignedMTL, [][]float64{{0, 0}, {2, 0}}, []float64{1, 0}},
	} {
		s, _, err := solve.Weights(c.method, defaults(), gram(t, c.j))
		if c.d == nil {
			if !refusal(err) {
				t.Errorf("%s of %v: %v (%v), want a refusal", c.method, c.j, s.Weights, err)
			}
			continue
		}
		if _, d := update(t, c.method, defaults(), c.j); !near(d, c.d, 1e-9) {
			t.Errorf("%s of %v: %v, want %v", c.method, c.j, d, c.d)
		}
	}
}
