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

	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// Float is the type of an element of a gradient.
type Float interface{ float32 | float64 }

// block is how many elements of every gradient are worked on at a time: those of
// eight fit the first level of cache of any machine.
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
	wide := newRows[T](k)
	for lo := 0; lo < n; lo += block {
		rows := wide.at(grads, lo, min(lo+block, n))
		for i, a := range rows {
			for j, b := range rows[:i+1] {
				g.V[i*k+j] += floats.Dot(a, b)
			}
		}
	}
	for i := range k {
		for j := range i {
			g.V[j*k+i] = g.V[i*k+j]
		}
	}
	return g, finiteGram(g, grads)
}

// Combine sets every element of dst to w_1*g_1 + ... + w_k*g_k, rounded to the type
// of the gradients. dst must have their length and may be one of them. The error
// is an *aggregate.VectorError; what dst then holds is undefined for
// aggregate.ReasonOverflow, and what it held before otherwise.
func Combine[T Float](dst []T, w []float64, grads [][]T) error {
	n, err := shape(grads)
	if err != nil {
		return err
	}
	if err := fitting(len(dst), n, w, len(grads)); err != nil {
		return err
	}
	wide := newRows[T](len(grads))
	sum := make([]float64, block)
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		sum = sum[:hi-lo]
		for i, g := range wide.at(grads, lo, hi) {
			if i == 0 {
				floats.ScaleTo(sum, w[0], g)
			} else {
				floats.AddScaled(sum, w[i], g)
			}
		}
		narrow(dst[lo:hi], sum)
		if at := overflow(dst[lo:hi], sum); at >= 0 {
			return overflowed(grads, lo+at, float64(dst[lo+at]))
		}
	}
	return nil
}

// rows are the elements of a block of every gradient, as float64.
type rows[T Float] struct {
	views [][]float64
	wide  [][]float64 // of float32 gradients, converted
}

func newRows[T Float](k int) *rows[T] {
	r := &rows[T]{views: make([][]float64, k)}
	if _, is32 := any(T(0)).(float32); is32 {
		memory := make([]float64, k*block)
		for i := range k {
			r.wide = append(r.wide, memory[i*block:(i+1)*block])
		}
	}
	return r
}

// at returns elements lo to hi of every gradient.
func (r *rows[T]) at(grads [][]T, lo, hi int) [][]float64 {
	switch gs := any(grads).(type) {
	case [][]float64:
		for i, g := range gs {
			r.views[i] = g[lo:hi]
		}
	case [][]float32:
		for i, g := range gs {
			to := r.wide[i][:hi-lo]
			for c, v := range g[lo:hi] {
				to[c] = float64(v)
			}
			r.views[i] = to
		}
	}
	return r.views
}

// narrow rounds src to the type of dst.
func narrow[T Float](dst []T, src []float64) {
	if d, ok := any(dst).([]float64); ok {
		copy(d, src)
		return
	}
	for i, v := range src {
		dst[i] = T(v)
	}
}

// overflow returns the first element of dst that is not finite, or -1. sum is
// what dst was rounded from.
func overflow[T Float](dst []T, sum []float64) int {
	if _, is64 := any(dst).([]float64); is64 && finite(floats.Sum(sum)) {
		return -1 // a sum over what is not finite is not finite
	}
	for i, v := range dst {
		if !finite(float64(v)) {
			return i
		}
	}
	return -1
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }
