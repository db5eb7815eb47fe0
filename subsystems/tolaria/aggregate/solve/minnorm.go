package solve

import (
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// minNorm returns the weights of the point of the gradients' convex hull that is
// nearest to zero, by Wolfe's algorithm in coefficients: of a set of affinely
// independent gradients the nearest point of their affine hull is found exactly;
// where it lies outside their convex hull gradients leave the set, and where some
// gradient is still nearer to zero it joins.
func (p *problem) minNorm(g aggregate.Gram) ([]float64, error) {
	h := hull{g: g, lengths: aggregate.Lengths(g), w: make([]float64, g.K), rank: make([]bool, g.K)}
	start := 0
	for i := range g.K {
		if g.At(i, i) < g.At(start, start) {
			start = i
		}
	}
	h.w[start], h.set = 1, []int{start}
	limit := 100 * (g.K + 1)
	for n := 0; ; {
		j := h.nearer()
		if j < 0 {
			return h.w, nil
		}
		h.set = append(h.set, j)
		if err := p.settle(&h, &n, limit); err != nil {
			return nil, err
		}
	}
}

// hull is a convex combination of gradients.
type hull struct {
	g       aggregate.Gram
	lengths []float64
	w       []float64
	set     []int  // gradients with weight, and the one that joins
	rank    []bool // gradients that were dependent on the set, to the precision of the numbers
}

// nearer returns the gradient in whose direction zero is nearest, or -1.
func (h *hull) nearer() int {
	gw := aggregate.Times(h.g, h.w)
	q, size := detmath.Dot(h.w, gw), detmath.Dot(h.w, h.lengths)
	at, worst := -1, rounding(h.g.K)
	for i, v := range gw {
		unit := float64(h.lengths[i] * size)
		if v >= q || unit == 0 || h.rank[i] || slices.Contains(h.set, i) {
			continue
		}
		if by := (q - v) / unit; by > worst {
			at, worst = i, by
		}
	}
	return at
}

// settle moves to the nearest point of the affine hull of the set, dropping what
// gets no weight.
func (p *problem) settle(h *hull, n *int, limit int) error {
	joined := h.set[len(h.set)-1]
	for {
		if err := p.step(n, limit); err != nil {
			return err
		}
		a, ok := affine(h.g, h.lengths, h.set)
		if !ok {
			h.rank[joined] = true
			h.set = slices.DeleteFunc(h.set, func(i int) bool { return i == joined })
			return nil
		}
		out, part := approach(h.w, a, h.set)
		if out < 0 {
			clear(h.rank)
			return nil
		}
		i := h.set[out]
		h.w[i], h.set = 0, slices.Delete(h.set, out, out+1)
		if i == joined && part == 0 { // rounding: it does not lead nearer
			h.rank[i] = true
			return nil
		}
	}
}

// approach moves x, which is 0 or more, towards a point over a set as far as it
// stays so. It returns the place in the set of what met zero first, -1 for none,
// and the part of the way.
func approach(x, point []float64, set []int) (out int, part float64) {
	out, part = -1, 1
	for at, i := range set {
		if point[at] > 0 {
			continue
		}
		t := 0.0
		if x[i] > 0 {
			t = x[i] / (x[i] - point[at])
		}
		if out < 0 || t < part {
			out, part = at, t
		}
	}
	for at, i := range set {
		x[i] = max(0, x[i]+float64(part*(point[at]-x[i])))
	}
	return out, part
}

// affine returns the weights, with sum 1, of the point nearest to zero in the
// affine hull of a set of gradients, by the bordered system in unit gradients. ok
// is false if they are affinely dependent.
func affine(g aggregate.Gram, lengths []float64, set []int) (w []float64, ok bool) {
	k := len(set)
	if k == 1 {
		return []float64{1}, true
	}
	b := newBordered(g, lengths, set)
	rhs := make([]float64, k+1)
	rhs[k] = b.unit
	x, ok := b.solve(rhs)
	if !ok {
		return nil, false
	}
	w = x[:k]
	total := detmath.Sum(w)
	for i := range w {
		w[i] /= total
	}
	return w, finite(w)
}

// bordered is the system [C e; e' 0] of a set of gradients: C their cosines, e_i
// the shortest length over length i.
type bordered struct {
	lu      mat.LU
	lengths []float64 // of the set
	unit    float64   // the shortest of them
}

func newBordered(g aggregate.Gram, lengths []float64, set []int) *bordered {
	k := len(set)
	b := &bordered{lengths: make([]float64, k)}
	for at, i := range set {
		b.lengths[at] = lengths[i]
	}
	b.unit = slices.Min(b.lengths)
	m := mat.NewDense(k+1, k+1, nil)
	for a, i := range set {
		for c, j := range set {
			m.Set(a, c, g.At(i, j)/float64(lengths[i]*lengths[j]))
		}
		m.Set(a, k, b.unit/lengths[i])
		m.Set(k, a, b.unit/lengths[i])
	}
	b.lu.Factorize(m)
	return b
}

// solve returns the weights of the gradients for a right side, whose last element
// is the sum of the weights times unit, and before it inner products over lengths.
func (b *bordered) solve(rhs []float64) (w []float64, ok bool) {
	k := len(b.lengths)
	x := mat.NewVecDense(k+1, nil)
	if err := b.lu.SolveVecTo(x, false, mat.NewVecDense(k+1, rhs)); err != nil {
		return nil, false
	}
	w = make([]float64, k)
	for i := range w {
		w[i] = x.AtVec(i) / b.lengths[i]
	}
	return w, finite(w)
}
