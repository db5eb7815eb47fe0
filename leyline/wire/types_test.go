package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/esper-plane/esper/leyline"
)

// written is the version of a kind that is written.
func written[I any](versions []stored[I]) stored[I] { return versions[len(versions)-1] }

// forEachType calls f for one fully populated record of every registered kind.
func forEachType(t *testing.T, f func(t *testing.T, name string, body reflect.Value, r leyline.Record)) {
	for _, kind := range leyline.InputKind(0).Members() {
		body := full(written(inputs[kind]).typ)
		r := leyline.Record{Seq: 9, At: 8, Wall: -7, Run: "run-1", Input: body.Interface().(leyline.Input)}
		t.Run("input."+kind.String(), func(t *testing.T) { f(t, "input."+kind.String(), body, r) })
	}
	cause := fullOf[leyline.TimerFired]()
	for _, kind := range leyline.EventKind(0).Members() {
		body := full(written(events[kind]).typ)
		r := leyline.Record{Seq: 9, At: 8, Wall: 7, Run: "run-1", Input: cause, Events: []leyline.Event{body.Interface().(leyline.Event)}}
		t.Run("event."+kind.String(), func(t *testing.T) { f(t, "event."+kind.String(), body, r) })
	}
}

func TestEveryKindHasItsOwnType(t *testing.T) {
	seen := map[reflect.Type]string{}
	check := func(kind uint8, name string, types []reflect.Type, own func(reflect.Type) uint8) {
		if len(types) == 0 {
			t.Errorf("%s has no version", name)
			return
		}
		types = types[len(types)-1:] // former versions are types of the codec's own
		if got := own(types[0]); got != kind {
			t.Errorf("%s is registered as kind %d, says %d", types[0], kind, got)
		}
		if other, dup := seen[types[0]]; dup {
			t.Errorf("%s is registered for %s and %s", types[0], other, name)
		}
		seen[types[0]] = name
	}
	if got, want := len(inputs)-1, len(leyline.InputKind(0).Members()); got != want {
		t.Errorf("%d kinds of input are registered, there are %d", got, want)
	}
	if got, want := len(events)-1, len(leyline.EventKind(0).Members()); got != want {
		t.Errorf("%d kinds of event are registered, there are %d", got, want)
	}
	for _, k := range leyline.InputKind(0).Members() {
		check(uint8(k), k.String(), typesOf(inputs[k]), func(typ reflect.Type) uint8 {
			return uint8(reflect.Zero(typ).Interface().(leyline.Input).InputKind())
		})
	}
	for _, k := range leyline.EventKind(0).Members() {
		check(uint8(k), k.String(), typesOf(events[k]), func(typ reflect.Type) uint8 {
			return uint8(reflect.Zero(typ).Interface().(leyline.Event).EventKind())
		})
	}
}

func typesOf[I any](versions []stored[I]) (types []reflect.Type) {
	for _, s := range versions {
		types = append(types, s.typ)
	}
	return types
}

func TestStoredTypesHoldOnlyWhatHasOneForm(t *testing.T) {
	allowed := "bool int int64 uint8 uint16 uint32 uint64 float64 string slice array struct"
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		if !strings.Contains(" "+allowed+" ", " "+typ.Kind().String()+" ") {
			t.Errorf("%s is a %s", path, typ.Kind())
			return
		}
		switch typ.Kind() {
		case reflect.Slice, reflect.Array:
			walk(path+"[]", typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				walk(path+"."+typ.Field(i).Name, typ.Field(i).Type)
			}
		}
	}
	forEachType(t, func(_ *testing.T, name string, body reflect.Value, _ leyline.Record) { walk(name, body.Type()) })
	walk("command", reflect.TypeFor[leyline.Command]())
	walk("config", reflect.TypeFor[leyline.ExecutionConfig]())
	walk("key", reflect.TypeFor[leyline.Key]())
}

func TestTypesWithoutStoredForm(t *testing.T) {
	type tree struct{ Kids []tree }
	for _, v := range []any{
		map[string]int{}, struct{ M map[string]int }{}, struct{ P *int }{}, struct{ I any }{}, struct{ F func() }{},
		struct{ F float32 }{}, struct{ C complex128 }{}, struct{ hidden int }{}, tree{}, [2]int{}, (*int)(nil), nil,
	} {
		if b, err := Marshal(v); err == nil {
			t.Errorf("%T was stored as %x", v, b)
		}
	}
}

func TestEveryTypeRoundTrips(t *testing.T) {
	forEachType(t, func(t *testing.T, _ string, _ reflect.Value, r leyline.Record) {
		b := mustRecord(t, r)
		got, err := decodeForm(r.Seq, r.At, b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got); d != "" {
			t.Error(d)
		}
	})
}

// TestAnotherReaderAgrees reads every stored type with the msgpack library's
// generic decoder and compares the tree with the fields.
func TestAnotherReaderAgrees(t *testing.T) {
	forEachType(t, func(t *testing.T, _ string, body reflect.Value, r leyline.Record) {
		dec := msgpack.NewDecoder(bytes.NewReader(mustRecord(t, r)))
		var tree []any
		if err := dec.Decode(&tree); err != nil {
			t.Fatal(err)
		}
		if dec.Buffered().(*bytes.Reader).Len() != 0 {
			t.Fatal("bytes are left")
		}
		stored := tree[4]
		if len(r.Events) > 0 {
			stored = tree[5].([]any)[0].([]any)[2]
		}
		if d := cmp.Diff(plain(body), generic(stored)); d != "" {
			t.Error(d)
		}
	})
}

// plain renders a value as the tree that a generic reader sees.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		out := []any{}
		for i := range v.NumField() {
			out = append(out, plain(v.Field(i)))
		}
		return out
	case reflect.Slice, reflect.Array:
		if v.Type().Elem() == byteType {
			out := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(out), v)
			return out
		}
		out := []any{}
		for i := range v.Len() {
			out = append(out, plain(v.Index(i)))
		}
		return out
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Float64:
		return v.Float()
	}
	return number(fmt.Sprintf("%d", v.Interface()))
}

// number is an integer whatever its Go type, by its digits.
type number string

// generic turns the integers of a generically decoded tree into numbers.
func generic(v any) any {
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = generic(x[i])
		}
		return x
	case string, []byte, bool, float64:
		return x
	}
	return number(fmt.Sprintf("%d", v))
}
