// Package leylinetest holds one valid value of every kind of input and event, in
// every variant that demands other fields, and says of each field whether it is
// mandatory. It is what tests hold validation against, wherever it happens: in
// the contracts, at the guard, when a record is decoded.
package leylinetest

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/esper-plane/esper/leyline"
)

// Case is a valid value with every field set that may be. The fields are named
// as refusals name them: in snake case, dotted, the first element of a list for
// all. A list of numbers is one field, and so are an id, a digest, a moving
// average and a section of a configuration.
type Case[I any] struct {
	Name      string // kind, and what is special about the variant
	Value     I
	Mandatory []string // without one of them the value is invalid
	Optional  []string // without all of them it is still valid, one at a time
	fresh     func() reflect.Value
	pack      func(reflect.Value) I
}

// Fields lists every field of the value's type, in order.
func (c Case[I]) Fields() []string {
	var out []string
	walk(c.fresh(), "", func(path string, _ reflect.Value) { out = append(out, path) })
	return out
}

// With returns the value after change has seen the named field, which is
// settable. It panics on a field that there is not.
func (c Case[I]) With(field string, change func(reflect.Value)) I {
	v, found := c.fresh(), false
	walk(v, "", func(path string, f reflect.Value) {
		if path == field {
			found = true
			change(f)
		}
	})
	if !found {
		panic(fmt.Sprintf("leylinetest: %s has no field %s", c.Name, field))
	}
	return c.pack(v)
}

// Without returns the value with one field unset.
func (c Case[I]) Without(field string) I { return c.With(field, reflect.Value.SetZero) }

// As is a case whose values are seen through another interface.
func As[J, I any](c Case[I], see func(I) J) Case[J] {
	return Case[J]{
		Name: c.Name, Value: see(c.Value), Mandatory: c.Mandatory, Optional: c.Optional, fresh: c.fresh,
		pack: func(v reflect.Value) J { return see(c.pack(v)) },
	}
}

// input makes the case of an input. fields names every field; one that ends in
// "?" is optional. what is empty or says how the variant differs; change may be
// nil.
func input[T leyline.Input](what, fields string, change func(*T)) Case[leyline.Input] {
	c := newCase(fields, change, func(x T) leyline.Input { return x })
	c.Name = name(c.Value.InputKind().String(), what)
	return c
}

func event[T leyline.Event](what, fields string, change func(*T)) Case[leyline.Event] {
	c := newCase(fields, change, func(x T) leyline.Event { return x })
	c.Name = name(c.Value.EventKind().String(), what)
	return c
}

func name(kind, what string) string { return strings.TrimSpace(kind + " " + what) }

func newCase[T, I any](fields string, change func(*T), as func(T) I) Case[I] {
	c := Case[I]{
		fresh: func() reflect.Value {
			x, n := new(T), 0
			populate(reflect.ValueOf(x).Elem(), &n)
			if change != nil {
				change(x)
			}
			return reflect.ValueOf(x).Elem()
		},
		pack: func(v reflect.Value) I { return as(v.Interface().(T)) },
	}
	c.Value = c.pack(c.fresh())
	for _, f := range strings.Fields(fields) {
		if s, optional := strings.CutSuffix(f, "?"); optional {
			c.Optional = append(c.Optional, s)
		} else {
			c.Mandatory = append(c.Mandatory, f)
		}
	}
	return c
}

// within puts a prefix in front of every field of a list.
func within(part, fields string) string {
	out := ""
	for _, f := range strings.Fields(fields) {
		out += " " + part + "." + f
	}
	return out
}

// leaves are struct types that count as one field.
var leaves = map[reflect.Type]bool{
	reflect.TypeFor[leyline.EffectID]():        true,
	reflect.TypeFor[leyline.Moments]():         true,
	reflect.TypeFor[leyline.TolariaConfig]():   true,
	reflect.TypeFor[leyline.TamiyoConfig]():    true,
	reflect.TypeFor[leyline.RulesConfig]():     true,
	reflect.TypeFor[leyline.KasminaConfig]():   true,
	reflect.TypeFor[leyline.PlaneConfig]():     true,
	reflect.TypeFor[leyline.LogConfig]():       true,
	reflect.TypeFor[leyline.PostureConfig]():   true,
	reflect.TypeFor[leyline.BreakerConfig]():   true,
	reflect.TypeFor[leyline.TelemetryConfig](): true,
}

// walk visits every field, before what is below it.
func walk(v reflect.Value, path string, visit func(string, reflect.Value)) {
	switch {
	case v.Kind() == reflect.Struct && !leaves[v.Type()]:
		for i := range v.NumField() {
			walk(v.Field(i), join(path, snake(v.Type().Field(i).Name)), visit)
		}
	case v.Kind() == reflect.Slice && !number(v.Type().Elem().Kind()) || v.Type() == reflect.TypeFor[[]leyline.CommandKind]():
		visit(path, v)
		if v.Len() > 0 {
			walk(v.Index(0), path+"[0]", visit)
		}
	default:
		visit(path, v)
	}
}

func number(k reflect.Kind) bool { return k == reflect.Float64 || k == reflect.Uint8 }

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// snake renders the name of a Go field as refusals do: LossesAt0 is losses_at_0,
// WithinSLA is within_sla.
func snake(name string) string {
	var b strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		begins := unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1]))
		if begins || unicode.IsDigit(r) && unicode.IsLower(rs[i-1]) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// populate sets every field below v: texts and numbers rise from field to field,
// a run is always the same, an enum has its first code, a list two elements.
func populate(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", *n))
		if v.Type() == reflect.TypeFor[leyline.RunID]() {
			v.SetString("run-1")
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		populate(v.Index(0), n)
		populate(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			populate(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			populate(v.Field(i), n)
		}
	default:
		panic("leylinetest: cannot populate " + v.Type().String())
	}
}
