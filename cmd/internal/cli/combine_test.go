package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

// Every mistake is named by its field, is a mistake of the caller and says what to
// do instead.
func TestCombineNamesTheFieldThatIsWrong(t *testing.T) {
	many := "[" + strings.Repeat("[1],", 64) + "[1]]"
	deep := strings.Repeat("[", 20) + "1" + strings.Repeat("]", 20)
	for _, c := range []struct{ field, reason, document string }{
		{"stdin", "is empty", ""},
		{"stdin", "unexpected EOF", `{"method":"sum"`},
		{"stdin", "something after", `{"method":"sum","gram":[[1]]} {}`},
		{"stdin", "no NaN and no Infinity", `{"method":"sum","gram":[[Infinity]]}`},
		{"method", "is missing", `{"gram":[[1]]}`},
		{"method", `is "median"`, `{"method":"median","gram":[[1]]}`},
		{"method", `is "unspecified"`, `{"method":"unspecified","gram":[[1]]}`},
		{"method", "a string is wanted", `{"method":7}`},
		{"gradients", "both missing", `{"method":"sum"}`},
		{"gradients", "both given", `{"method":"sum","gram":[[1]],"gradients":[[1]]}`},
		{"gradients", "is no list", `{"method":"sum","gradients":7}`},
		{"gradients", "no gradients", `{"method":"sum","gradients":[]}`},
		{"gradients[0]", "is the number 1", `{"method":"sum","gradients":[1,2]}`},
		{"gradients[1][0]", "is null", `{"method":"sum","gradients":[[1],[null]]}`},
		{"gradients[0][0]", `is the text "NaN"`, `{"method":"sum","gradients":[["NaN"]]}`},
		{"gradients[0][0]", "is 1e999", `{"method":"sum","gradients":[[1e999]]}`},
		{"gradients[0][0]", "no float32 is", `{"method":"sum","dtype":"float32","gradients":[[1e39]]}`},
		{"gradients[1]", "has the shape [1]", `{"method":"sum","gradients":[[1,2],[1]]}`},
		{"gradients[0][1]", "1 elements, the lists before", `{"method":"sum","gradients":[[[1,2],[3]]]}`},
		{"gradients[0][1]", "a list where a number belongs", `{"method":"sum","gradients":[[1,[3]]]}`},
		{"gradients[0][1]", "a number where a list belongs", `{"method":"sum","gradients":[[[1],3]]}`},
		{"gradients[64]", "one too many", `{"method":"sum","gradients":` + many + `}`},
		{"gradients[0]" + strings.Repeat("[0]", 16), "more than 16", `{"method":"sum","gradients":[` + deep + `]}`},
		{"gradients", "has no elements", `{"method":"sum","gradients":[[]]}`},
		{"gradients", "not finite", `{"method":"sum","gradients":[[1e200]]}`},
		{"gram", "has 0 rows", `{"method":"sum","gram":[]}`},
		{"gram", "has 65 rows", `{"method":"sum","gram":` + many + `}`},
		{"gram[1]", "has 1 numbers", `{"method":"sum","gram":[[1,0],[1]]}`},
		{"gram", "not symmetric", `{"method":"sum","gram":[[1,0.5],[0.4,1]]}`},
		{"gram", "Cauchy", `{"method":"sum","gram":[[1,2],[2,1]]}`},
		{"dtype", `is "float16"`, `{"method":"sum","gradients":[[1]],"dtype":"float16"}`},
		{"dtype", "a gram matrix was given", `{"method":"sum","gram":[[1]],"dtype":"float32"}`},
		{"orders", "to pcgrad and gradvac only", `{"method":"sum","gram":[[1]],"orders":[[]]}`},
		{"orders", "1 orders for 2 tasks", `{"method":"pcgrad","gram":[[1,0],[0,1]],"orders":[[1]]}`},
		{"orders[0]", "visits task 2 of 2", `{"method":"gradvac","gram":[[1,0],[0,1]],"orders":[[2],[0]]}`},
		{"seed", "is -1", `{"method":"pcgrad","gram":[[1]],"seed":-1}`},
		{"seed", "is 1.5", `{"method":"pcgrad","gram":[[1]],"seed":1.5}`},
		{"weights", "are missing", `{"method":"weighted","gram":[[1]]}`},
		{"weights", "2 entries for 1 tasks", `{"method":"weighted","gram":[[1]],"weights":[1,2]}`},
		{"weights", "cannot be normalised", `{"method":"weighted","gram":[[1,0],[0,1]],"weights":[1,-1]}`},
		{"weights", "cannot be normalised", `{"method":"weighted","gram":[[1,0],[0,1]],"weights":[1,-3]}`},
		{"weights", "to weighted only", `{"method":"mgda","gram":[[1]],"weights":[1]}`},
		{"stages", "0 entries for 1 tasks", `{"method":"state_weighted","gram":[[1]]}`},
		{"alphas", "0 entries for 1 tasks", `{"method":"state_weighted","gram":[[1]],"stages":["TRAINING"]}`},
		{"alphas[0]", "is 2", `{"method":"state_weighted","gram":[[1]],"stages":["TRAINING"],"alphas":[2]}`},
		{"stages[0]", `is "ACTIVE"`, `{"method":"state_weighted","gram":[[1]],"stages":["ACTIVE"],"alphas":[1]}`},
		{"stages", "cannot be normalised", `{"method":"state_weighted","gram":[[1]],"stages":["DORMANT"],"alphas":[1]}`},
		{"stages", "state_weighted only", `{"method":"sum","gram":[[1]],"alphas":[1]}`},
		{"targets", "gradvac only", `{"method":"sum","gram":[[1]],"targets":[[0]]}`},
		{"targets", "2 entries for 1 tasks", `{"method":"gradvac","gram":[[1]],"targets":[[0],[0]]}`},
		{"targets[0]", "2 entries for 1 tasks", `{"method":"gradvac","gram":[[1]],"targets":[[0,0]]}`},
		{"targets", "are 3 numbers", `{"method":"gradvac","gram":[[1]],"targets":[0,0,0]}`},
		{"targets", "are 0 numbers", `{"method":"gradvac","gram":[[1]],"targets":[]}`},
		{"targets", "holds a number", `{"method":"gradvac","gram":[[1]],"targets":7}`},
		{"targets", "is 2", `{"method":"gradvac","gram":[[1]],"targets":[2]}`},
		{"targets", "is 2", `{"method":"gradvac","gram":[[1]],"targets":[[2]]}`},
		{"options.c", "to cagrad only", `{"method":"mgda","gram":[[1]],"options":{"c":1}}`},
		{"options.c", "is -1", `{"method":"cagrad","gram":[[1]],"options":{"c":-1}}`},
		{"options.beta", "is 1.5", `{"method":"gradvac","gram":[[1]],"options":{"beta":1.5}}`},
		{"options.reg", "is 2", `{"method":"upgrad","gram":[[1]],"options":{"reg":2}}`},
		{"options.max_norm", "is -1", `{"method":"nash_mtl","gram":[[1]],"options":{"max_norm":-1}}`},
		{"options.scale", `is "max"`, `{"method":"aligned_mtl","gram":[[1]],"options":{"scale":"max"}}`},
		{"options.reduction", `is "max"`, `{"method":"pcgrad","gram":[[1]],"options":{"reduction":"max"}}`},
		{"rescale", "no field", `{"method":"cagrad","gram":[[1]],"options":{"rescale":1}}`},
		{"manifest", "no tensors", `{"method":"sum","gradients":[[1]],"manifest":[]}`},
		{"manifest", "cannot", `{"method":"sum","gradients":[[1]],"manifest":7}`},
		{"manifest.strides", "no field", `{"method":"sum","gradients":[[1]],"manifest":[{"strides":1}]}`},
		{"manifest", "have 2 dimensions", `{"method":"sum","gradients":[[[1]]],"manifest":[]}`},
		{"manifest[0]", "is float64, and the gradients are read as float32", `{"method":"sum","dtype":"float32","gradients":[[1]],"manifest":[{"name":"w","dtype":"float64","device":"cpu","shape":[1]}]}`},
		{"manifest", "2 entries for 1 tasks", `{"method":"sum","gradients":[[1]],"manifest":[[],[]]}`},
		{"manifest[0] of task 1", "in the first gradient on cpu", `{"method":"sum","gradients":[[1],[1]],"manifest":[[{"name":"w","dtype":"float64","device":"cpu","shape":[1]}],[{"name":"w","dtype":"float64","device":"cuda:0","shape":[1]}]]}`},
	} {
		a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
		err := a.combine(strings.NewReader(c.document))
		var f *fieldError
		if !errors.As(err, &f) || !as[usageError](err) {
			t.Errorf("%s: error %v, want one of field %s", c.document, err, c.field)
			continue
		}
		if f.Field != c.field || !strings.Contains(f.Reason, c.reason) || f.Hint == "" {
			t.Errorf("%s:\n  %v\nwant field %s and %q", c.document, f, c.field, c.reason)
		}
		if doc := describe(err); doc.Exit != exitUsage || doc.Field != c.field || doc.Hint != f.Hint {
			t.Errorf("%s: described as %+v", c.document, doc)
		}
	}
}

