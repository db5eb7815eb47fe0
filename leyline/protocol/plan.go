package protocol

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/esper-plane/esper/leyline"
)

// form is how values of one type are written and read. It is made once per type.
type form interface {
	write(to sink, v reflect.Value, full bool) *Error
	read(from source, v reflect.Value) *Error // v is settable and zero
	empty(v reflect.Value) bool               // it says no more than its absence
	unset() bool                              // answers leave it out when it is empty
	schema(s *schemas) schema
}

var forms sync.Map // reflect.Type to form

func formOf(t reflect.Type) (form, error) {
	if f, ok := forms.Load(t); ok {
		return f.(form), nil
	}
	f, err := compile(t, 0)
	if err != nil {
		return nil, err
	}
	forms.Store(t, f)
	return f, nil
}

// own lists the members that only the plane may set. They are in no body.
var own = map[reflect.Type][]string{
	reflect.TypeFor[leyline.RunOpened]():     {"Damaged", "Principal"},
	reflect.TypeFor[leyline.StepObserved]():  {"Solution"},
	reflect.TypeFor[leyline.SnapshotTaken](): {"Measured", "Check", "Problem", "VerifyNs"},
}

// known is what tells an enum from a number.
type known interface{ Known() bool }

func compile(t reflect.Type, depth int) (form, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s is nested too deep or contains itself", t)
	}
	switch t {
	case reflect.TypeFor[leyline.Instant]():
		return instantForm{}, nil
	case reflect.TypeFor[Verdict]():
		return compileVerdict(depth)
	case reflect.TypeFor[leyline.Envelope]():
		doc, err := compile(reflect.TypeFor[envelopeDoc](), depth+1)
		return envelopeForm{doc}, err
	}
	switch {
	case t.Implements(reflect.TypeFor[known]()):
		return compileEnum(t)
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return textForm{t}, nil
	}
	return compileKind(t, depth)
}

func compileKind(t reflect.Type, depth int) (form, error) {
	switch t.Kind() {
	case reflect.Bool:
		return boolForm{}, nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintForm{wide: t.Bits() == 64}, nil
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intForm{wide: t.Bits() == 64}, nil
	case reflect.Float64:
		return floatForm{}, nil
	case reflect.String:
		return stringForm{}, nil
	case reflect.Slice:
		return compileSlice(t, depth)
	case reflect.Pointer:
		f, err := compile(t.Elem(), depth+1)
		return pointerForm{t.Elem(), f}, err
	case reflect.Struct:
		return compileStruct(t, depth)
	}
	return nil, fmt.Errorf("%s has no form", t)
}

func compileVerdict(depth int) (form, error) {
	whole, err := compileStruct(reflect.TypeFor[Verdict](), depth+1)
	if err != nil {
		return nil, err
	}
	no, err := compileStruct(reflect.TypeFor[refused](), depth+1)
	return verdictForm{whole, no}, err
}

func compileEnum(t reflect.Type) (form, error) {
	if t.Kind() != reflect.Uint8 {
		return nil, fmt.Errorf("%s is an enum of more than 8 bits", t)
	}
	f := enumForm{codes: map[string]uint64{}}
	for code := range 256 {
		v := reflect.New(t).Elem()
		v.SetUint(uint64(code))
		if !v.Interface().(known).Known() {
			break
		}
		name := v.Interface().(fmt.Stringer).String()
		f.codes[name] = uint64(code)
		f.names = append(f.names, name)
	}
	return f, nil
}

func compileSlice(t reflect.Type, depth int) (form, error) {
	switch t {
	case reflect.TypeFor[[]byte]():
		return bytesForm{}, nil
	case reflect.TypeFor[[]float64]():
		return floatsForm{}, nil
	}
	f, err := compile(t.Elem(), depth+1)
	return listForm{f, int(t.Elem().Size())}, err
}

// maxMembers is how many members seen fits.
const maxMembers = 64

func compileStruct(t reflect.Type, depth int) (form, error) {
	f := &structForm{typ: t, index: map[string]int{}}
	if err := f.add(t, nil, depth); err != nil {
		return nil, err
	}
	if len(f.members) > maxMembers {
		return nil, fmt.Errorf("%s has more than %d members", t, maxMembers)
	}
	return f, nil
}

// add takes the fields of a struct over; at is where it lies in the outermost one.
func (f *structForm) add(t reflect.Type, at []int, depth int) error {
	hidden := own[t]
	for _, name := range hidden {
		if _, ok := t.FieldByName(name); !ok {
			return fmt.Errorf("%s has no member %s that would be the plane's own", t, name)
		}
	}
	for i := range t.NumField() {
		x := t.Field(i)
		where := append(at[:len(at):len(at)], i)
		switch {
		case !x.IsExported():
			return fmt.Errorf("%s.%s is not exported", t, x.Name)
		case contains(hidden, x.Name):
			continue
		case x.Anonymous && x.Type.Kind() == reflect.Struct:
			if err := f.add(x.Type, where, depth); err != nil {
				return err
			}
			continue
		}
		inner, err := compile(x.Type, depth+1)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", t, x.Name, err)
		}
		if err := f.put(nameOf(x), where, inner); err != nil {
			return err
		}
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (f *structForm) put(name string, at []int, inner form) error {
	if _, ok := f.index[name]; ok {
		return fmt.Errorf("%s has two members %s", f.typ, name)
	}
	f.index[name] = len(f.members)
	f.members = append(f.members, member{
		name: name, at: at, form: inner,
		json: append(appendQuoted(nil, name), ':'), pack: appendPackText(nil, name),
	})
	return nil
}

// nameOf is the name of a member: that of the field's json tag, else Snake of its name.
func nameOf(x reflect.StructField) string {
	if name, _, _ := strings.Cut(x.Tag.Get("json"), ","); name != "" {
		return name
	}
	return Snake(x.Name)
}

// Snake writes a Go name in snake_case: FaultStep, LossEWMA and SLAMs become
// fault_step, loss_ewma and sla_ms.
func Snake(name string) string {
	rs := []rune(name)
	var b strings.Builder
	for i, r := range rs {
		upper := unicode.IsUpper(r)
		begins := upper && i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1]))
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
