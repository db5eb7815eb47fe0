package protocol

import (
	"unicode/utf16"
	"unicode/utf8"
)

// plain are the escapes of one byte.
var plain = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads a text from its first byte on; off is at its first escape.
func (s *jsonSource) escaped(from int) ([]byte, *Error) {
	out := append(s.scratch[:0], s.b[from:s.off]...)
	for s.off < len(s.b) {
		c := s.b[s.off]
		s.off++
		switch {
		case c == '"':
			s.scratch = out
			return valid(out)
		case c < ' ':
			return nil, malformed("is no JSON: byte %q within a text at %d", c, s.off-1)
		case c != '\\':
			out = append(out, c)
		default:
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return nil, malformed("ends within a value")
}

// escape reads what follows a backslash.
func (s *jsonSource) escape() (rune, *Error) {
	if s.off >= len(s.b) {
		return 0, malformed("ends within a value")
	}
	c := s.b[s.off]
	s.off++
	if c != 'u' {
		p, ok := plain[c]
		if !ok {
			return 0, malformed("is no JSON: escape %q at %d", c, s.off-1)
		}
		return rune(p), nil
	}
	r, err := s.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !s.word(`\u`) {
		return 0, malformed("is not UTF-8: half a pair of surrogates at %d", s.off)
	}
	low, err := s.hex()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, malformed("is not UTF-8: half a pair of surrogates at %d", s.off)
	}
	return r, nil
}

// hex reads four hex digits.
func (s *jsonSource) hex() (rune, *Error) {
	if len(s.b)-s.off < 4 {
		return 0, malformed("ends within a value")
	}
	var r rune
	for _, c := range s.b[s.off : s.off+4] {
		d, ok := hexDigit(c)
		if !ok {
			return 0, malformed("is no JSON: byte %q in an escape at %d", c, s.off)
		}
		r = r<<4 | d
	}
	s.off += 4
	return r, nil
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
