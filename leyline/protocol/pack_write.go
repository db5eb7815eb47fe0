package protocol

import (
	"encoding/binary"
	"math"
)

// The first bytes of msgpack values. Those that end in Fix hold a small number or
// length in their low bits.
const (
	packMapFix  = 0x80
	packListFix = 0x90
	packTextFix = 0xa0
	packNil     = 0xc0
	packFalse   = 0xc2
	packTrue    = 0xc3
	packBin8    = 0xc4
	packBin16   = 0xc5
	packBin32   = 0xc6
	packFloat32 = 0xca
	packFloat64 = 0xcb
	packUint8   = 0xcc
	packUint16  = 0xcd
	packUint32  = 0xce
	packUint64  = 0xcf
	packInt8    = 0xd0
	packInt16   = 0xd1
	packInt32   = 0xd2
	packInt64   = 0xd3
	packText8   = 0xd9
	packText16  = 0xda
	packText32  = 0xdb
	packList16  = 0xdc
	packList32  = 0xdd
	packMap16   = 0xde
	packMap32   = 0xdf
	packNegFix  = 0xe0
)

// packSink writes msgpack, every number and length in its shortest form.
type packSink struct{ b []byte }

func (s *packSink) bytesSoFar() []byte { return s.b }
func (s *packSink) object(n int) {
	s.b = appendLength(s.b, n, packMapFix, packNil, packMap16, packMap32, 16)
}
func (s *packSink) member(m *member) { s.b = append(s.b, m.pack...) }
func (s *packSink) endObject()       {}
func (s *packSink) list(n int) {
	s.b = appendLength(s.b, n, packListFix, packNil, packList16, packList32, 16)
}
func (s *packSink) entry()                  {}
func (s *packSink) endList()                {}
func (s *packSink) text(t string)           { s.b = appendPackText(s.b, t) }
func (s *packSink) number(n uint64, _ bool) { s.b = appendPackUint(s.b, n) }

func (s *packSink) signed(n int64, _ bool) {
	switch {
	case n >= 0:
		s.b = appendPackUint(s.b, uint64(n))
	case n >= -32:
		s.b = append(s.b, byte(n))
	case n >= math.MinInt8:
		s.b = append(s.b, packInt8, byte(n))
	case n >= math.MinInt16:
		s.b = binary.BigEndian.AppendUint16(append(s.b, packInt16), uint16(n))
	case n >= math.MinInt32:
		s.b = binary.BigEndian.AppendUint32(append(s.b, packInt32), uint32(n))
	default:
		s.b = binary.BigEndian.AppendUint64(append(s.b, packInt64), uint64(n))
	}
}

func (s *packSink) float(x float64) {
	s.b = binary.BigEndian.AppendUint64(append(s.b, packFloat64), math.Float64bits(x))
}

func (s *packSink) flag(b bool) {
	if b {
		s.b = append(s.b, packTrue)
		return
	}
	s.b = append(s.b, packFalse)
}

func (s *packSink) bytes(b []byte) {
	s.b = appendLength(s.b, len(b), packNil, packBin8, packBin16, packBin32, 0)
	s.b = append(s.b, b...)
}

func appendPackText(b []byte, s string) []byte {
	return append(appendLength(b, len(s), packTextFix, packText8, packText16, packText32, 32), s...)
}

func appendPackUint(b []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, packUint8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, packUint16), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, packUint32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, packUint64), n)
}

// appendLength writes a length in the shortest of its forms: within the first byte
// below fixed, with one byte where there is such a form, with two, with four.
func appendLength(b []byte, n int, fix, one, two, four byte, fixed int) []byte {
	switch {
	case n < fixed:
		return append(b, fix|byte(n))
	case n <= math.MaxUint8 && one != packNil:
		return append(b, one, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, two), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, four), uint32(n))
}
