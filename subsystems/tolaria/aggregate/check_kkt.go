package aggregate

import (
	"math"

	"github.com/esper-plane/esper/subsystems/detmath"
)

// sumTolerance is how far weights may be from a sum of 1, and a multiplier from
// being 0 or more, in units of what they are added to.
const sumTolerance = 1e-12

// hullTolerance is the squared length, relative to the squared mean length of the
// gradients, at or below which a point of their convex hull counts as zero.
const hullTolerance = 1e-14

// radiusTolerance is how far from its sphere an update of CAGrad may end, as a
// part of the radius: 1e-9, beside what rounding makes of the lengths.
const radiusTolerance = 1e-9

// simplex reports whether w are 0 or more with sum 1.
func simplex(w []float64) bool {
	for _, v := range w {
		if v < 0 {
			return false
		}
	}
	return math.Abs(detmath.Sum(w)-1) <= sumTolerance
}

// shortfall returns by how much the inner products gw of the gradients with an
// update fall short of level, at worst: relative to the length of the gradient
// times size.
func shortfall(gw, lengths []float64, level, size float64) float64 {
	worst := 0.0
	for i, v := range gw {
		if !(v >= level) { // NaN too
			worst = max(worst, (level-v)/float64(lengths[i]*size)) // +Inf for a zero gradient: every other level is wrong
		}
	}
	return worst
}

// mgda: w is optimal if every gradient has an inner product of at least |d|^2 with
// d = sum w_i*g_i. If they fall short by r times their length times the mean length
// L = sum w_i*|g_i|, then |d - d*| <= sqrt(r * L * L*), with L* the mean length
// under the optimal weights.
func (p *proof) mgda() float64 {
	w := p.s.Weights
	if !simplex(w) {
		return math.Inf(1)
	}
	gw, l := Times(p.g, w), Lengths(p.g)
	return shortfall(gw, l, detmath.Dot(w, gw), detmath.Dot(w, l))
}

// Regular returns g divided by its trace with reg added to the diagonal. It
// panics if g is a matrix of zeros.
func Regular(g Gram, reg float64) Gram {
	trace := 0.0
	for i := range g.K {
		trace += g.At(i, i)
	}
	if !(trace > 0) {
		panic("aggregate: trace is not positive")
	}
	h := Gram{K: g.K, V: make([]float64, len(g.V))}
	for at, v := range g.V {
		h.V[at] = v / trace
	}
	for i := range g.K {
		h.V[i*g.K+i] += reg
	}
	return h
}

// cone: v >= u with the least v'Hv is the projection of the combination by u on
// the cone of directions that oppose no gradient. It is optimal if y = Hv is 0 or
// more, and 0 where v_i > u_i. The residual is the sum of what the products
// (v-u)_i*y_i and the negative y_i break of that, relative to the squared L = sum
// v_i*sqrt(H_ii). Up to r, the H-length of v - v* is at most sqrt(r*L*(L + L*)).
func cone(h Gram, u, v []float64) float64 {
	y, l := Times(h, v), Lengths(h)
	size, slack := 0.0, 0.0
	for i := range v {
		z := v[i] - u[i]
		if z < float64(-sumTolerance*math.Abs(u[i])) {
			return math.Inf(1)
		}
		size += float64(v[i] * l[i])
		slack += math.Abs(float64(z * y[i]))
	}
	if size == 0 {
		return 0 // only of zero gradients, which may weigh anything
	}
	return slack/float64(size*size) + shortfall(y, l, 0, size)
}

// upgrad: the weights are the sum of k projections, which are the evidence; each
// is proven as that of dualproj.
func (p *proof) upgrad() (r float64, reason string) {
	if len(p.s.Evidence) != p.k*p.k {
		return math.Inf(1), "the evidence is not k projections"
	}
	if !equal(p.s.Weights, AddRows(p.s.Evidence, p.k)) {
		return math.Inf(1), "the weights are not the sum of the projections"
	}
	h, u := Regular(p.g, p.option.Reg), make([]float64, p.k)
	for i := range p.k {
		clear(u)
		u[i] = 1 / float64(p.k)
		r = max(r, cone(h, u, p.s.Evidence[i*p.k:(i+1)*p.k]))
	}
	return r, ""
}

