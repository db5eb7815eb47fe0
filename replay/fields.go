package replay

import (
	"fmt"
	"math"
	"reflect"
)

// maxFields bounds how many differing fields are named.
const maxFields = 8

// differFields names the fields in which two values of one type differ, with
// both values. As in the stored form, a nil slice equals an empty one.
func differFields(recorded, decided any) []string {
	var f fieldDiff
	f.value("", reflect.ValueOf(recorded), reflect.ValueOf(decided))
	if more := f.count - len(f.lines); more > 0 {
		f.lines = append(f.lines, fmt.Sprintf("and %d more", more))
	}
	return f.lines
}

type fieldDiff struct {
	lines []string
	count int
}

func (f *fieldDiff) add(path, recorded, decided string) {
	f.count++
	if len(f.lines) < maxFields {
		f.lines = append(f.lines, fmt.Sprintf("%s is %s in the log, %s by this program", path, recorded, decided))
	}
}

func (f *fieldDiff) value(path string, a, b reflect.Value) {
	switch {
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			f.value(join(path, a.Type().Field(i).Name), a.Field(i), b.Field(i))
		}
	case a.Kind() == reflect.Slice && a.Type().Elem().Kind() != reflect.Uint8:
		f.list(path, a, b)
	case a.Kind() == reflect.Float64:
		f.float(path, a.Float(), b.Float())
	case a.Kind() == reflect.Slice:
		if string(a.Bytes()) != string(b.Bytes()) {
			f.add(path, fmt.Sprintf("%x", a.Bytes()), fmt.Sprintf("%x", b.Bytes()))
		}
	case !a.Equal(b):
		f.add(path, text(a), text(b))
	}
}

func (f *fieldDiff) list(path string, a, b reflect.Value) {
	if a.Len() != b.Len() {
		f.add(path, fmt.Sprintf("%d long", a.Len()), fmt.Sprintf("%d long", b.Len()))
		return
	}
	for i := range a.Len() {
		f.value(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i))
	}
}

// float compares bits, and shows them where the numbers look alike.
func (f *fieldDiff) float(path string, a, b float64) {
	if math.Float64bits(a) == math.Float64bits(b) {
		return
	}
	x, y := fmt.Sprint(a), fmt.Sprint(b)
	if x == y {
		x, y = fmt.Sprintf("%s (bits %016x)", x, math.Float64bits(a)), fmt.Sprintf("%s (bits %016x)", y, math.Float64bits(b))
	}
	f.add(path, x, y)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// text renders a scalar, an enum by its name and text in quotes.
func text(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	if v.Kind() == reflect.String {
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}
