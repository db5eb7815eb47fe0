package aggregate

import "github.com/esper-plane/esper/subsystems/detmath"

// resize returns dst with length n, in its own memory where that suffices.
// Contents are undefined.
func resize(dst []float64, n int) []float64 {
	if cap(dst) < n {
		return make([]float64, n)
	}
	return dst[:n]
}

// fill sets every element of dst, resized to k, to v.
func fill(dst []float64, k int, v float64) []float64 {
	if k < 0 {
		panic("aggregate: negative number of tasks")
	}
	dst = resize(dst, k)
	for i := range dst {
		dst[i] = v
	}
	return dst
}

// SumWeights returns k ones: the update is the sum of the gradients. It uses
// the memory of dst, which may be nil, if that is large enough. It panics if
// k < 0.
func SumWeights(dst []float64, k int) []float64 { return fill(dst, k, 1) }

// MeanWeights returns k times 1/k: the update is the mean of the gradients. It
// uses the memory of dst, which may be nil, if that is large enough. It panics
// if k < 0.
func MeanWeights(dst []float64, k int) []float64 { return fill(dst, k, 1/float64(max(k, 1))) }

// CombinedNormSq returns the squared length of the combination of the task
// gradients with weights w: the sum over i of w_i * (sum over j of G_ij*w_j),
// both left to right, and 0 where rounding makes that negative. It panics if
// len(w) is not K.
func CombinedNormSq(g Gram, w []float64) float64 {
	if len(w) != g.K {
		panic("aggregate: number of weights is not K")
	}
	gw := make([]float64, g.K)
	for i := range gw {
		gw[i] = detmath.Dot(g.V[i*g.K:(i+1)*g.K], w)
	}
	if s := detmath.Dot(w, gw); !(s < 0) {
		return s
	}
	return 0
}