// AddRows returns the sum of the rows of a row-major matrix with rows of length
// k, added from the first to the last.
func AddRows(m []float64, k int) []float64 {
	out := make([]float64, k)
	for at, v := range m {
		out[at%k] += v
	}
	return out
}

func equal(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// cagrad: with d0 the mean gradient, s = c*|d0| and d = d0 + V, V = sum v_i*g_i,
// v >= 0: d is optimal if |V| = s and every gradient that v weighs has the same
// inner product with d, and no gradient a smaller one. The residual is as that of
// mgda. It bounds the shortfall of the least improvement min <g_i, d>; of d itself
// by |d - d*|^2 <= 2*s*(shortfall)/|g_w|, with g_w the point of the hull along V.
//
// With zero in the convex hull of the gradients |V| may be smaller: then no
// direction improves all, many d improve none, and the one nearest to d0 is
// demanded, which is what dualproj without reg gives. Then there is evidence: the
// weights of that zero.
func (p *proof) cagrad() float64 {
	k := float64(p.k)
	v := make([]float64, p.k)
	for i, w := range p.s.Weights {
		v[i] = w - 1/k
		if v[i] < float64(-sumTolerance*max(1, math.Abs(w))) {
			return math.Inf(1)
		}
		v[i] = max(v[i], 0)
	}
	mean, l := MeanWeights(nil, p.k), Lengths(p.g)
	s := float64(p.option.C * math.Sqrt(CombinedNormSq(p.g, mean)))
	length, reach := math.Sqrt(CombinedNormSq(p.g, v)), detmath.Dot(v, l)
	over := length - s - float64(radiusTolerance*s) - float64(sumTolerance*reach)
	if len(p.s.Evidence) > 0 {
		if !(over <= 0) || !p.zeroInHull(l) {
			return math.Inf(1)
		}
		return cone(p.g, mean, p.s.Weights)
	}
	if !(over <= 0) || s-length > float64(radiusTolerance*s)+float64(sumTolerance*reach) {
		return math.Inf(1)
	}
	return p.improves(v, l)
}

// improves is the residual of the inner products.
func (p *proof) improves(v, l []float64) float64 {
	total := detmath.Sum(v)
	if total <= sumTolerance {
		return 0 // d is the mean gradient, and so it should be
	}
	gd := Times(p.g, p.s.Weights)
	return shortfall(gd, l, detmath.Dot(v, gd)/total, detmath.Dot(p.s.Weights, l))
}

func (p *proof) zeroInHull(l []float64) bool {
	w := p.s.Evidence
	if len(w) != p.k || !simplex(w) {
		return false
	}
	size := detmath.Dot(w, l)
	return CombinedNormSq(p.g, w) <= float64(hullTolerance*float64(size*size))
}

// nash: the weights are in proportion to a with a_i*(G a)_i = 1 for every i. With
// r the length of the vector of what these products differ from 1, no weight is
// off by more than r/(1-r) of itself, because the problem is self-concordant. The
// length of the update, the root of k or what it is shortened to, is held to the
// same tolerance.
func (p *proof) nash() float64 {
	w, k := p.s.Weights, float64(p.k)
	gw := Times(p.g, w)
	square := detmath.Dot(w, gw)
	if !(square > 0) {
		return math.Inf(1)
	}
	r := 0.0
	for i, v := range w {
		if !(v > 0) {
			return math.Inf(1)
		}
		d := float64(k*float64(v*gw[i]))/square - 1
		r += float64(d * d)
	}
	want := NashLength(p.k, p.option.MaxNorm)
	length := math.Sqrt(square) / math.Sqrt(p.scale)
	return max(math.Sqrt(r), math.Abs(length-want)/want)
}

// NashLength is the length of the update of Nash-MTL over k tasks: the root of k,
// or maxNorm if that is shorter and not 0.
func NashLength(k int, maxNorm float64) float64 {
	root := math.Sqrt(float64(k))
	if maxNorm > 0 {
		return min(root, maxNorm)
	}
	return root
}
