package guard

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Manifest refuses a list of tensors that cannot be the flat gradient of elements
// numbers: all of them have one type of element and lie on one device, and their
// elements add up. It names the first tensor that does not fit.
func Manifest(tensors []leyline.Tensor, elements uint64) *leyline.Refusal {
	if len(tensors) == 0 {
		return tensorBad(-1, "", "lists no tensors", "list every tensor of the gradient")
	}
	if len(tensors) > leyline.MaxTensors {
		return tensorBad(-1, "", fmt.Sprintf("lists %d tensors, at most %d are allowed", len(tensors), leyline.MaxTensors), "flatten some of them")
	}
	total := uint64(0)
	for i := range tensors {
		if r := tensor(tensors, i); r != nil {
			return r
		}
		n, _ := tensors[i].Elements() // Invariant: tensor has looked
		if total += n; total > elements {
			return tensorBad(i, tensors[i].Name, fmt.Sprintf("ends at element %d of a gradient of %d", total, elements), "send the flat gradient of exactly these tensors")
		}
	}
	if total != elements {
		return tensorBad(-1, "", fmt.Sprintf("lists %d elements for a gradient of %d", total, elements), "send the flat gradient of exactly these tensors")
	}
	return nil
}

// tensor checks one tensor, and that it goes with the first.
func tensor(tensors []leyline.Tensor, i int) *leyline.Refusal {
	t, first := &tensors[i], &tensors[0]
	switch {
	case t.Name == "" || len(t.Name) > leyline.MaxText:
		return tensorBad(i, short(t.Name), "has no name of 1 to 1024 bytes", "name every tensor as the framework does")
	case t.DType == leyline.DTypeUnspecified || !t.DType.Known():
		return tensorBad(i, t.Name, "has no dtype", "write float16, bfloat16, float32 or float64")
	case t.Device == "" || len(t.Device) > leyline.MaxText:
		return tensorBad(i, t.Name, "has no device of 1 to 1024 bytes", "write the device as the framework does")
	case len(t.Shape) > leyline.MaxTensorRank:
		return tensorBad(i, t.Name, fmt.Sprintf("has %d dimensions, at most %d are allowed", len(t.Shape), leyline.MaxTensorRank), "flatten it")
	case t.DType != first.DType:
		return tensorBad(i, t.Name, fmt.Sprintf("is %s, %s is %s", t.DType, short(first.Name), first.DType), "combine gradients of one dtype; nothing is converted")
	case t.Device != first.Device:
		return tensorBad(i, t.Name, fmt.Sprintf("is on %s, %s is on %s", short(t.Device), short(first.Name), short(first.Device)), "combine gradients on one device; nothing is moved")
	}
	if _, ok := t.Elements(); !ok {
		return tensorBad(i, t.Name, "has more elements than can be counted", "send the shape that the tensor has")
	}
	return nil
}

// SameManifest refuses two gradients whose tensors are not the same in name, type,
// device and shape, in order. It names the first that disagrees.
func SameManifest(of, with []leyline.Tensor) *leyline.Refusal {
	const hint = "send the gradients of one list of parameters"
	for i := range min(len(of), len(with)) {
		a, b := &of[i], &with[i]
		switch {
		case a.Name != b.Name:
			return tensorBad(i, a.Name, fmt.Sprintf("is %q in the first gradient", short(b.Name)), hint)
		case a.DType != b.DType:
			return tensorBad(i, a.Name, fmt.Sprintf("is %s, in the first gradient %s", a.DType, b.DType), hint)
		case a.Device != b.Device:
			return tensorBad(i, a.Name, fmt.Sprintf("is on %s, in the first gradient on %s", short(a.Device), short(b.Device)), hint)
		case !slices.Equal(a.Shape, b.Shape):
			return tensorBad(i, a.Name, fmt.Sprintf("has the shape %v, in the first gradient %v", a.Shape, b.Shape), hint)
		}
	}
	if len(of) != len(with) {
		return tensorBad(-1, "", fmt.Sprintf("lists %d tensors, that of the first gradient %d", len(of), len(with)), hint)
	}
	return nil
}

// tensorBad refuses tensor i of a manifest, or, with -1, the manifest.
func tensorBad(i int, name, reason, hint string) *leyline.Refusal {
	field := "manifest"
	if i >= 0 {
		field = fmt.Sprintf("manifest[%d]", i)
	}
	return refuse(leyline.RefusalGradients, field, short(name), reason, hint)
}
