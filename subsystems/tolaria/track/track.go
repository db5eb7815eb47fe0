// Package track follows a noisy quantity, such as a loss or the length of a
// gradient, by its exponentially weighted mean and variance.
//
// It is pure and bit-reproducible: a value goes in and a new value comes out,
// every product is rounded before it is added, and no clock is read.
package track

import "math"

// EWMA is an exponentially weighted moving average. The zero value is the start:
// mean 0, variance 0. It is a plain value, copied freely and never changed in
// place.
type EWMA struct {
	Mean float64 // in the unit of the samples
	Var  float64 // in that unit squared. Invariant: not negative
	N    uint64  // samples seen
}

// Next returns the average after sample x, where alpha in (0, 1] is the weight
// of the new sample. With m and v the old mean and variance,
//
//	m' = alpha*x + (1-alpha)*m
//	v' = alpha*(x-m)*(x-m') + (1-alpha)*v, at least 0
//
// (the incremental form of West, "Updating Mean and Variance Estimates", CACM 22
// (1979), with constant weight). The mean stays within the range of 0 and the
// samples up to rounding. Next does not judge its arguments: callers refuse
// samples that are not finite, since one of them would stay in the mean for ever.
// Samples above about 1e153 overflow the variance to +Inf.
func (e EWMA) Next(alpha, x float64) EWMA {
	mean := float64(alpha*x) + float64((1-alpha)*e.Mean)
	step := float64(float64(alpha*(x-e.Mean)) * (x - mean))
	variance := step + float64((1-alpha)*e.Var)
	if variance < 0 {
		variance = 0
	}
	return EWMA{Mean: mean, Var: variance, N: e.N + 1}
}

// Unbiased returns the mean without the pull of its start at 0: the mean divided
// by what the samples weigh in it together, 1 - (1-alpha)^N (Kingma and Ba, "Adam",
// ICLR 2015, section 3). It is 0 before the first sample. alpha is the one that
// Next was given; with one so small that 1-alpha is 1 the result is not finite.
func (e EWMA) Unbiased(alpha float64) float64 {
	if e.N == 0 {
		return 0
	}
	rest := 1.0 // (1-alpha)^N by squaring
	for n, square := e.N, 1-alpha; n > 0; n >>= 1 {
		if n&1 == 1 {
			rest *= square
		}
		square *= square
	}
	return e.Mean / (1 - rest)
}

// Volatility returns the square root of the variance, in the unit of the
// samples.
func (e EWMA) Volatility() float64 { return math.Sqrt(e.Var) }
