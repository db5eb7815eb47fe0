package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
)

// readGradients reads one nested list of numbers per task; all have one shape.
func (in *combineInput) readGradients(d *combineDocument) error {
	bits := 64
	switch d.DType {
	case "", leyline.DTypeFloat64.String():
	case leyline.DTypeFloat32.String():
		bits = 32
	default:
		return wrong("dtype", "write float64 or float32", "is %q", clipText(d.DType))
	}
	if d.Gradients == nil {
		return nil
	}
	t := tensorReader{d: json.NewDecoder(bytes.NewReader(d.Gradients)), bits: bits}
	t.d.UseNumber()
	tok, err := t.d.Token()
	if err != nil || tok != json.Delim('[') {
		return wrong("gradients", "send a list with one gradient per task", "is no list")
	}
	for i := 0; t.d.More(); i++ {
		field := fmt.Sprintf("gradients[%d]", i)
		if i == leyline.MaxTasks {
			return wrong(field, "combine at most 64 tasks", "is one too many")
		}
		t.flat, t.shape = nil, nil
		if err := t.read(field, 0); err != nil {
			return err
		}
		switch {
		case i == 0:
			in.shape = t.shape
		case !slices.Equal(in.shape, t.shape):
			return wrong(field, "send gradients of one shape", "has the shape %v, gradients[0] has %v", t.shape, in.shape)
		}
		in.take(t.flat, bits)
	}
	if in.k() == 0 {
		return wrong("gradients", "send at least one", "there are no gradients")
	}
	return nil
}

// take appends a gradient. With 32 bits every element is a float32 already.
func (in *combineInput) take(flat []float64, bits int) {
	if bits == 64 {
		in.grads64 = append(in.grads64, flat)
		return
	}
	g := make([]float32, len(flat))
	for i, v := range flat {
		g[i] = float32(v)
	}
	in.grads32 = append(in.grads32, g)
}

// tensorReader reads nested lists.
type tensorReader struct {
	d     *json.Decoder
	bits  int
	flat  []float64
	shape []int
}

// read reads what follows at a depth: a list, or below the first depth a number.
func (t *tensorReader) read(field string, depth int) error {
	tok, err := t.d.Token()
	if err != nil {
		return wrong(field, "send one JSON document", "cannot be read: %v", err)
	}
	if tok == json.Delim('[') {
		return t.list(field, depth)
	}
	n, ok := tok.(json.Number)
	if !ok || depth == 0 {
		return wrong(field, "send lists of numbers; JSON has no NaN and no Infinity", "is %s", describeToken(tok))
	}
	if depth != len(t.shape) {
		return wrong(field, "send lists of one shape", "is a number where a list belongs")
	}
	v, err := strconv.ParseFloat(n.String(), t.bits)
	if err != nil || math.IsInf(v, 0) {
		return wrong(field, "send finite numbers", "is %s, which no float%d is", clipText(n.String()), t.bits)
	}
	t.flat = append(t.flat, v)
	return nil
}

// list reads the elements of a list whose beginning was read, and compares their
// number with that of the lists before it at the same depth.
func (t *tensorReader) list(field string, depth int) error {
	if depth == leyline.MaxTensorRank {
		return wrong(field, "flatten it", "has more than %d dimensions", leyline.MaxTensorRank)
	}
	first := depth == len(t.shape)
	if first {
		if len(t.flat) > 0 {
			return wrong(field, "send lists of one shape", "is a list where a number belongs")
		}
		t.shape = append(t.shape, 0)
	}
	n := 0
	for ; t.d.More(); n++ {
		if err := t.read(fmt.Sprintf("%s[%d]", field, n), depth+1); err != nil {
			return err
		}
	}
	if _, err := t.d.Token(); err != nil {
		return wrong(field, "send one JSON document", "cannot be read: %v", err)
	}
	if first {
		t.shape[depth] = n
	} else if t.shape[depth] != n {
		return wrong(field, "send lists of one shape", "has %d elements, the lists before it have %d", n, t.shape[depth])
	}
	return nil
}

// describeToken says what a token is.
func describeToken(tok json.Token) string {
	switch v := tok.(type) {
	case nil:
		return "null"
	case json.Number:
		return "the number " + clipText(v.String())
	case string:
		return fmt.Sprintf("the text %q", clipText(v))
	case json.Delim:
		return "an object"
	}
	return fmt.Sprint(tok)
}

// readManifest checks the manifest, or those of all tasks, against the flat
// gradients.
func (in *combineInput) readManifest(d *combineDocument) error {
	if d.Manifest == nil {
		return nil
	}
	if len(in.shape) != 1 {
		return wrong("manifest", "send flat gradients with a manifest", "is of flat gradients, and these have %d dimensions", len(in.shape))
	}
	lists, err := manifests(d.Manifest)
	if err != nil {
		return err
	}
	if len(lists) > 1 {
		if err := in.perTask("manifest", len(lists)); err != nil {
			return err
		}
	}
	for i, tensors := range lists {
		r := in.tensors(tensors, lists[0])
		if r == nil {
			continue
		}
		field, reason := r.Field, r.Reason
		if len(lists) > 1 {
			field += fmt.Sprintf(" of task %d", i)
		}
		if r.Identifier != "" {
			reason = fmt.Sprintf("%q %s", r.Identifier, reason)
		}
		return wrong(field, r.Hint, "%s", reason)
	}
	return nil
}

// tensors checks the manifest of one gradient, also against that of the first.
func (in *combineInput) tensors(list, first []leyline.Tensor) *leyline.Refusal {
	if r := guard.Manifest(list, uint64(in.shape[0])); r != nil {
		return r
	}
	if r := guard.SameManifest(list, first); r != nil {
		return r
	}
	want := leyline.DTypeFloat64
	if in.grads32 != nil {
		want = leyline.DTypeFloat32
	}
	if list[0].DType == want {
		return nil
	}
	r := leyline.Invalid("manifest[0]", fmt.Sprintf("is %s, and the gradients are read as %s", list[0].DType, want))
	r.Hint = "say the dtype of the tensors in dtype; nothing is converted"
	return r
}

// manifests reads one list of tensors, or one per task.
func manifests(b json.RawMessage) ([][]leyline.Tensor, error) {
	inner := bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimSpace(b), []byte("[")), " \t\r\n")
	if bytes.HasPrefix(inner, []byte("[")) {
		var lists [][]leyline.Tensor
		return lists, ofManifest(strictJSON(b, &lists))
	}
	var one []leyline.Tensor
	err := ofManifest(strictJSON(b, &one))
	return [][]leyline.Tensor{one}, err
}

// ofManifest puts a mistake of a manifest under its field.
func ofManifest(err error) error {
	if f, ok := err.(*fieldError); ok {
		f.Field = "manifest." + f.Field
		if f.Field == "manifest.stdin" {
			f.Field = "manifest"
		}
	}
	return err
}
