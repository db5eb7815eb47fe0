package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// fieldError is a mistake in one field of a document.
type fieldError struct {
	Field  string
	Reason string
	Hint   string
}

// Error implements error.
func (e *fieldError) Error() string { return e.Field + ": " + e.Reason + "; " + e.Hint }

func wrong(field, hint, format string, args ...any) error {
	return &fieldError{field, fmt.Sprintf(format, args...), hint}
}

// matrix is a square matrix, as a list of rows or as one list of them all.
type matrix [][]float64

// UnmarshalJSON implements json.Unmarshaler.
func (m *matrix) UnmarshalJSON(b []byte) error {
	var flat []float64
	if json.Unmarshal(b, &flat) != nil || flat == nil {
		return json.Unmarshal(b, (*[][]float64)(m))
	}
	k := 0
	for (k+1)*(k+1) <= len(flat) {
		k++
	}
	if k == 0 || k*k != len(flat) {
		return wrong("targets", "send k rows of k numbers", "are %d numbers, no square", len(flat))
	}
	*m = square(flat, k)
	return nil
}

// wholeNumber is a 64-bit number; as text it keeps all of its digits in any
// implementation of JSON.
type wholeNumber uint64

// UnmarshalJSON implements json.Unmarshaler.
func (n *wholeNumber) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(strings.Trim(string(b), `"`), 10, 64)
	if err != nil {
		return wrong("seed", "write a whole number from 0 to 18446744073709551615", "is %s", clipText(string(b)))
	}
	*n = wholeNumber(v)
	return nil
}

// clipText bounds what a message repeats of the input.
func clipText(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// strictJSON decodes one document and nothing else, and refuses unknown fields.
func strictJSON(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	var kind *json.UnmarshalTypeError
	var field *fieldError
	switch {
	case err == nil:
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return wrong("stdin", "send one JSON document", "there is something after the document")
		}
		return nil
	case errors.As(err, &field):
		return field
	case errors.As(err, &kind):
		return wrong(orDocument(kind.Field), "see `esper combine --help`", "holds a %s at byte %d where it cannot (a %s is wanted)", clipText(kind.Value), kind.Offset, kind.Type)
	case errors.Is(err, io.EOF):
		return wrong("stdin", "send one JSON document", "is empty")
	}
	reason := strings.TrimPrefix(err.Error(), "json: ")
	if name, ok := strings.CutPrefix(reason, "unknown field "); ok {
		return wrong(strings.Trim(name, `"`), "leave it out; see `esper combine --help`", "is no field of the document")
	}
	if strings.Contains(reason, "'N'") || strings.Contains(reason, "'I'") {
		reason += " (JSON has no NaN and no Infinity)"
	}
	return wrong("stdin", "send one JSON document", "%s", reason)
}

func orDocument(field string) string {
	if field == "" {
		return "stdin"
	}
	return field
}