// Whatever is sent, the answer is an error or finite numbers in the shape of the
// gradients.
func FuzzCombine(f *testing.F) {
	for _, s := range []string{
		`{"method":"pcgrad","gradients":[[-4,1,1],[6,1,1]]}`, `{"method":"mgda","gram":[[18,-22],[-22,38]]}`,
		`{"method":"cagrad","gradients":[[1],[-1],[0]],"options":{"c":1}}`, `{"method":"upgrad","gram":[[1,-1],[-1,1]],"options":{"reg":0}}`,
		`{"method":"gradvac","gram":[[1,-1],[-1,1]],"targets":[[0,1],[1,0]],"seed":"3"}`, `{"method":"weighted","gram":[[1]],"weights":[1e-300]}`,
		`{"method":"sum","gradients":[[[1],[2]]],"dtype":"float32"}`, `{"method":"aligned_mtl","gradients":[[1e-160],[1e150]]}`,
		`{"method":"sum","gradients":[[1]],"manifest":[[{"name":"w","dtype":"float64","device":"cpu","shape":[1]}]]}`,
		`{"method":"imtl_g","gradients":[[1,0],[2,0]]}`, `{"method":"nash_mtl","gradients":[[1,2],[2,1]],"options":{"max_norm":0}}`,
		`{"method":"dualproj","gradients":[[0,0],[0,0]]}`, `{"method":"state_weighted","gram":[[1]],"stages":[""],"alphas":[0]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var out bytes.Buffer
		a := &app{out: &out, err: &bytes.Buffer{}}
		if err := a.combine(bytes.NewReader(document)); err != nil {
			if out.Len() > 0 || err.Error() == "" {
				t.Errorf("error %q after %q", err, out.String())
			}
			return
		}
		var answer struct{ Weights []float64 }
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil || len(answer.Weights) == 0 {
			t.Fatalf("answer %q: %v", out.String(), err)
		}
		for _, w := range answer.Weights {
			if math.IsNaN(w) || math.IsInf(w, 0) {
				t.Errorf("weight %v", w)
			}
		}
	})
}
