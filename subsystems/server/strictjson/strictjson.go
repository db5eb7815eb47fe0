// Package strictjson decodes JSON that strangers send. What encoding/json lets pass is
// refused, with the name of the field: a field that the target does not have or has
// under another case, a field that comes twice, null, and anything behind the document.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// The kinds of mistakes.
const (
	KindMalformed = "malformed"
	KindUnknown   = "unknown_field"
	KindDuplicate = "duplicate_field"
	KindInvalid   = "invalid_field" // constant: local because this package decodes for anyone and knows no refusals
)

// maxDepth bounds objects and lists within each other.
const maxDepth = 16

// Error says what is wrong with a document.
type Error struct {
	Kind   string // one of the kinds of this package
	Field  string // dotted, with the positions of list entries; empty: the document
	Reason string
}

// Error says field and reason.
func (e *Error) Error() string {
	if e.Field == "" {
		return "the document " + e.Reason
	}
	return e.Field + " " + e.Reason
}

// Decode decodes one document into the struct that to points to. Fields have the names
// of their json tags. The error is an *Error.
func Decode(b []byte, to any) error {
	if !utf8.Valid(b) {
		return &Error{Kind: KindMalformed, Reason: "is not UTF-8"}
	}
	w := walker{json.NewDecoder(bytes.NewReader(b))}
	w.UseNumber()
	if err := w.value(reflect.TypeOf(to).Elem(), "", 0); err != nil {
		return err
	}
	if _, err := w.Token(); !errors.Is(err, io.EOF) {
		return &Error{Kind: KindMalformed, Reason: "has something behind its end"}
	}
	if err := json.Unmarshal(b, to); err != nil {
		return mistyped(err)
	}
	return nil
}

// walker reads a document token by token beside the type that it is for.
type walker struct{ *json.Decoder }

// value reads one value. Where t is nil nothing is known of what it is for.
func (w walker) value(t reflect.Type, path string, depth int) error {
	tok, err := w.Token()
	switch {
	case err != nil:
		return malformed(err)
	case tok == nil:
		return &Error{Kind: KindInvalid, Field: path, Reason: "is null; leave it out"}
	case depth > maxDepth:
		return &Error{Kind: KindMalformed, Field: path, Reason: fmt.Sprintf("is nested deeper than %d", maxDepth)}
	}
	switch tok {
	case json.Delim('{'):
		return w.object(t, path, depth)
	case json.Delim('['):
		return w.list(t, path, depth)
	}
	return nil
}

func (w walker) object(t reflect.Type, path string, depth int) error {
	seen := map[string]bool{}
	for w.More() {
		tok, err := w.Token()
		if err != nil {
			return malformed(err)
		}
		key, ok := tok.(string)
		if !ok {
			return malformed(errors.New("has a field without a name"))
		}
		at := under(path, key)
		if seen[key] {
			return &Error{Kind: KindDuplicate, Field: at, Reason: "comes twice"}
		}
		seen[key] = true
		field, known := fieldOf(t, key)
		if !known {
			return &Error{Kind: KindUnknown, Field: at, Reason: "is not known"}
		}
		if err := w.value(field, at, depth+1); err != nil {
			return err
		}
	}
	return w.end()
}

func (w walker) list(t reflect.Type, path string, depth int) error {
	var elem reflect.Type
	if t != nil && t.Kind() == reflect.Slice {
		elem = t.Elem()
	}
	for i := 0; w.More(); i++ {
		if err := w.value(elem, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
			return err
		}
	}
	return w.end()
}

// end reads the bracket that closes an object or a list.
func (w walker) end() error {
	if _, err := w.Token(); err != nil {
		return malformed(err)
	}
	return nil
}

// fieldOf finds the field of a struct with a name. What is no struct has any field: that
// an object cannot be put there is said when it is decoded.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, true
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == key {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// under names a field of an object; what a stranger calls it is kept short.
func under(path, key string) string {
	if r := []rune(key); len(r) > 64 {
		key = string(r[:64]) + "..."
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func malformed(err error) error {
	reason := "ends within a value"
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		reason = "is no JSON: " + err.Error()
	}
	return &Error{Kind: KindMalformed, Reason: reason}
}

// mistyped says which field holds what it cannot.
func mistyped(err error) error {
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		return &Error{Kind: KindInvalid, Field: kind.Field, Reason: fmt.Sprintf("holds a %s; %s is wanted", kind.Value, kind.Type)}
	}
	return &Error{Kind: KindInvalid, Reason: "holds a value that cannot be read: " + strings.TrimPrefix(err.Error(), "json: ")}
}
