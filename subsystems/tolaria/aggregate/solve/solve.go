package solve

import (
	"fmt"
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// UndefinedError says that a method has no weights for these gradients.
type UndefinedError struct {
	Method leyline.Aggregation
	Reason string
}

// Error implements error.
func (e *UndefinedError) Error() string { return fmt.Sprintf("%s: %s", e.Method, e.Reason) }

// ConvergenceError says that a solver gave up.
type ConvergenceError struct {
	Method     leyline.Aggregation
	Iterations int
}

// Error implements error.
func (e *ConvergenceError) Error() string {
	return fmt.Sprintf("%s: no convergence after %d iterations", e.Method, e.Iterations)
}

// Weights returns the proven weights of a solved method (leyline.Solved) for g,
// with their certificate. The error is a *aggregate.GramError if g is not valid,
// an *UndefinedError if the method has no weights for it, a *ConvergenceError if
// the solver gave up and an *aggregate.CertificateError if what it found cannot be
// proven, as where the gradients are nearly dependent. It panics if m is not
// solved for. The cost is O(k^4) for upgrad, and up to that for cagrad, mgda and
// dualproj; O(k^3) for the others.
func Weights(m leyline.Aggregation, o aggregate.Options, g aggregate.Gram) (leyline.Solution, aggregate.Certificate, error) {
	if !leyline.Solved(m) {
		panic("solve: nothing to solve for " + m.String())
	}
	if err := g.Validate(); err != nil {
		return leyline.Solution{}, aggregate.Certificate{}, err
	}
	p := problem{method: m, option: o}
	p.g, p.scale = aggregate.Scaled(g)
	s := leyline.Solution{Method: m, Option: o.Of(m), Weights: aggregate.MeanWeights(nil, g.K)}
	if p.scale != 0 {
		if err := p.solve(&s); err != nil {
			return leyline.Solution{}, aggregate.Certificate{}, err
		}
	}
	s.Iterations = uint32(p.iterations)
	c, err := aggregate.Check(m, o, g, &s)
	if err != nil {
		return leyline.Solution{}, c, err
	}
	return s, c, nil
}

// Step returns the solution for a step under a configuration, to be recorded in
// its input. Where there is none, Problem says why. The zero solution is that of a
// method that needs none, and of gradients that are no Gram matrix.
func Step(c *leyline.TolariaConfig, x *leyline.StepObserved) leyline.Solution {
	g := aggregate.Gram{K: len(x.Losses), V: x.Gram}
	if !leyline.Solved(c.Aggregation) || g.Validate() != nil {
		return leyline.Solution{}
	}
	o := aggregate.Configured(c)
	s, _, err := Weights(c.Aggregation, o, g)
	if err != nil {
		return leyline.Solution{Method: c.Aggregation, Option: o.Of(c.Aggregation), Problem: err.Error()}
	}
	return s
}

// For returns the solution of a step for the rule of a configuration: the one that
// it holds if that fits, and else what Step returns.
func For(c *leyline.TolariaConfig, x *leyline.StepObserved) leyline.Solution {
	if Fits(c, x) {
		return x.Solution
	}
	return Step(c, x)
}

// Fits reports whether the solution of a step is for the rule of a configuration,
// or is none and the rule needs none. A step whose gradients are no Gram matrix
// needs none.
func Fits(c *leyline.TolariaConfig, x *leyline.StepObserved) bool {
	if !leyline.Solved(c.Aggregation) {
		return x.Solution.Method == leyline.AggregationUnspecified
	}
	if x.Solution.Method == leyline.AggregationUnspecified {
		return aggregate.Gram{K: len(x.Losses), V: x.Gram}.Validate() != nil
	}
	return x.Solution.Method == c.Aggregation && x.Solution.Option == aggregate.Configured(c).Of(c.Aggregation)
}

// problem is what a solver works on.
type problem struct {
	method     leyline.Aggregation
	option     aggregate.Options
	g          aggregate.Gram // scaled, not zero
	scale      float64
	iterations int
}

func (p *problem) solve(s *leyline.Solution) error {
	switch p.method {
	case leyline.AggregationMGDA:
		w, err := p.minNorm(p.g)
		s.Weights = w
		return err
	case leyline.AggregationCAGrad:
		return p.cagrad(s)
	case leyline.AggregationUPGrad:
		return p.upgrad(s)
	case leyline.AggregationDualProj:
		v, err := p.project(aggregate.Regular(p.g, p.option.Reg), s.Weights)
		s.Weights = v
		return err
	case leyline.AggregationNashMTL:
		return p.nash(s)
	case leyline.AggregationIMTLG:
		return p.imtlg(s)
	default:
		return p.aligned(s)
	}
}

func (p *problem) undefined(format string, args ...any) error {
	return &UndefinedError{p.method, fmt.Sprintf(format, args...)}
}

// step counts an iteration, and gives up after limit of them in a row.
func (p *problem) step(n *int, limit int) error {
	*n++
	p.iterations++
	if *n > limit {
		return &ConvergenceError{p.method, p.iterations}
	}
	return nil
}

// rounding is a bound on what rounding makes of an inner product of k terms, as a
// part of the product of lengths.
func rounding(k int) float64 { return float64(4*float64(k)) * 0x1p-52 }

func finite(xs []float64) bool {
	for _, v := range xs {
		if !(math.Abs(v) <= math.MaxFloat64) {
			return false
		}
	}
	return true
}
