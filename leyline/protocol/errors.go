package protocol

import (
	"fmt"
	"strings"
)

// The kinds of mistakes in a document. Problem documents carry them as they are.
const (
	KindMalformed = "malformed"       // constant: local because this package decodes for anyone and knows no refusals
	KindUnknown   = "unknown_field"   // constant: local because of the same
	KindDuplicate = "duplicate_field" // constant: local because of the same
	KindInvalid   = "invalid_field"   // constant: local because of the same
)

// Error says what is wrong with a document, or with a value that has no form.
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

// under puts the name of a member, or "[n]", in front of the path.
func (e *Error) under(name string) *Error {
	switch {
	case e.Kind == KindMalformed: // it is about bytes, not about a member
	case e.Field == "" || e.Field[0] == '[':
		e.Field = name + e.Field
	default:
		e.Field = name + "." + e.Field
	}
	return e
}

func invalid(format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Reason: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) *Error {
	return &Error{Kind: KindMalformed, Reason: fmt.Sprintf(format, args...)}
}

// clip keeps a stranger's text short and printable.
func clip(b []byte) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), 64)]), "?")
	if len(b) > 64 {
		s += "..."
	}
	return s
}
