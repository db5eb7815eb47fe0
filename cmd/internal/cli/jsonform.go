package cli

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

// jsonForm turns a value into what is written as JSON: fields in their order
// under the name of their json or toml tag, else in snake_case, times and enums as text,
// bytes in hex, and numbers that JSON does not have as the texts "NaN",
// "Infinity" and "-Infinity". A log may hold those: they are what a fault looks
// like.
func jsonForm(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface().(type) {
	case leyline.Instant:
		return x.String()
	case encoding.TextMarshaler, json.Marshaler:
		return x
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return jsonForm(v.Elem())
	case reflect.Float64:
		return jsonNumber(v.Float())
	case reflect.Slice, reflect.Array:
		return jsonList(v)
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = jsonForm(it.Value())
		}
		return out
	case reflect.Struct:
		return jsonFields(nil, v)
	}
	return v.Interface()
}

func jsonNumber(x float64) any {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	return x
}

func jsonList(v reflect.Value) any {
	if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
		return fmt.Sprintf("%x", v.Bytes())
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = jsonForm(v.Index(i))
	}
	return out
}

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// jsonFields appends the exported fields of a struct; those of an embedded
// struct stand among its own.
func jsonFields(o object, v reflect.Value) object {
	if o == nil {
		o = object{}
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() && !f.Anonymous, name == "-", option == "omitempty" && v.Field(i).IsZero():
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			o = jsonFields(o, v.Field(i))
		default:
			name = cmp.Or(name, f.Tag.Get("toml"), protocol.Snake(f.Name))
			o = append(o, member{name, jsonForm(v.Field(i))})
		}
	}
	return o
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("cannot write %s as JSON: %w", m.name, err)
		}
		fmt.Fprintf(&b, "%q:%s", m.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
