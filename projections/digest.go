package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"reflect"

	"github.com/esper-plane/esper/leyline"
)

// Named is the digest of one projection.
type Named struct {
	Name   string
	Digest leyline.Digest
}

// Digests returns the digest of every projection, in a fixed order.
func (s *State) Digests() []Named {
	return []Named{
		{"plane", DigestOf(s.Plane)},
		{"tolaria", DigestOf(s.Tolaria)},
		{"tamiyo", DigestOf(s.Tamiyo)},
		{"kasmina", DigestOf(s.Kasmina)},
		{"audit", DigestOf(s.Audit)},
	}
}

// Digest is the digest of the whole state, position included.
func (s *State) Digest() leyline.Digest { return DigestOf(*s) }

// DigestOf hashes a value canonically with SHA-256: fields in their order of
// declaration, integers as 8 bytes big-endian, floats by their exact bits,
// strings and slices behind their length. Types that have no canonical form
// (maps, pointers, interfaces, functions) panic: a projection must not hold
// them, and a test walks every type that is reachable from State.
func DigestOf(v any) leyline.Digest {
	c := canon{h: sha256.New()}
	c.value(reflect.ValueOf(v))
	c.flush()
	var d leyline.Digest
	c.h.Sum(d[:0])
	return d
}

// canon writes values into a hash through a small buffer.
type canon struct {
	h   hash.Hash
	buf []byte
}

func (c *canon) flush() {
	_, _ = c.h.Write(c.buf) // a hash.Hash never returns an error
	c.buf = c.buf[:0]
}

func (c *canon) word(v uint64) {
	if len(c.buf) > 4096 {
		c.flush()
	}
	c.buf = binary.BigEndian.AppendUint64(c.buf, v)
}

func (c *canon) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			c.word(1)
		} else {
			c.word(0)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.word(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		c.word(v.Uint())
	case reflect.Float64:
		c.word(math.Float64bits(v.Float()))
	case reflect.String:
		c.word(uint64(v.Len()))
		c.buf = append(c.buf, v.String()...)
	case reflect.Slice, reflect.Array:
		c.word(uint64(v.Len()))
		for i := range v.Len() {
			c.value(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			c.value(v.Field(i))
		}
	default:
		panic(fmt.Sprintf("projections: %s has no canonical form", v.Type()))
	}
}
