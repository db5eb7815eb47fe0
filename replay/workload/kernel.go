package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// A kernel is a safetensors file with four tensors, two more if it has filters,
// and three metadata entries. Weights are stored out x in, as most frameworks do:
//
//	filter.weight [channels, 25]      filter.bias [channels]
//	in.weight     [width, hidden]     in.bias     [width]
//	out.weight    [hidden, mid]       out.bias    [hidden]
//	format = "esper-kernel/2"     blueprint = the blueprint's id
//	reads = "trunk", or "input,trunk" of a kernel with filters
//
// A filter is a square of 5 x 5 pixels, row by row; mid is width and the number
// of channels times that of the image's patches, see Block.
const kernelFormat = "esper-kernel/2"

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

// NewKernel returns a kernel file for a block of the given make-up. The bytes
// are a pure function of the arguments: Glorot-uniform weights in the order
// filter, in, out, those of the last layer times 0.1; biases zero.
func NewKernel(blueprint string, shape Block, seed uint64) ([]byte, error) {
	if blueprint == "" {
		return nil, fmt.Errorf("cannot make a kernel: the blueprint has no id")
	}
	if err := shape.validate(); err != nil {
		return nil, fmt.Errorf("cannot make a kernel: %w", err)
	}
	values := make([]float64, shape.size())
	m := shape.over(values)
	r := rand.NewPCG(seed, streamKernel)
	fillUniform(m.filter.w.Data, glorot(patchArea, shape.Channels), r)
	fillUniform(m.in.w.Data, glorot(shape.Hidden, shape.Width), r)
	fillUniform(m.out.w.Data, kernelOutScale*glorot(shape.mid(), shape.Hidden), r)
	meta := map[string]string{"format": kernelFormat, "blueprint": blueprint, "reads": shape.Reads()}
	return tensorfile.Encode(meta, shape.tensors("", values))
}

func (a affine) tensors(name string) []tensorfile.Tensor {
	return []tensorfile.Tensor{
		{Name: name + ".weight", Shape: []int{a.w.Rows, a.w.Cols}, Data: a.w.Data},
		{Name: name + ".bias", Shape: []int{len(a.b)}, Data: a.b},
	}
}

// fill copies the tensors of a file into views of the same names and shapes. It
// refuses a tensor that is missing, unexpected, of another shape or not finite.
// Both slices get sorted by name. On an error some views may be filled.
func fill(views, file []tensorfile.Tensor) error {
	byName := func(a, b tensorfile.Tensor) int {
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
	shape     Block
	values    []float64 // laid out like the parameters of a block
}

// decodeKernel reads a kernel for a net of hidden units and images of a side, 0
// when its features are no image.
func decodeKernel(b []byte, hidden, side int) (kernel, error) {
	meta, ts, err := tensorfile.Decode(b)
	if err != nil {
		return kernel{}, err
	}
	k := kernel{blueprint: meta["blueprint"], shape: Block{Hidden: hidden}}
	switch {
	case meta["format"] != kernelFormat:
		return kernel{}, &ContentError{"format", fmt.Sprintf("is %q, want %q", meta["format"], kernelFormat)}
	case k.blueprint == "":
		return kernel{}, &ContentError{"blueprint", "is missing"}
	}
	if k.shape.Width, err = unitsOf(ts, "in.bias", maxWidth); err != nil {
		return kernel{}, err
	}
	switch meta["reads"] {
	case readsTrunk:
	case readsBoth:
		if k.shape.Channels, err = unitsOf(ts, "filter.bias", maxChannels); err != nil {
			return kernel{}, err
		}
		k.shape.Side = side
	default:
		return kernel{}, &ContentError{"reads", fmt.Sprintf("is %q, want %q or %q", meta["reads"], readsTrunk, readsBoth)}
	}
	if err := k.shape.validate(); err != nil {
		return kernel{}, &ContentError{"reads", err.Error()}
	}
	k.values = make([]float64, k.shape.size())
	if err := fill(k.shape.tensors("", k.values), ts); err != nil {
		return kernel{}, err
	}
	out := k.shape.over(k.values).out.w.Data
	if floats.Dot(out, out) == 0 {
		return kernel{}, &ContentError{"out.weight", "is zero throughout: an identity stands in for a kernel"}
	}
	return k, nil
}

// unitsOf is the number of elements of a tensor, within 1 and most.
func unitsOf(ts []tensorfile.Tensor, name string, most int) (int, error) {
	i := slices.IndexFunc(ts, func(t tensorfile.Tensor) bool { return t.Name == name })
	if i < 0 {
		return 0, &ContentError{name, "tensor is missing"}
	}
	n := len(ts[i].Data)
	if n < 1 || n > most {
		return 0, &ContentError{name, fmt.Sprintf("%d units, not within 1 and %d", n, most)}
	}
	return n, nil
}
