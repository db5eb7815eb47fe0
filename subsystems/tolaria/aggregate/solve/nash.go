package solve

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// bargain is the squared length, of the shortest convex combination of unit
// gradients, below which no Nash bargain can be told from none: its weights would
// have fewer than six digits.
const bargain = 1e-10

// nash minimises a'Ca/2 - sum of log a over the unit gradients, whose cosines are
// C. The problem is self-concordant, so damped Newton steps of 1/(1+r) converge
// from anywhere, r being the Newton decrement, and full ones as soon as r < 1/4.
func (p *problem) nash(s *leyline.Solution) error {
	k, lengths := p.g.K, aggregate.Lengths(p.g)
	c := aggregate.Cosines(p.g)
	if err := p.bargains(c, lengths); err != nil {
		return err
	}
	a := aggregate.MeanWeights(nil, k)
	stretch(a, c)
	for n := 0; ; {
		if err := p.step(&n, 1000); err != nil {
			return err
		}
		d, r, ok := newton(c, a)
		if !ok {
			return &ConvergenceError{p.method, p.iterations}
		}
		damp := 1.0
		if r >= 0.25 {
			damp = 1 / (1 + r)
		}
		for i := range a {
			a[i] += float64(damp * d[i])
		}
		if r <= rounding(k) || n > 50 && r < 1e-9 {
			break
		}
	}
	stretch(a, c)
	factor := math.Sqrt(p.scale) * (aggregate.NashLength(k, p.option.MaxNorm) / math.Sqrt(float64(k)))
	for i := range a {
		s.Weights[i] = float64(a[i]*factor) / lengths[i]
	}
	return nil
}

// bargains refuses gradients of which no combination improves every task.
func (p *problem) bargains(cosines aggregate.Gram, lengths []float64) error {
	for i, l := range lengths {
		if l == 0 {
			return p.undefined("gradient %d is zero, so no bargain improves its task", i)
		}
	}
	w, err := p.minNorm(cosines)
	if err != nil {
		return err
	}
	if q := aggregate.CombinedNormSq(cosines, w); q <= bargain {
		return p.undefined("no bargain improves every task: the shortest mean of the unit gradients has the squared length %v, at most %v", q, float64(bargain))
	}
	return nil
}

// stretch scales a so that a'Ca = k, as it is at the solution.
func stretch(a []float64, c aggregate.Gram) {
	f := math.Sqrt(float64(c.K) / aggregate.CombinedNormSq(c, a))
	for i := range a {
		a[i] = float64(a[i] * f)
	}
}

// newton returns the Newton step at a and its decrement. It works in the
// variables relative to a, in which the second derivative is at least the unit
// matrix.
func newton(c aggregate.Gram, a []float64) (step []float64, decrement float64, ok bool) {
	k := c.K
	m, b := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil)
	for i, v := range aggregate.Times(c, a) {
		for j := i; j < k; j++ {
			h := float64(a[i] * float64(c.At(i, j)*a[j]))
			if i == j {
				h++
			}
			m.SetSym(i, j, h)
		}
		b.SetVec(i, 1-float64(a[i]*v))
	}
	var f mat.Cholesky
	if !f.Factorize(m) {
		return nil, 0, false
	}
	x := mat.NewVecDense(k, nil)
	if err := f.SolveVecTo(x, b); err != nil {
		return nil, 0, false
	}
	step = make([]float64, k)
	for i := range step {
		step[i] = float64(a[i] * x.AtVec(i))
	}
	return step, math.Sqrt(max(0, detmath.Dot(x.RawVector().Data, b.RawVector().Data))), true
}
