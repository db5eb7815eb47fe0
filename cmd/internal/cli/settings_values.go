package cli

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// setField sets a field and returns what was wanted if it cannot.
func setField(f reflect.Value, value any) string {
	text, isText := value.(string)
	if e, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if !isText || e.UnmarshalText([]byte(text)) != nil {
			return "one of " + members(f)
		}
		return ""
	}
	switch f.Kind() {
	case reflect.String:
		return setText(f, value)
	case reflect.Slice:
		return setList(f, value)
	}
	return setScalar(f, value)
}

func setScalar(f reflect.Value, value any) string {
	text, isText := value.(string)
	if !isText {
		text = fmt.Sprint(value)
	}
	switch f.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if _, same := value.(bool); err != nil || !isText && !same {
			return "true or false"
		}
		f.SetBool(b)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) {
			return "a number"
		}
		f.SetFloat(x)
	default:
		n, err := strconv.ParseUint(text, 10, f.Type().Bits())
		if err != nil {
			return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-f.Type().Bits()))
		}
		f.SetUint(n)
	}
	return ""
}

func setText(f reflect.Value, value any) string {
	text, ok := value.(string)
	if !ok {
		return "a text in quotes"
	}
	f.SetString(text)
	return ""
}

// setList sets a list of texts. A flag or the environment writes it as JSON, which
// a file may do as well: JSON's list of texts is also TOML's.
func setList(f reflect.Value, value any) string {
	const want = `a list of texts, as ["PROGRAM", "ARGUMENT"]`
	if text, ok := value.(string); ok {
		value = nil
		if !utf8.ValidString(text) || json.Unmarshal([]byte(text), &value) != nil { // it would be read with other characters
			return want
		}
	}
	items, ok := value.([]any)
	if !ok {
		return want
	}
	var list []string // nil when empty: a list has one form for "none"
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			return want
		}
		list = append(list, text)
	}
	f.Set(reflect.ValueOf(list))
	return ""
}

// members lists the names of an enum.
func members(f reflect.Value) string {
	var names []string
	list := f.MethodByName("Members").Call(nil)[0]
	for i := range list.Len() {
		names = append(names, fmt.Sprint(list.Index(i)))
	}
	return strings.Join(names, ", ")
}
