package workload

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// Limits of size.
const (
	maxRows     = 256  // rows of one mini-batch
	maxFeatures = 1024 // columns of the data
	maxWidth    = 256  // hidden units, kernel width, classes
)

// matrix returns a zero matrix of r x c in row-major order.
func matrix(r, c int) blas64.General {
	return blas64.General{Rows: r, Cols: c, Stride: c, Data: make([]float64, r*c)}
}

// top returns the first r rows of m, sharing its memory.
func top(m blas64.General, r int) blas64.General {
	m.Rows, m.Data = r, m.Data[:r*m.Stride]
	return m
}

// affine is y = x wᵀ + b; w is out x in. It views memory owned by others.
type affine struct {
	w blas64.General
	b []float64
}

// affineSize is the number of parameters of an affine map.
func affineSize(in, out int) int { return in*out + out }

// affineOver lays an affine map over the start of flat: weights, then bias.
func affineOver(flat []float64, in, out int) affine {
	return affine{
		w: blas64.General{Rows: out, Cols: in, Stride: in, Data: flat[:in*out]},
		b: flat[in*out : affineSize(in, out)],
	}
}

// forward writes the map of the rows of x to y.
func (a affine) forward(y, x blas64.General) {
	for i := range y.Rows {
		copy(y.Data[i*y.Stride:i*y.Stride+y.Cols], a.b)
	}
	product(y, x, blas.NoTrans, a.w, blas.Trans, 1)
}

// gradient adds to a, seen as a gradient, what the upstream gradient dy owes to
// the parameters for input x.
func (a affine) gradient(dy, x blas64.General) {
	product(a.w, dy, blas.Trans, x, blas.NoTrans, 1)
	for i := range dy.Rows {
		floats.Add(a.b, dy.Data[i*dy.Stride:i*dy.Stride+dy.Cols])
	}
}

// input overwrites dx with the gradient with respect to the input.
func (a affine) input(dx, dy blas64.General) {
	product(dx, dy, blas.NoTrans, a.w, blas.NoTrans, 0)
}

// params is a flat block of parameters and its momentum, of equal length.
type params struct {
	value    []float64
	velocity []float64
}

func newParams(n int) params {
	return params{value: make([]float64, n), velocity: make([]float64, n)}
}

// descend does one step of gradient descent with momentum:
// velocity = momentum*velocity + grad; value -= rate*velocity.
func (p params) descend(grad []float64, rate, momentum float64) {
	for i, g := range grad {
		p.velocity[i] = float64(momentum*p.velocity[i]) + g
		p.value[i] -= float64(rate * p.velocity[i])
	}
}

// mlp is affine, tanh, affine, tanh: the trunk.
type mlp struct {
	params
	in, mid, out int
}

func newMLP(in, mid, out int) mlp {
	return mlp{params: newParams(affineSize(in, mid) + affineSize(mid, out)), in: in, mid: mid, out: out}
}

func (m *mlp) size() int { return len(m.value) }

// over lays the two affine maps over flat, which is the parameters, the
// velocity or a gradient.
func (m *mlp) over(flat []float64) (first, second affine) {
	return affineOver(flat, m.in, m.mid), affineOver(flat[affineSize(m.in, m.mid):], m.mid, m.out)
}

// tensors returns views of flat, laid out like the parameters of m.
func (m *mlp) tensors(prefix string, flat []float64) []tensorfile.Tensor {
	first, second := m.over(flat)
	return append(first.tensors(prefix+"1"), second.tensors(prefix+"2")...)
}

// trace holds what one forward pass of an mlp leaves for the backward pass, and
// scratch for the latter.
type trace struct {
	x, mid, y  blas64.General
	dMid, dOut blas64.General
}

func newTrace(rows int, m *mlp) trace {
	return trace{
		x: matrix(rows, m.in), mid: matrix(rows, m.mid), y: matrix(rows, m.out),
		dMid: matrix(rows, m.mid), dOut: matrix(rows, m.out),
	}
}

// forward fills tr from the first rows rows of tr.x.
func (m *mlp) forward(tr *trace, rows int) {
	first, second := m.over(m.value)
	mid, y := top(tr.mid, rows), top(tr.y, rows)
	first.forward(mid, top(tr.x, rows))
	squash(mid.Data)
	second.forward(y, mid)
	squash(y.Data)
}

// backward adds the gradient with respect to the parameters to grad, for the
// upstream gradient dy. It reads tr as the last forward left it and leaves dy
// alone.
func (m *mlp) backward(tr *trace, dy blas64.General, grad []float64) {
	rows := dy.Rows
	_, second := m.over(m.value)
	gFirst, gSecond := m.over(grad)
	dOut, dMid := top(tr.dOut, rows), top(tr.dMid, rows)
	copy(dOut.Data, dy.Data)
	unsquash(dOut.Data, tr.y.Data)
	gSecond.gradient(dOut, top(tr.mid, rows))
	second.input(dMid, dOut)
	unsquash(dMid.Data, tr.mid.Data)
	gFirst.gradient(dMid, top(tr.x, rows))
}

// squash replaces every number by its hyperbolic tangent.
func squash(v []float64) {
	for i, x := range v {
		v[i] = math.Tanh(x)
	}
}

// unsquash multiplies d by the slope of tanh where it had the value y.
func unsquash(d, y []float64) {
	for i := range d {
		d[i] *= 1 - float64(y[i]*y[i])
	}
}

// crossEntropy returns the sum of -log softmax(logits)[label] over the rows and
// the number of rows whose label has strictly the largest logit, so that a row
// of NaN is never correct. It replaces the logits by scale*(softmax - onehot).
func crossEntropy(logits blas64.General, labels []int, scale float64) (sum float64, correct int) {
	for i := range logits.Rows {
		z := logits.Data[i*logits.Stride : i*logits.Stride+logits.Cols]
		label := labels[i]
		if wins(z, label) {
			correct++
		}
		peak, atLabel, total := slices.Max(z), z[label], 0.0 // slices.Max propagates NaN
		for j, v := range z {
			z[j] = math.Exp(v - peak)
			total += z[j]
		}
		sum += math.Log(total) + peak - atLabel
		for j := range z {
			z[j] = scale * z[j] / total
		}
		z[label] -= scale
	}
	return sum, correct
}

func wins(z []float64, label int) bool {
	for j, v := range z {
		if j != label && !(z[label] > v) {
			return false
		}
	}
	return !math.IsNaN(z[label])
}
