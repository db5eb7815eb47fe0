package protocol

import (
	"math"
	"strconv"
)

// maxSafe is the largest whole number that every JSON program holds exactly.
const maxSafe = 1 << 53

// number reads a whole number: of 64 bits from a decimal text, or from a number that
// no JSON program could have changed.
func (s *jsonSource) number(wide bool) (uint64, *Error) {
	digits, quoted, err := s.whole(wide)
	if err != nil {
		return 0, err
	}
	n, bad := strconv.ParseUint(string(digits), 10, 64)
	switch {
	case bad != nil:
		return 0, invalid("is %s, out of the range of whole numbers from 0", clip(digits))
	case !quoted && n > maxSafe:
		return 0, invalid("is %d; write numbers above 2^53 as a text", n)
	}
	return n, nil
}

func (s *jsonSource) signed(wide bool) (int64, *Error) {
	digits, quoted, err := s.whole(wide)
	if err != nil {
		return 0, err
	}
	n, bad := strconv.ParseInt(string(digits), 10, 64)
	switch {
	case bad != nil:
		return 0, invalid("is %s, out of the range of whole numbers", clip(digits))
	case !quoted && (n > maxSafe || n < -maxSafe):
		return 0, invalid("is %d; write numbers beyond 2^53 as a text", n)
	}
	return n, nil
}

// whole reads the digits of a whole number.
func (s *jsonSource) whole(wide bool) (digits []byte, quoted bool, err *Error) {
	quoted = wide && s.peek() == '"'
	if quoted {
		digits, err = s.text()
	} else {
		digits, err = s.literal("a whole number")
	}
	if err != nil {
		return nil, quoted, err
	}
	if n := scanNumber(digits); n != len(digits) || !isWhole(digits) {
		return nil, quoted, invalid("is %q; want a whole number", clip(digits))
	}
	return digits, quoted, nil
}

func isWhole(b []byte) bool {
	for i, c := range b {
		if (c < '0' || c > '9') && !(i == 0 && c == '-' && len(b) > 1 && b[1] != '0') {
			return false
		}
	}
	return len(b) > 0
}

// literal reads a number as it is written.
func (s *jsonSource) literal(want string) ([]byte, *Error) {
	c := s.peek()
	if c != '-' && (c < '0' || c > '9') {
		return nil, s.found(want)
	}
	n := scanNumber(s.b[s.off:])
	if n == 0 {
		return nil, malformed("is no JSON: a number is cut or misspelt at %d", s.off)
	}
	s.off += n
	return s.b[s.off-n : s.off], nil
}

// scanNumber returns how many bytes of b are a number as RFC 8259 writes it; 0: none.
func scanNumber(b []byte) int {
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	n := scanDigits(b[i:])
	if n == 0 || n > 1 && b[i] == '0' {
		return 0
	}
	i += n
	for _, part := range [...]func([]byte) int{scanFraction, scanExponent} {
		n := part(b[i:])
		if n < 0 {
			return 0
		}
		i += n
	}
	return i
}

// scanFraction returns how long a fraction is that b begins with; -1: it lacks digits.
func scanFraction(b []byte) int {
	if len(b) == 0 || b[0] != '.' {
		return 0
	}
	if n := scanDigits(b[1:]); n > 0 {
		return 1 + n
	}
	return -1
}

// scanExponent returns how long an exponent is that b begins with; -1: it lacks digits.
func scanExponent(b []byte) int {
	if len(b) == 0 || b[0]|0x20 != 'e' {
		return 0
	}
	sign := 0
	if len(b) > 1 && (b[1] == '+' || b[1] == '-') {
		sign = 1
	}
	if n := scanDigits(b[1+sign:]); n > 0 {
		return 1 + sign + n
	}
	return -1
}

func scanDigits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

func (s *jsonSource) float() (float64, *Error) {
	if s.peek() == '"' {
		b, err := s.text()
		if err != nil {
			return 0, err
		}
		switch string(b) {
		case textNaN:
			return math.NaN(), nil
		case textInfinity:
			return math.Inf(1), nil
		case textNegInfinity:
			return math.Inf(-1), nil
		}
		return 0, invalid("is %q; want a number, %q, %q or %q", clip(b), textNaN, textInfinity, textNegInfinity)
	}
	b, err := s.literal("a number")
	if err != nil {
		return 0, err
	}
	x, bad := strconv.ParseFloat(string(b), 64)
	if bad != nil {
		return 0, invalid("is %s, out of the range of a float64", clip(b))
	}
	return x, nil
}
