package vectors_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/vectors"
)

func random[T vectors.Float](k, n int, seed uint64) [][]T {
	rng, grads := detmath.NewPCG(seed, seed), make([][]T, k)
	for i := range grads {
		grads[i] = make([]T, n)
		for c := range grads[i] {
			grads[i][c] = T(rng.Float64() - 0.5)
		}
	}
	return grads
}

// bytesOf is what one pass over k gradients moves: k reads for the Gram matrix, k
// reads and one write to combine.
func bytesOf(k, n, size int) float64 { return float64(2*k+1) * float64(n) * float64(size) }

var sizes = []struct{ k, n int }{
	{2, 1e5}, {4, 1e5}, {8, 1e5}, {16, 1e5}, {2, 1e6}, {4, 1e6}, {8, 1e6}, {16, 1e6}, {2, 1e7}, {4, 1e7}, {8, 1e7}, {16, 1e7}, {2, 25e6}, {4, 25e6},
}

// pass computes Gram matrix and combination of one set of gradients.
type pass func() error

// ofCopy alternates a pass with a copy of gradients of the same size, so that both
// see the machine in the same state, and reports the medians: GB/s of both, and
// the ratio. A copy reads and writes; a memory-bound loop cannot be faster.
func ofCopy(b *testing.B, k, n, size int, f pass) {
	b.Helper()
	src, dst := bytes.Repeat([]byte{1}, n*size), bytes.Repeat([]byte{2}, n*size) // touched: real pages
	copies := max(1, (2*k+1)/2)                                                  // as many bytes
	var mine, theirs []float64
	for b.Loop() {
		began := time.Now()
		for range copies {
			copy(dst, src)
		}
		between := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		theirs = append(theirs, between.Sub(began).Seconds())
		mine = append(mine, time.Since(between).Seconds())
	}
	bandwidth := float64(2*copies*n*size) / median(theirs)
	speed := bytesOf(k, n, size) / median(mine)
	b.ReportMetric(speed/1e9, "GB/s")
	b.ReportMetric(bandwidth/1e9, "copy-GB/s")
	b.ReportMetric(speed/bandwidth, "of-copy")
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}

func benchmarkBoth[T vectors.Float](b *testing.B, size int) {
	for _, s := range sizes {
		b.Run(fmt.Sprintf("k=%d/n=%d", s.k, s.n), func(b *testing.B) {
			grads := random[T](s.k, s.n, 2)
			dst := make([]T, s.n)
			ofCopy(b, s.k, s.n, size, func() error {
				g, err := vectors.Gram(grads)
				if err != nil {
					return err
				}
				return vectors.Combine(dst, aggregate.MeanWeights(nil, g.K), grads)
			})
		})
	}
}

// BenchmarkFloat64 is the whole vector path but the weights.
func BenchmarkFloat64(b *testing.B) { benchmarkBoth[float64](b, 8) }

// BenchmarkFloat32 is the same in float32.
func BenchmarkFloat32(b *testing.B) { benchmarkBoth[float32](b, 4) }

// BenchmarkPlainGonum is what one writes with gonum: J J' and J' w.
func BenchmarkPlainGonum(b *testing.B) {
	for _, s := range sizes {
		b.Run(fmt.Sprintf("k=%d/n=%d", s.k, s.n), func(b *testing.B) {
			j := mat.NewDense(s.k, s.n, nil)
			for i, g := range random[float64](s.k, s.n, 2) {
				j.SetRow(i, g)
			}
			var g mat.SymDense
			dst, w := mat.NewVecDense(s.n, nil), mat.NewVecDense(s.k, aggregate.MeanWeights(nil, s.k))
			ofCopy(b, s.k, s.n, 8, func() error {
				g.SymOuterK(1, j)
				dst.MulVec(j.T(), w)
				return nil
			})
		})
	}
}
