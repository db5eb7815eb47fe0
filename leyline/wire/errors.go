package wire

import (
	"fmt"
	"strings"
)

// DecodeError says why bytes were refused, and where.
type DecodeError struct {
	What    string // what was being read: "record 7", "command", ...
	Path    string // field, dotted, as far as it was known: "input.Seeds[2].Alpha"
	Offset  int    // byte at which the refused value starts
	Problem string // what is wrong with it
}

// Error says it in one line.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("cannot decode %s: %s%s at byte %d", orMessage(e.What), pathPrefix(e.Path), e.Problem, e.Offset)
}

// under puts a path element in front of the path.
func (e *DecodeError) under(element string) *DecodeError {
	e.Path = joinPath(element, e.Path)
	return e
}

// EncodeError says why a value has no stored form.
type EncodeError struct {
	What    string // what was being written
	Path    string // field, dotted
	Problem string // what is wrong with it
}

// Error says it in one line.
func (e *EncodeError) Error() string {
	return fmt.Sprintf("cannot encode %s: %s%s", orMessage(e.What), pathPrefix(e.Path), e.Problem)
}

func (e *EncodeError) under(element string) *EncodeError {
	e.Path = joinPath(element, e.Path)
	return e
}

func orMessage(what string) string {
	if what == "" {
		return "message"
	}
	return what
}

func pathPrefix(path string) string {
	if path == "" {
		return ""
	}
	return path + " "
}

// joinPath joins path elements; an index attaches without a dot.
func joinPath(head, tail string) string {
	if tail == "" || strings.HasPrefix(tail, "[") {
		return head + tail
	}
	return head + "." + tail
}
