package detmath

import "math"

// Sum returns xs[0] + xs[1] + ... added left to right, starting from +0. It is
// 0 for an empty slice. Infinite or NaN elements follow IEEE 754; a NaN result
// is canonical.
func Sum(xs []float64) float64 {
	var s float64
	for _, x := range xs {
		s += x
	}
	return canon(s)
}

// Dot returns the inner product of x and y: products rounded to float64, then
// added left to right, starting from +0, never fused. It panics if the lengths
// differ. The cost is one addition latency per element (about 1 ms for 10^6).
func Dot(x, y []float64) float64 {
	if len(x) != len(y) {
		panic("detmath: lengths of vectors differ")
	}
	var s float64
	for i, v := range x {
		s += float64(v * y[i])
	}
	return canon(s)
}

// Norm returns the Euclidean length math.Sqrt(Dot(x, x)). It does not rescale:
// elements above about 1e154 give +Inf and below about 1e-162 give 0, as
// squares do.
func Norm(x []float64) float64 { return math.Sqrt(Dot(x, x)) }
