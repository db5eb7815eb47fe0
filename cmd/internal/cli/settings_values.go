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

// written is a value as a flag or the environment writes it: text, whatever the
// setting is. A value from a file has the type that it has there.
type written string

// oneOf begins what is wanted of an enum.
const oneOf = "one of "

// setField sets a field and returns what was wanted if it cannot.
func setField(f reflect.Value, value any) string {
	if e, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if text, isText := asText(value); !isText || e.UnmarshalText([]byte(text)) != nil {
			return oneOf + members(f)
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

// valueText renders a value that was refused: text in quotes, and a number with a
// fraction so that it is seen to have one.
func valueText(value any) string {
	switch x := value.(type) {
	case float64:
		text := fmt.Sprint(x)
		if x == math.Trunc(x) && !math.IsInf(x, 0) && !strings.Contains(text, "e") {
			text += ".0"
		}
		return text
	case int64, bool:
		return fmt.Sprint(x)
	}
	return strconv.Quote(fmt.Sprint(value))
}

func asText(value any) (string, bool) {
	if w, ok := value.(written); ok {
		return string(w), true
	}
	text, ok := value.(string)
	return text, ok
}

func setScalar(f reflect.Value, value any) string {
	switch f.Kind() {
	case reflect.Bool:
		return setBool(f, value)
	case reflect.Float64:
		return setFloat(f, value)
	}
	want := fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-f.Type().Bits()))
	switch value.(type) {
	case written, int64:
	default:
		return want
	}
	n, err := strconv.ParseUint(fmt.Sprint(value), 10, f.Type().Bits())
	if err != nil {
		return want
	}
	f.SetUint(n)
	return ""
}

func setBool(f reflect.Value, value any) string {
	switch x := value.(type) {
	case bool:
		f.SetBool(x)
		return ""
	case written:
		if b, err := strconv.ParseBool(string(x)); err == nil {
			f.SetBool(b)
			return ""
		}
	}
	return "true or false"
}

func setFloat(f reflect.Value, value any) string {
	switch value.(type) {
	case written, int64, float64:
		if x, err := strconv.ParseFloat(fmt.Sprint(value), 64); err == nil && !math.IsNaN(x) {
			f.SetFloat(x)
			return ""
		}
	}
	return "a number"
}

func setText(f reflect.Value, value any) string {
	text, ok := asText(value)
	if !ok {
		return "a text in quotes"
	}
	f.SetString(text)
	return ""
}

// setList sets a list of texts or of numbers. A flag or the environment writes it as
// JSON.
func setList(f reflect.Value, value any) string {
	want, add := `a list of texts, as ["ONE", "TWO"]`, addText
	if f.Type().Elem().Kind() == reflect.Float64 {
		want, add = "a list of numbers, as [0.5, 1]", addNumber
	}
	if text, ok := value.(written); ok {
		value = nil
		if !utf8.ValidString(string(text)) || json.Unmarshal([]byte(text), &value) != nil { // it would be read with other characters
			return want
		}
	}
	items, ok := value.([]any)
	if !ok {
		return want
	}
	list := reflect.Zero(f.Type()) // nil when empty: a list has one form for "none"
	for _, item := range items {
		if list, ok = add(list, item); !ok {
			return want
		}
	}
	f.Set(list)
	return ""
}

func addText(list reflect.Value, item any) (reflect.Value, bool) {
	text, ok := item.(string)
	return reflect.Append(list, reflect.ValueOf(text)), ok
}

func addNumber(list reflect.Value, item any) (reflect.Value, bool) {
	x := reflect.New(list.Type().Elem()).Elem()
	if setFloat(x, item) != "" {
		return list, false
	}
	return reflect.Append(list, x), true
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
