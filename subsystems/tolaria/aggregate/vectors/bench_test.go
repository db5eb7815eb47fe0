package vectors_test

import (
	"fmt"
	"testing"

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
func bytesOf(k, n, size int) int64 { return int64(2*k+1) * int64(n) * int64(size) }

var sizes = []struct{ k, n int }{
	{2, 1e5}, {4, 1e5}, {8, 1e5}, {16, 1e5}, {2, 1e6}, {4, 1e6}, {8, 1e6}, {16, 1e6}, {2, 1e7}, {4, 1e7}, {8, 1e7}, {2, 25e6}, {4, 25e6},
}

// BenchmarkCopy is the copy bandwidth of the machine, reads and writes counted: a
// memory-bound loop cannot be faster.
func BenchmarkCopy(b *testing.B) {
	for _, n := range []int{1e5, 1e6, 1e7, 25e6} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			x := random[float64](2, n, 1)
			b.SetBytes(int64(n) * 16)
			for b.Loop() {
				copy(x[0], x[1])
			}
		})
	}
}

func benchmarkBoth[T vectors.Float](b *testing.B, size int) {
	for _, s := range sizes {
		b.Run(fmt.Sprintf("k=%d/n=%d", s.k, s.n), func(b *testing.B) {
			grads := random[T](s.k, s.n, 2)
			dst := make([]T, s.n)
			b.SetBytes(bytesOf(s.k, s.n, size))
			for b.Loop() {
				g, err := vectors.Gram(grads)
				if err != nil {
					b.Fatal(err)
				}
				if err := vectors.Combine(dst, aggregate.MeanWeights(nil, g.K), grads); err != nil {
					b.Fatal(err)
				}
			}
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
			b.SetBytes(bytesOf(s.k, s.n, 8))
			for b.Loop() {
				g.SymOuterK(1, j)
				dst.MulVec(j.T(), w)
			}
		})
	}
}
