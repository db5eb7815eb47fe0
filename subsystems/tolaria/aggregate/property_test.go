package aggregate

import (
	"math"
	"slices"
	"testing"

	"github.com/esper-plane/esper/subsystems/detmath"
	"pgregory.net/rapid"
)

// naive is PCGrad as the paper writes it, on vectors in R^n: the slow twin of
// the computation in coefficients. It shares no code with it.
func naive(grads [][]float64, orders [][]int) []float64 {
	inner := func(a, b []float64) (s float64) {
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	total := make([]float64, len(grads[0]))
	for i, order := range orders {
		v := slices.Clone(grads[i])
		for _, j := range order {
			d, length := inner(v, grads[j]), inner(grads[j], grads[j])
			if d < 0 && length > 1e-12 {
				for c := range v {
					v[c] -= d / length * grads[j][c]
				}
			}
		}
		for c := range v {
			total[c] += v[c]
		}
	}
	return total
}

// problem is a drawn set of gradients with visiting orders. Lengths differ by
// up to 10^6 between tasks; some gradients are zero, some repeat another.
type problem struct {
	grads  [][]float64
	orders [][]int
	size   float64 // longest gradient
}

func drawProblem(t *rapid.T) problem {
	k, n := rapid.IntRange(1, 9).Draw(t, "k"), rapid.IntRange(1, 12).Draw(t, "n")
	p := problem{orders: Orders(k, detmath.NewPCG(1, rapid.Uint64().Draw(t, "seed")))}
	for i := range k {
		g := make([]float64, n)
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind == 0:
		case kind == 1 && i > 0:
			copy(g, p.grads[i-1])
		default:
			scale := math.Pow(10, float64(rapid.IntRange(-3, 3).Draw(t, "scale")))
			for c := range g {
				g[c] = scale * float64(rapid.IntRange(-1000, 1000).Draw(t, "x")) / 1000
			}
		}
		p.grads = append(p.grads, g)
		p.size = max(p.size, detmath.Norm(g))
	}
	return p
}

// No projection makes a vector longer and k of them are added, so rounding stays
// far below 1e-12 of k times the longest gradient.
func TestCoefficientsAgreeWithVectors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProblem(rt)
		got, want := surgery(t, p.grads, p.orders, false), naive(p.grads, p.orders)
		if !near(got, want, 1e-12*p.size*float64(len(p.grads))) {
			rt.Errorf("coefficients give %v, vectors %v for %v in orders %v", got, want, p.grads, p.orders)
		}
	})
}

func TestNormFromGramAgreesWithNormOfUpdate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProblem(rt)
		g, err := FromVectors(p.grads)
		if err != nil {
			rt.Fatal(err)
		}
		if err := g.Validate(); err != nil {
			rt.Fatalf("Gram of real vectors is refused: %v", err)
		}
		for _, w := range [][]float64{SumWeights(nil, g.K), MeanWeights(nil, g.K)} {
			u := make([]float64, len(p.grads[0]))
			if err := CombineVectors(u, w, p.grads); err != nil {
				rt.Fatal(err)
			}
			got, want, scale := CombinedNormSq(g, w), detmath.Dot(u, u), p.size*float64(g.K)
			if got < 0 || math.Abs(got-want) > 1e-13*scale*scale {
				rt.Errorf("squared norm %v from the Gram matrix, %v from the vector", got, want)
			}
		}
	})
}

// Renaming the tasks, in the orders too, renames the weights.
func TestPermutationOfTasks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProblem(rt)
		k := len(p.grads)
		to := detmath.NewPCG(2, rapid.Uint64().Draw(rt, "renaming")).Perm(k) // task i becomes to[i]
		q := problem{grads: make([][]float64, k), orders: make([][]int, k)}
		for i := range k {
			q.grads[to[i]] = p.grads[i]
			for _, j := range p.orders[i] {
				q.orders[to[i]] = append(q.orders[to[i]], to[j])
			}
		}
		a, b := surgery(t, p.grads, p.orders, true), surgery(t, q.grads, q.orders, true)
		if !near(a, b, 1e-12*p.size) {
			rt.Errorf("renamed tasks give %v, want %v", b, a)
		}
		ga, _ := FromVectors(p.grads)
		gb, _ := FromVectors(q.grads)
		na, ra := Conflicts(ga)
		nb, rb := Conflicts(gb)
		if na != nb || ra != rb || ra < 0 || ra > 1 {
			rt.Errorf("conflicts %d (%v) became %d (%v)", na, ra, nb, rb)
		}
	})
}

// A power of two scales without rounding, so the weights keep every bit as long
// as no squared length crosses epsilon.
func TestScaleKeepsWeights(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProblem(rt)
		s := math.Ldexp(1, rapid.IntRange(0, 200).Draw(rt, "power"))
		g, err := FromVectors(p.grads)
		if err != nil {
			rt.Fatal(err)
		}
		h := Gram{K: g.K, V: slices.Clone(g.V)}
		for i := range h.V {
			h.V[i] *= s * s
		}
		for i := range g.K {
			if g.At(i, i) != 0 && g.At(i, i) <= pcgradEpsilon {
				rt.Skip("a length at epsilon")
			}
		}
		a, errA := PCGrad(nil, g, p.orders, false)
		b, errB := PCGrad(nil, h, p.orders, false)
		if errA != nil || errB != nil {
			rt.Fatal(errA, errB)
		}
		if !slices.Equal(a, b) {
			rt.Errorf("scaled by %v: weights %v, want %v", s, b, a)
		}
	})
}

// For two tasks surgery leaves no conflict with either gradient, unless one is
// so short that nothing is projected against it.
func TestTwoTasksEndWithoutConflict(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProblem(rt)
		if len(p.grads) < 2 {
			return
		}
		two := p.grads[:2]
		for _, g := range two {
			if detmath.Dot(g, g) <= pcgradEpsilon {
				return
			}
		}
		u := surgery(t, two, ascending(2), false)
		for i, g := range two {
			if d := detmath.Dot(u, g); d < -1e-12*p.size*p.size {
				rt.Errorf("update opposes gradient %d: %v", i, d)
			}
		}
	})
}

func TestWithoutConflictSurgeryIsTheSum(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProblem(rt)
		for _, g := range p.grads {
			for c := range g {
				g[c] = math.Abs(g[c])
			}
		}
		g, _ := FromVectors(p.grads)
		sum, err := PCGrad(nil, g, p.orders, false)
		if err != nil || !slices.Equal(sum, SumWeights(nil, g.K)) {
			rt.Errorf("weights %v (%v), want ones", sum, err)
		}
		mean, err := PCGrad(nil, g, p.orders, true)
		if err != nil || !slices.Equal(mean, MeanWeights(nil, g.K)) {
			rt.Errorf("weights %v (%v), want 1/k", mean, err)
		}
	})
}

// Squares below the normal range lose precision; the matrix must still count as
// valid, whatever the mixture of lengths.
func TestGramOfExtremeLengthsIsValid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k, n := rapid.IntRange(1, 5).Draw(rt, "k"), rapid.IntRange(1, 5).Draw(rt, "n")
		var grads [][]float64
		for range k {
			e := rapid.IntRange(-1074, 505).Draw(rt, "exponent")
			g := make([]float64, n)
			for c := range g {
				g[c] = math.Ldexp(rapid.Float64Range(-1, 1).Draw(rt, "x"), e)
			}
			grads = append(grads, g)
		}
		g, err := FromVectors(grads)
		if err != nil {
			rt.Fatal(err)
		}
		if err := g.Validate(); err != nil {
			rt.Errorf("%v for %v", err, grads)
		}
	})
}
