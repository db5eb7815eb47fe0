package aggregate

import (
	"fmt"
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Reasons of a VectorError.
const (
	ReasonNone      = "no gradients"
	ReasonTooMany   = "more than 64 gradients"
	ReasonEmpty     = "gradient has no elements"
	ReasonLength    = "length differs from that of gradient 0"
	ReasonElement   = "element is not finite"
	ReasonWeights   = "number of weights differs from that of gradients"
	ReasonWeight    = "weight is not finite"
	ReasonResult    = "length of the result differs from that of the gradients"
	ReasonOverflow  = "result is not finite"
	ReasonInnerOver = "inner product is not finite"
	ReasonTotal     = "weights cannot be normalised: their sum is not finite and greater than 1e-12"
	ReasonStage     = "stage of the seed is unknown"
	ReasonAlpha     = "alpha is not a number from 0 to 1"

	ReasonWeightCount = "number of weights outside 1..64"
)

// VectorError names the first condition that gradients, weights or their
// combination break. Fields that a reason does not use are -1 or 0.
type VectorError struct {
	Reason    string  // one of the Reason constants
	Index     int     // gradient or weight, from 0
	Element   int     // element of the gradient, or of the result for ReasonOverflow; the other gradient for ReasonInnerOver
	Got, Want int     // lengths or numbers that differ
	Value     float64 // offending number
}

// Error implements error.
func (e *VectorError) Error() string {
	switch e.Reason {
	case ReasonNone:
		return "gradients: " + e.Reason
	case ReasonEmpty:
		return fmt.Sprintf("gradient %d: has no elements", e.Index)
	case ReasonTooMany, ReasonWeights, ReasonResult, ReasonWeightCount:
		return fmt.Sprintf("gradients: %s: %d, want %d", e.Reason, e.Got, e.Want)
	case ReasonLength:
		return fmt.Sprintf("gradient %d: %s: %d, want %d", e.Index, e.Reason, e.Got, e.Want)
	case ReasonInnerOver:
		return fmt.Sprintf("gradients %d and %d: %s (%v)", e.Index, e.Element, e.Reason, e.Value)
	case ReasonOverflow:
		return fmt.Sprintf("combined gradient: %s: element %d is %v", e.Reason, e.Element, e.Value)
	case ReasonWeight, ReasonAlpha:
		return fmt.Sprintf("weight %d: %s (%v)", e.Index, e.Reason, e.Value)
	case ReasonStage:
		return fmt.Sprintf("weight %d: %s (%s)", e.Index, e.Reason, leyline.Stage(e.Value))
	case ReasonTotal:
		return fmt.Sprintf("%s (%v)", e.Reason, e.Value)
	}
	return fmt.Sprintf("gradient %d: %s: element %d is %v", e.Index, e.Reason, e.Element, e.Value)
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

// checkVectors returns the common length, or a *VectorError. Lengths are
// checked before elements.
func checkVectors(grads [][]float64) (n int, err error) {
	switch {
	case len(grads) == 0:
		return 0, &VectorError{Reason: ReasonNone, Index: -1, Element: -1}
	case len(grads) > MaxTasks:
		return 0, &VectorError{Reason: ReasonTooMany, Index: -1, Element: -1, Got: len(grads), Want: MaxTasks}
	case len(grads[0]) == 0:
		return 0, &VectorError{Reason: ReasonEmpty, Element: -1}
	}
	n = len(grads[0])
	for i, g := range grads {
		if len(g) != n {
			return 0, &VectorError{Reason: ReasonLength, Index: i, Element: -1, Got: len(g), Want: n}
		}
	}
	for i, g := range grads {
		for c, v := range g {
			if !finite(v) {
				return 0, &VectorError{Reason: ReasonElement, Index: i, Element: c, Value: v}
			}
		}
	}
	return n, nil
}

// FromVectors returns the Gram matrix of 1..MaxTasks gradients of one length
// n >= 1. Inner products are accumulated in float64 from the first element to
// the last, and each is computed once, so the result is exactly symmetric and
// valid. The error is a *VectorError that names the first gradient that does
// not fit. The cost is k(k+1)/2 inner products of length n.
func FromVectors(grads [][]float64) (Gram, error) {
	if _, err := checkVectors(grads); err != nil {
		return Gram{}, err
	}
	k := len(grads)
	g := Gram{K: k, V: make([]float64, k*k)}
	for i, a := range grads {
		for j := i; j < k; j++ {
			d := detmath.Dot(a, grads[j])
			if !finite(d) {
				return Gram{}, &VectorError{Reason: ReasonInnerOver, Index: i, Element: j, Value: d}
			}
			g.V[i*k+j], g.V[j*k+i] = d, d
		}
	}
	return g, nil
}

// CombineVectors sets every element of dst to w_1*g_1 + ... + w_k*g_k, added in
// the order of the tasks. dst must have the length of the gradients and may be
// one of them. The error is a *VectorError; dst is undefined only for
// ReasonOverflow and untouched otherwise.
func CombineVectors(dst []float64, w []float64, grads [][]float64) error {
	n, err := checkVectors(grads)
	if err != nil {
		return err
	}
	if len(w) != len(grads) {
		return &VectorError{Reason: ReasonWeights, Index: -1, Element: -1, Got: len(w), Want: len(grads)}
	}
	for i, v := range w {
		if !finite(v) {
			return &VectorError{Reason: ReasonWeight, Index: i, Element: -1, Value: v}
		}
	}
	if len(dst) != n {
		return &VectorError{Reason: ReasonResult, Index: -1, Element: -1, Got: len(dst), Want: n}
	}
	for c := range dst {
		var s float64
		for i, g := range grads {
			s += float64(w[i] * g[c])
		}
		if !finite(s) {
			return &VectorError{Reason: ReasonOverflow, Index: -1, Element: c, Value: s}
		}
		dst[c] = s
	}
	return nil
}
