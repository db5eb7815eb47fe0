package protocol

import (
	"encoding/binary"
	"math"
)

// packSource reads msgpack.
type packSource struct {
	budget
	b   []byte
	off int
}

// what names what a first byte begins.
func what(c byte) string {
	switch {
	case c < packMapFix, c >= packNegFix, c >= packUint8 && c <= packInt64:
		return "a whole number"
	case c < packListFix, c == packMap16, c == packMap32:
		return "a map"
	case c < packTextFix, c == packList16, c == packList32:
		return "a list"
	case c < packNil, c >= packText8 && c <= packText32:
		return "a text"
	case c == packFalse, c == packTrue:
		return "a boolean"
	case c >= packBin8 && c <= packBin32:
		return "bytes"
	case c == packFloat32, c == packFloat64:
		return "a float"
	}
	return "an extension"
}

// head takes the first byte of a value.
func (s *packSource) head() (byte, *Error) {
	if s.off >= len(s.b) {
		return 0, malformed("ends within a value")
	}
	c := s.b[s.off]
	s.off++
	return c, nil
}

func wrong(c byte, want string) *Error {
	if c == packNil {
		return invalid("is nil; leave it out")
	}
	return invalid("is %s; want %s", what(c), want)
}

// big takes a number of n bytes.
func (s *packSource) big(n int) (uint64, *Error) {
	if len(s.b)-s.off < n {
		return 0, malformed("ends within a value")
	}
	var wide [8]byte
	copy(wide[8-n:], s.b[s.off:s.off+n])
	s.off += n
	return binary.BigEndian.Uint64(wide[:]), nil
}

// length takes the length of a map, list, text or bytes, and holds it against what is
// left: each entry takes least bytes.
func (s *packSource) length(c, fix, one, two, four, mask byte, want string, least int) (int, *Error) {
	n, err := uint64(0), (*Error)(nil)
	switch {
	case mask != 0 && c&^mask == fix:
		n = uint64(c & mask)
	case c == one && one != packNil:
		n, err = s.big(1)
	case c == two:
		n, err = s.big(2)
	case c == four:
		n, err = s.big(4)
	default:
		err = wrong(c, want)
	}
	if err != nil {
		return 0, err
	}
	if n > uint64((len(s.b)-s.off)/least) {
		return 0, malformed("announces a length of %d, %d bytes are left", n, len(s.b)-s.off)
	}
	return int(n), nil
}

func (s *packSource) object() (int, *Error) {
	c, err := s.head()
	if err != nil {
		return 0, err
	}
	return s.length(c, packMapFix, packNil, packMap16, packMap32, 15, "a map", 2)
}

func (s *packSource) list() (int, *Error) {
	c, err := s.head()
	if err != nil {
		return 0, err
	}
	return s.length(c, packListFix, packNil, packList16, packList32, 15, "a list", 1)
}

func (s *packSource) entry(left *int) (bool, *Error) {
	*left--
	return *left >= 0, nil
}

func (s *packSource) member(left *int) ([]byte, bool, *Error) {
	if *left--; *left < 0 {
		return nil, false, nil
	}
	name, err := s.text()
	if err != nil && err.Kind == KindInvalid {
		err = malformed("has a name that is no text, at byte %d", s.off)
	}
	return name, err == nil, err
}

func (s *packSource) text() ([]byte, *Error) {
	c, err := s.head()
	if err != nil {
		return nil, err
	}
	n, err := s.length(c, packTextFix, packText8, packText16, packText32, 31, "a text", 1)
	if err != nil {
		return nil, err
	}
	return valid(s.take(n))
}

func (s *packSource) take(n int) []byte {
	s.off += n
	return s.b[s.off-n : s.off]
}

func (s *packSource) bytes() ([]byte, *Error) {
	c, err := s.head()
	if err != nil {
		return nil, err
	}
	n, err := s.length(c, 0, packBin8, packBin16, packBin32, 0, "bytes", 1)
	if err != nil {
		return nil, err
	}
	return s.take(n), nil
}

// integer takes a whole number: its bits, and whether it is below 0.
func (s *packSource) integer(c byte, want string) (n uint64, negative bool, err *Error) {
	switch {
	case c < packMapFix:
		return uint64(c), false, nil
	case c >= packNegFix:
		return uint64(int64(int8(c))), true, nil
	case c >= packUint8 && c <= packUint64:
		n, err = s.big(1 << (c - packUint8))
		return n, false, err
	case c >= packInt8 && c <= packInt64:
		size := 1 << (c - packInt8)
		n, err = s.big(size)
		shift := 64 - 8*size
		signed := int64(n<<shift) >> shift
		return uint64(signed), signed < 0, err
	}
	return 0, false, wrong(c, want)
}

func (s *packSource) number(bool) (uint64, *Error) {
	c, err := s.head()
	if err != nil {
		return 0, err
	}
	n, negative, err := s.integer(c, "a whole number")
	if err == nil && negative {
		err = invalid("is %d; want a whole number from 0", int64(n))
	}
	return n, err
}

func (s *packSource) signed(bool) (int64, *Error) {
	c, err := s.head()
	if err != nil {
		return 0, err
	}
	n, negative, err := s.integer(c, "a whole number")
	if err == nil && !negative && n > math.MaxInt64 {
		err = invalid("is %d, out of the range of 64 bits with a sign", n)
	}
	return int64(n), err
}

// float takes a float, or a whole number that is one without loss. All numbers that are
// none are one.
func (s *packSource) float() (float64, *Error) {
	c, err := s.head()
	if err != nil {
		return 0, err
	}
	var x float64
	switch c {
	case packFloat64:
		n, err := s.big(8)
		if err != nil {
			return 0, err
		}
		x = math.Float64frombits(n)
	case packFloat32:
		n, err := s.big(4)
		if err != nil {
			return 0, err
		}
		x = float64(math.Float32frombits(uint32(n)))
	default:
		return s.wholeFloat(c)
	}
	if math.IsNaN(x) {
		return math.NaN(), nil
	}
	return x, nil
}

func (s *packSource) wholeFloat(c byte) (float64, *Error) {
	n, negative, err := s.integer(c, "a number")
	switch {
	case err != nil:
		return 0, err
	case negative && int64(n) >= -maxSafe:
		return float64(int64(n)), nil
	case !negative && n <= maxSafe:
		return float64(n), nil
	}
	return 0, invalid("is a whole number beyond 2^53; write it as a float")
}

func (s *packSource) flag() (bool, *Error) {
	c, err := s.head()
	if err != nil {
		return false, err
	}
	if c != packTrue && c != packFalse {
		return false, wrong(c, "a boolean")
	}
	return c == packTrue, nil
}

func (s *packSource) done() *Error {
	if s.off < len(s.b) {
		return malformed("has %d bytes behind its end", len(s.b)-s.off)
	}
	return nil
}
