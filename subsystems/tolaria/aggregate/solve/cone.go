package solve

import (
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// upgrad projects every gradient on its own; the evidence is the projections.
func (p *problem) upgrad(s *leyline.Solution) error {
	k := p.g.K
	h, u := aggregate.Regular(p.g, p.option.Reg), make([]float64, k)
	for i := range k {
		clear(u)
		u[i] = 1 / float64(k)
		v, err := p.project(h, u)
		if err != nil {
			return err
		}
		s.Evidence = append(s.Evidence, v...)
	}
	s.Weights = aggregate.AddRows(s.Evidence, k)
	return nil
}

// project returns v >= u with the least v'Hv: non-negative least squares for v-u
// by active sets. h is not zero.
func (p *problem) project(h aggregate.Gram, u []float64) ([]float64, error) {
	c := cone{h: h, lengths: aggregate.Lengths(h), u: u, z: make([]float64, h.K), tried: make([]bool, h.K)}
	c.hu = aggregate.Times(h, u)
	limit := 100 * (h.K + 1)
	for n := 0; ; {
		j := c.opposed()
		if j < 0 {
			return c.v(), nil
		}
		c.set = append(c.set, j)
		if err := p.free(&c, &n, limit); err != nil {
			return nil, err
		}
	}
}

// cone is a combination v = u+z with z >= 0.
type cone struct {
	h       aggregate.Gram
	lengths []float64
	u, hu   []float64 // and H u
	z       []float64
	set     []int  // where z may be positive
	tried   []bool // joined the set in vain since z last changed
}

func (c *cone) v() []float64 {
	v := make([]float64, len(c.u))
	for i := range v {
		v[i] = c.u[i] + c.z[i]
	}
	return v
}

// opposed returns the gradient that v opposes most, or -1.
func (c *cone) opposed() int {
	v := c.v()
	size := detmath.Dot(v, c.lengths)
	at, worst := -1, rounding(c.h.K)
	for i, y := range aggregate.Times(c.h, v) {
		if y >= 0 || c.lengths[i] == 0 || c.tried[i] || slices.Contains(c.set, i) {
			continue
		}
		if by := -y / float64(c.lengths[i]*size); by > worst {
			at, worst = i, by
		}
	}
	return at
}

// free moves to the best z over the set, dropping what becomes zero.
func (p *problem) free(c *cone, n *int, limit int) error {
	joined := c.set[len(c.set)-1]
	for {
		if err := p.step(n, limit); err != nil {
			return err
		}
		b, ok := c.best()
		if !ok {
			c.tried[joined] = true
			c.set = slices.DeleteFunc(c.set, func(i int) bool { return i == joined })
			return nil
		}
		out, part := approach(c.z, b, c.set)
		if out < 0 {
			clear(c.tried)
			return nil
		}
		i := c.set[out]
		c.z[i], c.set = 0, slices.Delete(c.set, out, out+1)
		if i == joined && part == 0 { // rounding: it does not help
			c.tried[i] = true
			return nil
		}
	}
}

// best returns z over the set that makes H(u+z) zero there. ok is false if those
// gradients are dependent.
func (c *cone) best() (z []float64, ok bool) {
	k := len(c.set)
	m, b := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil)
	for a, i := range c.set {
		for d := a; d < k; d++ {
			j := c.set[d]
			m.SetSym(a, d, c.h.At(i, j)/float64(c.lengths[i]*c.lengths[j]))
		}
		b.SetVec(a, -c.hu[i]/c.lengths[i])
	}
	var f mat.Cholesky
	if !f.Factorize(m) {
		return nil, false
	}
	x := mat.NewVecDense(k, nil)
	if err := f.SolveVecTo(x, b); err != nil {
		return nil, false
	}
	z = make([]float64, k)
	for a, i := range c.set {
		z[a] = x.AtVec(a) / c.lengths[i]
	}
	return z, finite(z)
}
