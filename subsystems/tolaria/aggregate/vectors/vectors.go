// Package vectors is the door for a caller who has the gradients themselves: it
// computes their Gram matrix and, with weights from it, their combination.
//
// Every element is read from memory once for all k(k+1)/2 inner products, and once
// more for the combination: the work goes through the gradients block by block,
// and what a block needs stays in the cache. Products and sums are float64 for
// float32 gradients too: a float32 sum of ones stops at 2^24. The result of a combination is rounded to the type of its
// gradients, once.
//
// The kernels are gonum's, so bits differ between machines and builds, by far less
// than 1e-12 of the lengths for any length. That is why the decider never computes
// a Gram matrix: it is given one, which is recorded. aggregate.FromVectors and
// aggregate.CombineVectors are the slow twins with the same bits everywhere.
package vectors

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// Float is the type of an element of a gradient.
type Float interface{ float32 | float64 }

// block is how many elements of every gradient are worked on at a time: those of
// eight float64 gradients fit a first-level cache of 32 KiB.
const block = 512

// Gram returns the Gram matrix of 1..aggregate.MaxTasks gradients of one length n
// >= 1. The error is an *aggregate.VectorError that names the first gradient that
// does not fit, or the first element that is not finite.
func Gram[T Float](grads [][]T) (aggregate.Gram, error) {
	n, err := shape(grads)
	if err != nil {
		return aggregate.Gram{}, err
	}
	k := len(grads)
	g := aggregate.Gram{K: k, V: make([]float64, k*k)}
	switch gs := any(grads).(type) {
	case [][]float64:
		products(g, gs, n, floats.Dot)
	case [][]float32:
		products(g, gs, n, dot32)
	}
	return g, finiteGram(g, grads)
}

// products adds up the inner products of all pairs, block by block.
func products[T Float](g aggregate.Gram, grads [][]T, n int, dot func(a, b []T) float64) {
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		for i, a := range grads {
			for j, b := range grads[:i+1] {
				g.V[i*g.K+j] += dot(a[lo:hi], b[lo:hi])
			}
		}
	}
	for i := range g.K {
		for j := range i {
			g.V[j*g.K+i] = g.V[i*g.K+j]
		}
	}
}

// dot32 multiplies and adds in float64.
func dot32(a, b []float32) float64 {
	return blas32.DDot(blas32.Vector{N: len(a), Data: a, Inc: 1}, blas32.Vector{N: len(b), Data: b, Inc: 1})
}

// Combine sets every element of dst to w_1*g_1 + ... + w_k*g_k, rounded to the type
// of the gradients. dst must have their length and may be one of them. The error
// is an *aggregate.VectorError; dst is undefined if that is about an element of a
// gradient or of the result, and untouched otherwise.
func Combine[T Float](dst []T, w []float64, grads [][]T) error {
	n, err := shape(grads)
	if err != nil {
		return err
	}
	if err := fitting(len(dst), n, w, len(grads)); err != nil {
		return err
	}
	switch gs := any(grads).(type) {
	case [][]float64:
		return combine64(any(dst).([]float64), w, gs)
	case [][]float32:
		return combine32(any(dst).([]float32), w, gs)
	}
	return nil
}

// combine64 works in dst, or beside it where dst is one of the gradients.
func combine64(dst, w []float64, grads [][]float64) error {
	var beside []float64
	for _, g := range grads {
		if &g[0] == &dst[0] {
			beside = make([]float64, block)
		}
	}
	for lo := 0; lo < len(dst); lo += block {
		hi := min(lo+block, len(dst))
		sum := dst[lo:hi]
		if beside != nil {
			sum = beside[:hi-lo]
		}
		for i, g := range grads {
			add(sum, w[i], g[lo:hi], i == 0)
		}
		if !finite(floats.Sum(sum)) { // as it is if an element is not
			if at := firstInfinite(sum); at >= 0 {
				return overflowed(grads, lo+at, sum[at])
			}
		}
		if beside != nil {
			copy(dst[lo:hi], sum)
		}
	}
	return nil
}

// combine32 adds in float64 and rounds each element once.
func combine32(dst []float32, w []float64, grads [][]float32) error {
	sum, wide := make([]float64, block), make([]float64, block)
	for lo := 0; lo < len(dst); lo += block {
		hi := min(lo+block, len(dst))
		sum, wide = sum[:hi-lo], wide[:hi-lo]
		for i, g := range grads {
			for c, v := range g[lo:hi] {
				wide[c] = float64(v)
			}
			add(sum, w[i], wide, i == 0)
		}
		to := dst[lo:hi]
		for c, v := range sum {
			to[c] = float32(v)
		}
		if at := firstInfinite(to); at >= 0 {
			return overflowed(grads, lo+at, float64(to[at]))
		}
	}
	return nil
}

// add adds w*g to sum, or sets it to that.
func add(sum []float64, w float64, g []float64, first bool) {
	if first {
		floats.ScaleTo(sum, w, g)
		return
	}
	floats.AddScaled(sum, w, g)
}

// firstInfinite returns the first element that is not finite, or -1.
func firstInfinite[T Float](xs []T) int {
	for i, v := range xs {
		if !finite(float64(v)) {
			return i
		}
	}
	return -1
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }
