package protocol

import (
	"encoding/base64"
	"math"
	"strconv"
)

// The texts of the floats that JSON has no number for.
const (
	textNaN         = "NaN"
	textInfinity    = "Infinity"
	textNegInfinity = "-Infinity"
)

// jsonSink writes JSON without white space.
type jsonSink struct{ b []byte }

func (s *jsonSink) bytesSoFar() []byte { return s.b }
func (s *jsonSink) object(int)         { s.b = append(s.b, '{') }
func (s *jsonSink) endObject()         { s.b = append(s.b, '}') }
func (s *jsonSink) list(int)           { s.b = append(s.b, '[') }
func (s *jsonSink) endList()           { s.b = append(s.b, ']') }
func (s *jsonSink) text(t string)      { s.b = appendQuoted(s.b, t) }
func (s *jsonSink) flag(b bool)        { s.b = strconv.AppendBool(s.b, b) }

func (s *jsonSink) entry() {
	if s.b[len(s.b)-1] != '[' {
		s.b = append(s.b, ',')
	}
}

func (s *jsonSink) member(m *member) {
	if s.b[len(s.b)-1] != '{' {
		s.b = append(s.b, ',')
	}
	s.b = append(s.b, m.json...)
}

func (s *jsonSink) number(n uint64, wide bool) {
	s.quote(wide)
	s.b = strconv.AppendUint(s.b, n, 10)
	s.quote(wide)
}

func (s *jsonSink) signed(n int64, wide bool) {
	s.quote(wide)
	s.b = strconv.AppendInt(s.b, n, 10)
	s.quote(wide)
}

func (s *jsonSink) quote(wide bool) {
	if wide {
		s.b = append(s.b, '"')
	}
}

func (s *jsonSink) bytes(b []byte) {
	s.b = append(s.b, '"')
	s.b = base64.StdEncoding.AppendEncode(s.b, b)
	s.b = append(s.b, '"')
}

func (s *jsonSink) float(x float64) {
	switch {
	case math.IsNaN(x):
		s.text(textNaN)
	case math.IsInf(x, 1):
		s.text(textInfinity)
	case math.IsInf(x, -1):
		s.text(textNegInfinity)
	default:
		s.b = appendFloat(s.b, x)
	}
}

// appendFloat writes the shortest decimal that reads back as x: with an exponent below
// 1e-6 and from 1e21 on.
func appendFloat(b []byte, x float64) []byte {
	form := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(b, x, form, -1, 64)
}

const hexDigits = "0123456789abcdef"

// appendQuoted writes a text that is UTF-8 as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}
