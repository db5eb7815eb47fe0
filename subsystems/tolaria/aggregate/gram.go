package aggregate

import (
	"fmt"
	"math"

	"github.com/esper-plane/esper/leyline"
)

// MaxTasks is the largest number of tasks that one aggregation takes.
const MaxTasks = leyline.MaxTasks

// Reasons of a GramError.
const (
	ReasonTasks      = "number of tasks outside 1..64"
	ReasonShape      = "number of elements is not K*K"
	ReasonNonFinite  = "element is not finite"
	ReasonAsymmetric = "matrix is not symmetric"
	ReasonNegative   = "diagonal element is negative"
	ReasonCauchy     = "element breaks the Cauchy-Schwarz inequality"
	cauchyTolerance  = 1e-6
	smallestNormal   = 0x1p-1022
)

// Gram is a k x k row-major matrix of inner products of task gradients, in
// squared units of the gradient.
type Gram struct {
	K int       // number of tasks, 1..MaxTasks
	V []float64 // K*K elements; row i starts at i*K
}

// GramError names the first condition that a Gram matrix breaks.
type GramError struct {
	Reason string  // one of the Reason constants
	I, J   int     // row and column; both -1 where the matrix as a whole is meant
	Value  float64 // offending element; K for ReasonTasks, len(V) for ReasonShape
}

// Error implements error.
func (e *GramError) Error() string {
	if e.I < 0 {
		return fmt.Sprintf("gram matrix: %s (%v)", e.Reason, e.Value)
	}
	return fmt.Sprintf("gram matrix: %s: element (%d, %d) is %v", e.Reason, e.I, e.J, e.Value)
}

// At returns <g_i, g_j>. It panics if i or j is outside 0..K-1 or the matrix
// has the wrong shape.
func (g Gram) At(i, j int) float64 {
	if uint(i) >= uint(g.K) || uint(j) >= uint(g.K) {
		panic("aggregate: index outside the Gram matrix")
	}
	return g.V[i*g.K+j]
}

// Validate returns nil if g can be the Gram matrix of real vectors that were
// multiplied in floating point, and otherwise a *GramError. It checks, in this
// order: K in 1..MaxTasks, len(V) = K*K, every element finite, the diagonal not
// negative, exact symmetry (-0 equals +0), and
//
//	|G_ij| <= (1 + 1e-6) * sqrt(G_ii + u) * sqrt(G_jj + u),  u = 2^-1022,
//
// where u forgives what squares lose when they fall below the normal range.
// Elements are visited by rows and the first offender is named. Being positive
// semidefinite as a whole is not checked.
func (g Gram) Validate() error {
	if g.K < 1 || g.K > MaxTasks {
		return &GramError{ReasonTasks, -1, -1, float64(g.K)}
	}
	if len(g.V) != g.K*g.K {
		return &GramError{ReasonShape, -1, -1, float64(len(g.V))}
	}
	for at, v := range g.V {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &GramError{ReasonNonFinite, at / g.K, at % g.K, v}
		}
	}
	for i := range g.K {
		if v := g.At(i, i); v < 0 {
			return &GramError{ReasonNegative, i, i, v}
		}
	}
	for i := range g.K {
		if err := g.checkRow(i); err != nil {
			return err
		}
	}
	return nil
}

// checkRow compares the elements right of the diagonal with their mirror images
// and with the diagonal. It returns a plain error, never a typed nil.
func (g Gram) checkRow(i int) error {
	ri := math.Sqrt(g.At(i, i) + smallestNormal)
	for j := i + 1; j < g.K; j++ {
		v := g.At(i, j)
		if v != g.At(j, i) {
			return &GramError{ReasonAsymmetric, i, j, v}
		}
		rj := math.Sqrt(g.At(j, j) + smallestNormal)
		if math.Abs(v) > float64((1+cauchyTolerance)*ri)*rj {
			return &GramError{ReasonCauchy, i, j, v}
		}
	}
	return nil
}

// Conflicts returns the number of unordered pairs of tasks whose gradients have
// a negative inner product, and its ratio to all k(k-1)/2 pairs, in [0, 1]. The
// ratio is 0 for a single task. It looks above the diagonal only and expects a
// valid matrix.
func Conflicts(g Gram) (n int, ratio float64) {
	for i := range g.K {
		for j := i + 1; j < g.K; j++ {
			if g.At(i, j) < 0 {
				n++
			}
		}
	}
	if g.K < 2 {
		return n, 0
	}
	return n, float64(n) / float64(g.K*(g.K-1)/2)
}
