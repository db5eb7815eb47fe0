package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// A kernel is a safetensors file with four tensors and two metadata entries.
// Weights are stored out x in, as most frameworks do:
//
//	in.weight  [width, hidden]    in.bias  [width]
//	out.weight [hidden, width]    out.bias [hidden]
//	format = "esper-kernel/1"     blueprint = the blueprint's id
const kernelFormat = "esper-kernel/1"

// kernelOutScale keeps the last layer of a new kernel small, but not zero, so
// that a graft hardly disturbs the host and yet passes a gradient inwards.
const kernelOutScale = 0.1

// ShapeError says that a tensor has another shape than the net needs.
type ShapeError struct {
	Tensor    string
	Want, Got []int
}

// Error implements error.
func (e *ShapeError) Error() string {
	return fmt.Sprintf("tensor %q: shape is %v, want %v", e.Tensor, e.Got, e.Want)
}

// ContentError says that a well-formed file does not hold what it should.
type ContentError struct {
	Name   string // tensor or metadata key
	Reason string // plain words
}

// Error implements error.
func (e *ContentError) Error() string { return fmt.Sprintf("%q: %s", e.Name, e.Reason) }

// NewKernel returns a kernel file for hidden units and a block of the given
// width, both within 1 and 256. The bytes are a pure function of the arguments:
// Glorot-uniform weights, those of the last layer times 0.1; biases zero.
func NewKernel(blueprint string, hidden, width int, seed uint64) ([]byte, error) {
	if blueprint == "" {
		return nil, fmt.Errorf("cannot make a kernel: the blueprint has no id")
	}
	if min(hidden, width) < 1 || max(hidden, width) > maxWidth {
		return nil, fmt.Errorf("cannot make a kernel: %d hidden units and width %d, not within 1 and %d", hidden, width, maxWidth)
	}
	m := newMLP(hidden, width, hidden, false)
	first, second := m.over(m.value)
	r := rand.NewPCG(seed, streamKernel)
	fillUniform(first.w.Data, glorot(hidden, width), r)
	fillUniform(second.w.Data, kernelOutScale*glorot(width, hidden), r)
	meta := map[string]string{"format": kernelFormat, "blueprint": blueprint}
	return EncodeTensors(meta, m.tensors("", m.value, "in", "out"))
}

// tensors returns views of flat, laid out like the parameters of m.
func (m *mlp) tensors(prefix string, flat []float64, first, second string) []Tensor {
	a, b := m.over(flat)
	return append(a.tensors(prefix+first), b.tensors(prefix+second)...)
}

func (a affine) tensors(name string) []Tensor {
	return []Tensor{
		{Name: name + ".weight", Shape: []int{a.w.Rows, a.w.Cols}, Data: a.w.Data},
		{Name: name + ".bias", Shape: []int{len(a.b)}, Data: a.b},
	}
}

// fill copies the tensors of a file into views of the same names and shapes. It
// refuses a tensor that is missing, unexpected, of another shape or not finite.
// Both slices get sorted by name. On an error some views may be filled.
func fill(views, file []Tensor) error {
	byName := func(a, b Tensor) int {
		if a.Name < b.Name {
			return -1
		}
		return 1 // names differ
	}
	slices.SortFunc(views, byName)
	slices.SortFunc(file, byName)
	for i, v := range views {
		switch {
		case i == len(file) || file[i].Name > v.Name:
			return &ContentError{v.Name, "tensor is missing"}
		case file[i].Name < v.Name:
			return &ContentError{file[i].Name, "tensor is not expected here"}
		case !slices.Equal(file[i].Shape, v.Shape):
			return &ShapeError{Tensor: v.Name, Want: v.Shape, Got: file[i].Shape}
		}
		for j, x := range file[i].Data {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return &ContentError{v.Name, fmt.Sprintf("element %d is %v", j, x)}
			}
		}
		copy(v.Data, file[i].Data)
	}
	if len(file) > len(views) {
		return &ContentError{file[len(views)].Name, "tensor is not expected here"}
	}
	return nil
}

type kernel struct {
	blueprint string
	width     int
	values    []float64 // laid out like the parameters of an mlp
}

// decodeKernel reads a kernel for a net of hidden units.
func decodeKernel(b []byte, hidden int) (kernel, error) {
	meta, ts, err := DecodeTensors(b)
	if err != nil {
		return kernel{}, err
	}
	k := kernel{blueprint: meta["blueprint"]}
	switch {
	case meta["format"] != kernelFormat:
		return kernel{}, &ContentError{"format", fmt.Sprintf("is %q, want %q", meta["format"], kernelFormat)}
	case k.blueprint == "":
		return kernel{}, &ContentError{"blueprint", "is missing"}
	}
	i := slices.IndexFunc(ts, func(t Tensor) bool { return t.Name == "in.bias" })
	if i < 0 {
		return kernel{}, &ContentError{"in.bias", "tensor is missing"}
	}
	if k.width = len(ts[i].Data); k.width < 1 || k.width > maxWidth {
		return kernel{}, &ContentError{"in.bias", fmt.Sprintf("width %d is not within 1 and %d", k.width, maxWidth)}
	}
	m := newMLP(hidden, k.width, hidden, false)
	if err := fill(m.tensors("", m.value, "in", "out"), ts); err != nil {
		return kernel{}, err
	}
	_, second := m.over(m.value)
	if floats.Dot(second.w.Data, second.w.Data) == 0 {
		return kernel{}, &ContentError{"out.weight", "is zero throughout: an identity stands in for a kernel"}
	}
	k.values = m.value
	return k, nil
}
