package guard_test

import (
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
)

func manifest(change func(ts []leyline.Tensor)) []leyline.Tensor {
	ts := []leyline.Tensor{
		{Name: "w", DType: leyline.DTypeFloat32, Device: "cuda:0", Shape: []uint64{2, 3}},
		{Name: "b", DType: leyline.DTypeFloat32, Device: "cuda:0", Shape: []uint64{2}},
		{Name: "t", DType: leyline.DTypeFloat32, Device: "cuda:0"},
	}
	change(ts)
	return ts
}

func TestManifest(t *testing.T) {
	for _, c := range []struct {
		tensors  []leyline.Tensor
		elements uint64
		field    string // "": accepted
		reason   string
	}{
		{manifest(func([]leyline.Tensor) {}), 9, "", ""},
		{nil, 0, "manifest", "no tensors"},
		{make([]leyline.Tensor, leyline.MaxTensors+1), 0, "manifest", "at most 65536"},
		{manifest(func([]leyline.Tensor) {}), 10, "manifest", "9 elements for a gradient of 10"},
		{manifest(func([]leyline.Tensor) {}), 7, "manifest[1]", "element 8 of a gradient of 7"},
		{manifest(func(ts []leyline.Tensor) { ts[1].DType = leyline.DTypeFloat64 }), 9, "manifest[1]", "is float64, w is float32"},
		{manifest(func(ts []leyline.Tensor) { ts[2].Device = "cpu" }), 9, "manifest[2]", "is on cpu, w is on cuda:0"},
		{manifest(func(ts []leyline.Tensor) { ts[0].Name = "" }), 9, "manifest[0]", "no name"},
		{manifest(func(ts []leyline.Tensor) { ts[0].DType = 0 }), 9, "manifest[0]", "no dtype"},
		{manifest(func(ts []leyline.Tensor) { ts[0].Device = "" }), 9, "manifest[0]", "no device"},
		{manifest(func(ts []leyline.Tensor) { ts[0].Shape = make([]uint64, 17) }), 9, "manifest[0]", "17 dimensions"},
		{manifest(func(ts []leyline.Tensor) { ts[0].Shape = []uint64{1 << 40, 1 << 40} }), 9, "manifest[0]", "more elements"},
	} {
		r := guard.Manifest(c.tensors, c.elements)
		switch {
		case r == nil:
			if c.field != "" {
				t.Errorf("%v of %d elements: accepted, want a refusal of %s", c.tensors, c.elements, c.field)
			}
		case r.Field != c.field || !strings.Contains(r.Reason, c.reason) || r.Kind != leyline.RefusalGradients || r.Hint == "":
			t.Errorf("%v, want %s: %s", r, c.field, c.reason)
		}
	}
}

func TestSameManifest(t *testing.T) {
	want := manifest(func([]leyline.Tensor) {})
	for _, c := range []struct {
		of     []leyline.Tensor
		field  string
		reason string
	}{
		{want, "", ""},
		{want[:2], "manifest", "2 tensors, that of the first gradient 3"},
		{manifest(func(ts []leyline.Tensor) { ts[1].Name = "c" }), "manifest[1]", `"b" in the first`},
		{manifest(func(ts []leyline.Tensor) { ts[1].DType = leyline.DTypeFloat16 }), "manifest[1]", "float16, in the first gradient float32"},
		{manifest(func(ts []leyline.Tensor) { ts[2].Device = "cpu" }), "manifest[2]", "on cpu, in the first gradient on cuda:0"},
		{manifest(func(ts []leyline.Tensor) { ts[0].Shape = []uint64{3, 2} }), "manifest[0]", "[3 2], in the first gradient [2 3]"},
	} {
		r := guard.SameManifest(c.of, want)
		switch {
		case r == nil:
			if c.field != "" {
				t.Errorf("%v: accepted, want a refusal of %s", c.of, c.field)
			}
		case r.Field != c.field || !strings.Contains(r.Reason, c.reason) || r.Hint == "":
			t.Errorf("%v, want %s: %s", r, c.field, c.reason)
		}
	}
}
