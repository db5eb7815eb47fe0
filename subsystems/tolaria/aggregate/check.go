package aggregate

import (
	"fmt"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Kinds of certificate.
const (
	CertificateKKT          = "kkt"          // optimality conditions: mgda, cagrad, upgrad, dualproj
	CertificateStationarity = "stationarity" // of the Nash bargaining problem: nash_mtl
	CertificateEigen        = "eigen"        // of an eigenvalue decomposition: imtl_g, aligned_mtl
)

// Tolerances of the certificates. Of what each implies the functions that compute
// the residuals tell.
const (
	kktTolerance          = 1e-12
	stationarityTolerance = 1e-7
	eigenTolerance        = 1e-6
)

// rankTolerance is, for each task, the part of the largest eigenvalue at or below
// which another counts as zero.
const rankTolerance = 1e-12

// Certificate is the proof of weights that were solved for.
type Certificate struct {
	Kind      string  `json:"kind"`      // one of the Certificate constants
	Residual  float64 `json:"residual"`  // 0 is exact; relative, so without a unit
	Tolerance float64 `json:"tolerance"` // up to which Residual proves
}

// CertificateError says why a solution is not one.
type CertificateError struct {
	Method leyline.Aggregation
	Certificate
	Reason string // instead of the residual, where there is none
}

// Error implements error.
func (e *CertificateError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("%s: %s", e.Method, e.Reason)
	}
	return fmt.Sprintf("%s: the %s residual is %v, over the tolerance %v", e.Method, e.Kind, e.Residual, e.Tolerance)
}

// Check proves that s holds the weights of a solved method (leyline.Solved) for
// the valid matrix g, or returns a *CertificateError. It solves nothing: the cost
// is O(k^2) for mgda, cagrad, dualproj and nash_mtl and O(k^3) for the others. A
// matrix of zeros has the weights 1/k under every method: whatever they are, the
// update is zero.
//
// What a certificate within its tolerance implies is an error of at most 1e-6 of
// the update, relative to the sum of |w_i| times the length of gradient i, and for
// nash_mtl, imtl_g and aligned_mtl of the weights too. Exactly what holds, and
// under what condition, is said at each method.
func Check(m leyline.Aggregation, o Options, g Gram, s *leyline.Solution) (Certificate, error) {
	p := proof{method: m, option: o, k: g.K, s: s}
	kind, tolerance := CertificateKKT, kktTolerance
	switch m {
	case leyline.AggregationNashMTL:
		kind, tolerance = CertificateStationarity, stationarityTolerance
	case leyline.AggregationIMTLG, leyline.AggregationAlignedMTL:
		kind, tolerance = CertificateEigen, eigenTolerance
	}
	c := Certificate{Kind: kind, Tolerance: tolerance}
	if reason := p.misfit(); reason != "" {
		return c, &CertificateError{m, c, reason}
	}
	p.g, p.scale = Scaled(g)
	reason := ""
	if c.Residual, reason = p.residual(); reason != "" || !(c.Residual <= c.Tolerance) {
		return c, &CertificateError{m, c, reason}
	}
	return c, nil
}

// proof is a certificate on its way.
type proof struct {
	method leyline.Aggregation
	option Options
	k      int
	g      Gram    // scaled
	scale  float64 // by this
	s      *leyline.Solution
}

// misfit says why a solution cannot belong to the problem, whatever its numbers.
func (p *proof) misfit() string {
	k := p.k
	switch {
	case p.s.Method == leyline.AggregationUnspecified:
		return "there is no solution"
	case p.s.Method != p.method:
		return fmt.Sprintf("the solution is of method %s", p.s.Method)
	case p.s.Option != p.option.Of(p.method):
		return fmt.Sprintf("the solution is for the option %v, in force is %v", p.s.Option, p.option.Of(p.method))
	case p.s.Problem != "":
		return p.s.Problem
	case len(p.s.Weights) != k:
		return fmt.Sprintf("%d weights for %d tasks", len(p.s.Weights), k)
	}
	for _, list := range [][]float64{p.s.Weights, p.s.Evidence} {
		if slices.ContainsFunc(list, func(v float64) bool { return !finite(v) }) {
			return "a number of the solution is not finite"
		}
	}
	return ""
}

// residual returns that of the method's certificate, or why there is none.
func (p *proof) residual() (r float64, reason string) {
	if p.scale == 0 {
		if !slices.Equal(p.s.Weights, MeanWeights(nil, p.k)) {
			return math.Inf(1), "the weights of zero gradients are not 1/k"
		}
		return 0, ""
	}
	switch p.method {
	case leyline.AggregationMGDA:
		return p.mgda(), ""
	case leyline.AggregationCAGrad:
		return p.cagrad(), ""
	case leyline.AggregationUPGrad:
		return p.upgrad()
	case leyline.AggregationDualProj:
		h := Regular(p.g, p.option.Reg)
		return cone(h, MeanWeights(nil, p.k), p.s.Weights), ""
	case leyline.AggregationNashMTL:
		return p.nash(), ""
	case leyline.AggregationIMTLG:
		return p.imtlg()
	case leyline.AggregationAlignedMTL:
		return p.aligned()
	}
	return math.Inf(1), "the method has no certificate"
}

// Scaled returns g times a power of four that brings its largest diagonal element
// to 1..4, and that factor, which is 0 for a matrix of zeros. Lengths scale by its
// root, which is exact. Gradients below 1e-150 times the longest may become zero.
func Scaled(g Gram) (Gram, float64) {
	largest := 0.0
	for i := range g.K {
		largest = max(largest, g.At(i, i))
	}
	if largest == 0 {
		return g, 0
	}
	exponent := int(math.Float64bits(largest)>>52) - 1023
	exponent = max(-1020, exponent&^1)
	factor := math.Float64frombits(uint64(1023-exponent) << 52)
	out := Gram{K: g.K, V: make([]float64, len(g.V))}
	for i, v := range g.V {
		out.V[i] = v * factor
	}
	return out, factor
}

// Lengths returns the lengths of the gradients: the roots of the diagonal.
func Lengths(g Gram) []float64 {
	l := make([]float64, g.K)
	for i := range l {
		l[i] = math.Sqrt(g.At(i, i))
	}
	return l
}

// Times returns the product of g and w: the inner product of every gradient with
// the combination of all by w.
func Times(g Gram, w []float64) []float64 {
	out := make([]float64, g.K)
	for i := range out {
		out[i] = detmath.Dot(g.V[i*g.K:(i+1)*g.K], w)
	}
	return out
}
