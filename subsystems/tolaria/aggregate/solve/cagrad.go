package solve

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// cagrad finds d = g0 + m*h with h in the convex hull and |m*h| = s = c*|g0|. For a
// given multiplier m the best h is the point of the hull nearest to -g0/m. m*|h|
// grows with m, so the right m is bracketed; on the support of h it has a closed
// form, which ends the search.
func (p *problem) cagrad(s *leyline.Solution) error {
	k := p.g.K
	r := radius{p: p, mean: aggregate.MeanWeights(nil, k), lengths: aggregate.Lengths(p.g)}
	r.b = aggregate.Times(p.g, r.mean)
	r.square = aggregate.CombinedNormSq(p.g, r.mean)
	r.s = float64(p.option.C * math.Sqrt(r.square))
	if r.s == 0 {
		return nil // the mean gradient, which is what s holds
	}
	done, err := r.hullHoldsZero(s)
	if err != nil || done {
		return err
	}
	m, w, err := r.search()
	if err != nil {
		return err
	}
	for i := range s.Weights {
		s.Weights[i] += float64(m * w[i])
	}
	return nil
}

// radius is the problem of CAGrad.
type radius struct {
	p       *problem
	mean    []float64 // weights of g0
	b       []float64 // inner products with g0
	lengths []float64
	square  float64 // of the length of g0
	s       float64 // radius
}

// hullHoldsZero solves the case in which no update improves every task, and one
// that improves none is within reach.
func (r *radius) hullHoldsZero(s *leyline.Solution) (done bool, err error) {
	g := r.p.g
	w, err := r.p.minNorm(g)
	if err != nil {
		return false, err
	}
	size := detmath.Dot(w, r.lengths)
	if aggregate.CombinedNormSq(g, w) > float64(1e-14*float64(size*size)) {
		return false, nil
	}
	v, err := r.p.project(g, r.mean)
	if err != nil {
		return false, err
	}
	z := make([]float64, len(v))
	for i := range z {
		z[i] = v[i] - r.mean[i]
	}
	if math.Sqrt(aggregate.CombinedNormSq(g, z)) > float64(r.s*(1+1e-10)) {
		return false, nil
	}
	s.Weights, s.Evidence = v, w
	return true, nil
}

// search returns the multiplier and the weights of the point of the hull.
func (r *radius) search() (m float64, w []float64, err error) {
	lo, hi := 0.0, math.Inf(1)
	m = r.p.option.C // right if the point is as far out as the mean gradient; it is nearer
	for n := 0; ; {
		if err := r.p.step(&n, 400); err != nil {
			return 0, nil, err
		}
		if w, err = r.nearest(m); err != nil {
			return 0, nil, err
		}
		better, exact, ok := r.onSupport(w)
		if ok && r.optimal(better, exact) {
			return better, exact, nil
		}
		if reach := float64(m * math.Sqrt(aggregate.CombinedNormSq(r.p.g, w))); reach < r.s {
			lo = m
		} else {
			hi = m
		}
		m = between(lo, hi, m, better)
		if ok && !math.IsInf(hi, 1) && hi-lo <= float64(1e-15*hi) {
			return better, exact, nil // the certificate judges it
		}
	}
}

// between returns the next multiplier to try: the better one if it lies between the
// bounds, and else one that narrows them.
func between(lo, hi, m, better float64) float64 {
	switch {
	case better > lo && better < hi:
		return better
	case math.IsInf(hi, 1):
		return float64(16 * m)
	case lo == 0:
		return hi / 16
	}
	return float64(math.Sqrt(lo) * math.Sqrt(hi))
}

// nearest returns the weights of the point of the hull nearest to -g0/m.
func (r *radius) nearest(m float64) ([]float64, error) {
	g := r.p.g
	h := aggregate.Gram{K: g.K, V: make([]float64, len(g.V))}
	f := min(1, 1/m)
	for at, v := range g.V {
		i, j := at/g.K, at%g.K
		mf := float64(m * f)
		h.V[at] = float64(float64(mf*mf)*v) + float64(float64(mf*f)*(r.b[i]+r.b[j])) + float64(float64(f*f)*r.square)
	}
	for i := range g.K {
		h.V[i*g.K+i] = max(h.V[i*g.K+i], 0)
	}
	return r.p.minNorm(h)
}

// onSupport returns the multiplier for which the point, among the combinations of
// the gradients that w weighs, has the right distance, and its weights. On the
// support the best weights are w0 + w1/m: w0 the point nearest to zero and w1 of
// sum zero, and their combinations are orthogonal.
func (r *radius) onSupport(w []float64) (m float64, exact []float64, ok bool) {
	var set []int
	for i, v := range w {
		if v > 0 {
			set = append(set, i)
		}
	}
	exact = make([]float64, len(w))
	if len(set) == 1 {
		l := r.lengths[set[0]]
		exact[set[0]] = 1
		return r.s / l, exact, l > 0
	}
	for _, i := range set {
		if r.lengths[i] == 0 {
			return 0, nil, false
		}
	}
	sys := newBordered(r.p.g, r.lengths, set)
	rhs := make([]float64, len(set)+1)
	rhs[len(set)] = sys.unit
	w0, ok0 := sys.solve(rhs)
	for at, i := range set {
		rhs[at] = -r.b[i] / r.lengths[i]
	}
	rhs[len(set)] = 0
	w1, ok1 := sys.solve(rhs)
	if !ok0 || !ok1 {
		return 0, nil, false
	}
	q0, q1 := r.spreadNorm(set, w0), r.spreadNorm(set, w1)
	left := float64(r.s*r.s) - q1
	if !(q0 > 0) || !(left > 0) {
		return 0, nil, false
	}
	m = math.Sqrt(left / q0)
	for at, i := range set {
		if exact[i] = w0[at] + w1[at]/m; !(exact[i] >= 0) {
			return m, nil, false
		}
	}
	return m, exact, finite(exact)
}

// spreadNorm is the squared length of a combination over a set.
func (r *radius) spreadNorm(set []int, w []float64) float64 {
	all := make([]float64, r.p.g.K)
	for at, i := range set {
		all[i] = w[at]
	}
	return aggregate.CombinedNormSq(r.p.g, all)
}

// optimal reports whether no gradient has a smaller inner product with the update
// than those of the support.
func (r *radius) optimal(m float64, w []float64) bool {
	d := make([]float64, len(w))
	for i := range d {
		d[i] = r.mean[i] + float64(m*w[i])
	}
	gd := aggregate.Times(r.p.g, d)
	level, size := detmath.Dot(w, gd), detmath.Dot(d, r.lengths)
	for i, v := range gd {
		if level-v > float64(rounding(len(w))*float64(r.lengths[i]*size)) {
			return false
		}
	}
	return true
}
