package protocol

import (
	"reflect"
	"strconv"
)

// series is what the forms of lists have in common.
type series struct{}

func (series) empty(v reflect.Value) bool { return v.Len() == 0 }
func (series) unset() bool                { return false }

type bytesForm struct{ series }

func (bytesForm) write(to sink, v reflect.Value, _ bool) *Error {
	to.bytes(v.Bytes())
	return nil
}

func (bytesForm) read(from source, v reflect.Value) *Error {
	b, err := from.bytes()
	if err == nil && len(b) > 0 {
		v.SetBytes(append([]byte(nil), b...))
	}
	return err
}

// floatsForm is a list of numbers without a reflect.Value for each.
type floatsForm struct{ series }

func (floatsForm) write(to sink, v reflect.Value, _ bool) *Error {
	xs := v.Interface().([]float64)
	to.list(len(xs))
	for _, x := range xs {
		to.entry()
		to.float(x)
	}
	to.endList()
	return nil
}

const floatBytes = 8

func (floatsForm) read(from source, v reflect.Value) *Error {
	var xs []float64
	err := entries(from, floatBytes, func(int) *Error {
		x, err := from.float()
		xs = append(xs, x)
		return err
	})
	if xs != nil {
		*v.Addr().Interface().(*[]float64) = xs
	}
	return err
}

// entries reads a list, each of whose entries takes size bytes of memory.
func entries(from source, size int, read func(i int) *Error) *Error {
	left, err := from.list()
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		ok, err := from.entry(&left)
		if err != nil || !ok {
			return err
		}
		if i == MaxList {
			return invalid("has more than %d entries", MaxList)
		}
		if err := from.pay(size); err != nil {
			return err
		}
		if err := read(i); err != nil {
			return err.under("[" + strconv.Itoa(i) + "]")
		}
	}
}

type listForm struct {
	elem form
	size int // of an element in memory, bytes
}

func (listForm) empty(v reflect.Value) bool { return v.Len() == 0 }
func (listForm) unset() bool                { return false }

func (f listForm) write(to sink, v reflect.Value, full bool) *Error {
	n := v.Len()
	to.list(n)
	for i := range n {
		to.entry()
		if err := f.elem.write(to, v.Index(i), full); err != nil {
			return err.under("[" + strconv.Itoa(i) + "]")
		}
	}
	to.endList()
	return nil
}

func (f listForm) read(from source, v reflect.Value) *Error {
	return entries(from, f.size, func(i int) *Error {
		v.Grow(1)
		v.SetLen(i + 1)
		return f.elem.read(from, v.Index(i))
	})
}

type pointerForm struct {
	typ  reflect.Type
	elem form
}

func (pointerForm) empty(v reflect.Value) bool { return v.IsNil() }
func (pointerForm) unset() bool                { return true }

func (f pointerForm) write(to sink, v reflect.Value, full bool) *Error {
	if v.IsNil() {
		return invalid("is nothing")
	}
	return f.elem.write(to, v.Elem(), full)
}

func (f pointerForm) read(from source, v reflect.Value) *Error {
	if err := from.pay(int(f.typ.Size())); err != nil {
		return err
	}
	v.Set(reflect.New(f.typ))
	return f.elem.read(from, v.Elem())
}

// member is one member of an object.
type member struct {
	name string
	at   []int // fields from the outermost struct inward
	form form
	json []byte // the quoted name and a colon
	pack []byte // the name as a msgpack text
}

func (m *member) of(v reflect.Value) reflect.Value {
	for _, i := range m.at {
		v = v.Field(i)
	}
	return v
}

type structForm struct {
	typ     reflect.Type
	members []member
	index   map[string]int
}

func (f *structForm) empty(v reflect.Value) bool {
	for i := range f.members {
		if m := &f.members[i]; !m.form.empty(m.of(v)) {
			return false
		}
	}
	return true
}

func (*structForm) unset() bool { return true }

func (f *structForm) write(to sink, v reflect.Value, full bool) *Error {
	var left uint64 // members that are left out
	n := len(f.members)
	for i := range f.members {
		if m := &f.members[i]; (!full || m.form.unset()) && m.form.empty(m.of(v)) {
			left |= 1 << i
			n--
		}
	}
	to.object(n)
	for i := range f.members {
		if left&(1<<i) != 0 {
			continue
		}
		m := &f.members[i]
		to.member(m)
		if err := m.form.write(to, m.of(v), full); err != nil {
			return err.under(m.name)
		}
	}
	to.endObject()
	return nil
}

func (f *structForm) read(from source, v reflect.Value) *Error {
	left, err := from.object()
	if err != nil {
		return err
	}
	var seen uint64
	for next := 0; ; next++ {
		name, ok, err := from.member(&left)
		if err != nil || !ok {
			return err
		}
		if next, ok = f.find(name, next); !ok {
			if err := pass(from, name); err != nil {
				return err
			}
			continue
		}
		m := &f.members[next]
		if seen&(1<<next) != 0 {
			return &Error{Kind: KindDuplicate, Field: m.name, Reason: "comes twice"}
		}
		seen |= 1 << next
		if err := m.form.read(from, m.of(v)); err != nil {
			return err.under(m.name)
		}
	}
}

// pass takes the value of a member that is not known, or refuses it.
func pass(from source, name []byte) *Error {
	if from.passes() {
		return from.skip(0)
	}
	return &Error{Kind: KindUnknown, Field: clip(name), Reason: "is not known"}
}

// find finds a member by its name, first where it would stand in the order of the type.
func (f *structForm) find(name []byte, next int) (int, bool) {
	if next < len(f.members) && f.members[next].name == string(name) {
		return next, true
	}
	i, ok := f.index[string(name)]
	return i, ok
}

// verdictForm writes the problem of a verdict alone.
type verdictForm struct {
	form
	no form
}

func (f verdictForm) write(to sink, v reflect.Value, full bool) *Error {
	if x := v.Interface().(Verdict); x.Problem != nil {
		return f.no.write(to, reflect.ValueOf(refused{x.Problem}), full)
	}
	return f.form.write(to, v, full)
}
