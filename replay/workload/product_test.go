package workload

import (
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// randomMatrix has elements in [-1, 1) and a stride of its own.
func randomMatrix(r, c, slack int, g *rand.PCG) blas64.General {
	m := blas64.General{Rows: r, Cols: c, Stride: c + slack, Data: make([]float64, r*(c+slack))}
	fillUniform(m.Data, 1, g)
	return m
}

// element returns element (i, j) of m or of its transpose.
func element(m blas64.General, t blas.Transpose, i, j int) float64 {
	if t == blas.Trans {
		i, j = j, i
	}
	return m.Data[i*m.Stride+j]
}

// slowProduct is the twin of product: one sum per element.
func slowProduct(y, a blas64.General, ta blas.Transpose, b blas64.General, tb blas.Transpose, inner int, beta float64) {
	for i := range y.Rows {
		for j := range y.Cols {
			sum := beta * y.Data[i*y.Stride+j]
			for k := range inner {
				sum += element(a, ta, i, k) * element(b, tb, k, j)
			}
			y.Data[i*y.Stride+j] = sum
		}
	}
}

// Panels of any shape give the product, and touch nothing beside it.
func TestProduct(t *testing.T) {
	g := rand.NewPCG(1, 1)
	sides := []int{1, 5, 63, 64, 65, 128, 130, 193, 324}
	for _, transposed := range [][2]blas.Transpose{{blas.NoTrans, blas.NoTrans}, {blas.NoTrans, blas.Trans}, {blas.Trans, blas.NoTrans}} {
		for _, r := range sides {
			for _, c := range sides {
				inner := 1 + below(g, 90)
				a, b := randomMatrix(r, inner, 3, g), randomMatrix(inner, c, 2, g)
				if transposed[0] == blas.Trans {
					a = randomMatrix(inner, r, 3, g)
				}
				if transposed[1] == blas.Trans {
					b = randomMatrix(c, inner, 2, g)
				}
				got := randomMatrix(r, c, 4, g)
				want := got
				want.Data = slices.Clone(got.Data)
				beta := float64(below(g, 3)) / 2
				product(got, a, transposed[0], b, transposed[1], beta)
				slowProduct(want, a, transposed[0], b, transposed[1], inner, beta)
				for i := range want.Data {
					if !(math.Abs(got.Data[i]-want.Data[i]) < 1e-12) {
						t.Fatalf("%d x %d x %d, %c%c: element %d is %g, want %g", r, inner, c, transposed[0], transposed[1], i, got.Data[i], want.Data[i])
					}
				}
			}
		}
	}
}

// The largest net that is allowed trains to the same bits on one processor and
// on two, and no goroutine is started on the way.
func TestStartsNoGoroutine(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector has goroutines of its own
	runtime.GC()
	var digests [][32]byte
	for _, processors := range []int{1, 2} {
		runtime.GOMAXPROCS(processors)
		n, rows := largestNet(t)
		before := goroutinesStarted()
		for range 2 {
			p, err := n.Step(rows)
			ok(t, err)
			ok(t, n.Apply(p, []float64{1, 1}))
		}
		_, err := n.Evaluate(rows)
		ok(t, err)
		if started := goroutinesStarted() - before; started != 0 {
			t.Errorf("%d goroutines were started on %d processors", started, processors)
		}
		digests = append(digests, n.Digest())
	}
	if digests[0] != digests[1] {
		t.Error("one processor and two give other weights")
	}
}

// largestNet is a net at every limit of size, with a learning seed that has as
// many filters as can be.
func largestNet(t *testing.T) (n *Net, rows []int) {
	t.Helper()
	g := rand.NewPCG(2, 2)
	d := blankData(maxRows+2, maxFeatures, maxWidth)
	d.Side = maxImage
	fillUniform(d.X.RawMatrix().Data, 1, g)
	n, err := NewNet(d, NetConfig{Hidden: maxWidth, Batch: maxRows})
	ok(t, err)
	kernel, err := NewKernel("wide", Block{Hidden: maxWidth, Width: maxWidth, Channels: maxChannels, Side: maxImage}, 1)
	ok(t, err)
	ok(t, n.Graft("s1", kernel))
	ok(t, n.SetMode("s1", ModeBlending))
	ok(t, n.SetAlpha("s1", 1))
	return n, d.Train
}

func goroutinesStarted() uint64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
