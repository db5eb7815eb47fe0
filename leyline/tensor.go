package leyline

import "math/bits"

// DType is the type of the elements of a tensor.
type DType = Enum[dtypes]

type dtypes struct{}

func (dtypes) list() []string { return dtypeNames[:] }

var dtypeNames = [...]string{"unspecified", "float16", "bfloat16", "float32", "float64"}

// The types of elements, under the names that frameworks give them.
const (
	DTypeUnspecified DType = iota
	DTypeFloat16
	DTypeBFloat16
	DTypeFloat32
	DTypeFloat64
)

// Bounds on what a manifest lists.
const (
	MaxTensors    = 65536 // of a gradient
	MaxTensorRank = 16    // dimensions of a tensor
)

// Tensor describes one tensor of a gradient; a list of them is the gradient's
// manifest: its flat form is their elements one after the other.
type Tensor struct {
	Name   string   `json:"name"`
	DType  DType    `json:"dtype"`
	Device string   `json:"device"` // as the framework writes it: cpu, cuda:0
	Shape  []uint64 `json:"shape"`  // empty: a single number
}

// Elements returns the number of elements; ok is false if it does not fit 63
// bits.
func (t Tensor) Elements() (n uint64, ok bool) {
	n = 1
	for _, d := range t.Shape {
		hi, lo := bits.Mul64(n, d)
		if hi != 0 || lo > 1<<63-1 {
			return 0, false
		}
		n = lo
	}
	return n, true
}
