package replay

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/esper-plane/esper/projections"
)

// clone returns a copy of s that shares no memory that anyone changes. It costs
// one pass over the state; strings are shared.
func clone(s *projections.State) *projections.State {
	c := *s
	detach(reflect.ValueOf(&c).Elem())
	return &c
}

// flatTypes remembers which types hold no slice.
var flatTypes sync.Map

// flat reports whether an assignment copies a value of type t completely. A
// projection holds no maps, pointers or interfaces; here that is a panic.
func flat(t reflect.Type) bool {
	if v, ok := flatTypes.Load(t); ok {
		return v.(bool)
	}
	v := true
	switch t.Kind() {
	case reflect.Slice:
		flat(t.Elem()) // panics if it must
		v = false
	case reflect.Array:
		v = flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			v = flat(t.Field(i).Type) && v
		}
	case reflect.Map, reflect.Pointer, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		panic(fmt.Sprintf("replay: %s in a projection cannot be copied", t))
	}
	flatTypes.Store(t, v)
	return v
}

// detach replaces every slice in v, which is settable, by a copy.
func detach(v reflect.Value) {
	if flat(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		n := v.Len()
		if n == 0 {
			v.SetZero()
			return
		}
		c := reflect.MakeSlice(v.Type(), n, n)
		reflect.Copy(c, v)
		v.Set(c)
		detachAll(c)
	case reflect.Array:
		detachAll(v)
	case reflect.Struct:
		for i := range v.NumField() {
			detach(v.Field(i))
		}
	}
}

func detachAll(list reflect.Value) {
	if flat(list.Type().Elem()) {
		return
	}
	for i := range list.Len() {
		detach(list.Index(i))
	}
}
