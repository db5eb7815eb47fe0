package protocol

import (
	"encoding/base64"
	"unicode/utf8"
)

// The states of left for a JSON object or list, whose length nobody knows.
const (
	atFirst = -1 - iota
	atLater
)

// jsonSource reads JSON.
type jsonSource struct {
	budget
	b       []byte
	off     int
	scratch []byte // of a text that held an escape
}

// peek skips white space and returns the next byte; 0 at the end.
func (s *jsonSource) peek() byte {
	for s.off < len(s.b) {
		switch c := s.b[s.off]; c {
		case ' ', '\t', '\n', '\r':
			s.off++
		default:
			return c
		}
	}
	return 0
}

// found names what begins with a byte.
func (s *jsonSource) found(want string) *Error {
	what := ""
	switch c := s.peek(); {
	case c == 0 && s.off >= len(s.b):
		return malformed("ends within a value")
	case c == '{':
		what = "an object"
	case c == '[':
		what = "a list"
	case c == '"':
		what = "a text"
	case c == '-' || c >= '0' && c <= '9':
		what = "a number"
	case s.word("true"), s.word("false"):
		what = "a boolean"
	case s.word("null"):
		return invalid("is null; leave it out")
	default:
		return malformed("is no JSON: byte %q at %d", c, s.off)
	}
	return invalid("is %s; want %s", what, want)
}

// word takes a word that comes next.
func (s *jsonSource) word(w string) bool {
	if len(s.b)-s.off >= len(w) && string(s.b[s.off:s.off+len(w)]) == w {
		s.off += len(w)
		return true
	}
	return false
}

func (s *jsonSource) open(c byte, want string) (int, *Error) {
	if s.peek() != c {
		return 0, s.found(want)
	}
	s.off++
	return atFirst, nil
}

func (s *jsonSource) object() (int, *Error) { return s.open('{', "an object") }
func (s *jsonSource) list() (int, *Error)   { return s.open('[', "a list") }

// more goes on to the next member or entry, or past the bracket that ends them.
func (s *jsonSource) more(left *int, end byte) (bool, *Error) {
	c := s.peek()
	first := *left == atFirst
	*left = atLater
	switch {
	case c == end:
		s.off++
		return false, nil
	case first && c != 0:
		return true, nil
	case c == ',':
		s.off++
		return true, nil
	case c == 0 && s.off >= len(s.b):
		return false, malformed("ends within a value")
	}
	return false, malformed("is no JSON: byte %q at %d, want a comma or %q", c, s.off, end)
}

func (s *jsonSource) entry(left *int) (bool, *Error) { return s.more(left, ']') }

func (s *jsonSource) member(left *int) ([]byte, bool, *Error) {
	ok, err := s.more(left, '}')
	if err != nil || !ok {
		return nil, false, err
	}
	if s.peek() != '"' {
		return nil, false, malformed("is no JSON: a name is missing at %d", s.off)
	}
	name, err := s.text()
	if err != nil {
		return nil, false, err
	}
	if s.peek() != ':' {
		return nil, false, malformed("is no JSON: a colon is missing at %d", s.off)
	}
	s.off++
	return name, true, nil
}

func (s *jsonSource) text() ([]byte, *Error) {
	if s.peek() != '"' {
		return nil, s.found("a text")
	}
	s.off++
	from := s.off
	for ; s.off < len(s.b); s.off++ {
		switch c := s.b[s.off]; {
		case c == '"':
			s.off++
			return valid(s.b[from : s.off-1])
		case c == '\\':
			return s.escaped(from)
		case c < ' ':
			return nil, malformed("is no JSON: byte %q within a text at %d", c, s.off)
		}
	}
	return nil, malformed("ends within a value")
}

func valid(b []byte) ([]byte, *Error) {
	if !utf8.Valid(b) {
		return nil, malformed("is not UTF-8")
	}
	return b, nil
}

func (s *jsonSource) flag() (bool, *Error) {
	s.peek()
	if s.word("true") {
		return true, nil
	}
	if s.word("false") {
		return false, nil
	}
	return false, s.found("true or false")
}

func (s *jsonSource) bytes() ([]byte, *Error) {
	b, err := s.text()
	if err != nil {
		return nil, err
	}
	for _, c := range b {
		if c == '\n' || c == '\r' { // the decoder passes over them
			return nil, invalid("is no base64: it holds an end of line")
		}
	}
	out, bad := base64.StdEncoding.Strict().AppendDecode(nil, b)
	if bad != nil {
		return nil, invalid("is no padded base64: %v", bad)
	}
	return out, nil
}

func (s *jsonSource) done() *Error {
	if s.peek(); s.off < len(s.b) {
		return malformed("has something behind its end, at byte %d", s.off)
	}
	return nil
}
