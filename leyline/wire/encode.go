package wire

import (
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// sink collects what the msgpack encoder writes. It cannot fail.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) { s.b = append(s.b, p...); return len(p), nil }
func (s *sink) WriteByte(c byte) error      { s.b = append(s.b, c); return nil }

// encoder writes values behind what its sink already holds. Only the
// encoder's primitives are used, which depend on none of its flags.
type encoder struct {
	sink    sink
	mp      *msgpack.Encoder
	scratch [64]byte
	text    bool  // strings must be UTF-8
	err     error // of the msgpack encoder; the sink never causes one
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.mp = msgpack.NewEncoder(&e.sink)
	return e
}}

// begin takes an encoder that appends to dst.
func begin(dst []byte, text bool) *encoder {
	e := encoders.Get().(*encoder)
	e.sink.b, e.text, e.err = dst, text, nil
	return e
}

// end returns what was appended, or dst as it was and the error: the one given
// or, failing that, the msgpack encoder's.
func (e *encoder) end(dst []byte, failed *EncodeError) ([]byte, *EncodeError) {
	out := e.sink.b
	if failed == nil && e.err != nil {
		failed = &EncodeError{Problem: e.err.Error()}
	}
	e.sink.b = nil
	encoders.Put(e)
	if failed != nil {
		return dst, failed
	}
	return out, nil
}

func (e *encoder) note(err error) {
	if err != nil && e.err == nil {
		e.err = err
	}
}

func (e *encoder) array(n int)     { e.note(e.mp.EncodeArrayLen(n)) }
func (e *encoder) uint(n uint64)   { e.note(e.mp.EncodeUint(n)) }
func (e *encoder) int(n int64)     { e.note(e.mp.EncodeInt(n)) }
func (e *encoder) string(s string) { e.note(e.mp.EncodeString(s)) }

func (e *encoder) bin(b []byte) {
	if b == nil {
		e.note(e.mp.EncodeBytesLen(0)) // EncodeBytes would write nil
		return
	}
	e.note(e.mp.EncodeBytes(b))
}

// The codecs of the scalar types.
type (
	boolCodec   struct{}
	intCodec    struct{}
	uintCodec   struct{}
	floatCodec  struct{}
	stringCodec struct{}
	bytesCodec  struct{}
	arrayCodec  struct{ n int } // of bytes
	enumCodec   struct {
		name    string
		members uint64 // known codes, 0 included
	}
)

// The codecs of the composed types.
type (
	floatsCodec struct{} // []float64, in the format of sliceCodec
	sliceCodec  struct {
		typ  reflect.Type
		elem codec
	}
	structCodec struct {
		name   string
		fields []field
		least  int
	}
	field struct {
		name  string
		codec codec
	}
)

func (boolCodec) size() int     { return 1 }
func (intCodec) size() int      { return 1 }
func (uintCodec) size() int     { return 1 }
func (enumCodec) size() int     { return 1 }
func (floatCodec) size() int    { return 9 }
func (stringCodec) size() int   { return 1 }
func (bytesCodec) size() int    { return 2 }
func (c arrayCodec) size() int  { return c.n + 2 }
func (sliceCodec) size() int    { return 1 }
func (floatsCodec) size() int   { return 1 }
func (c structCodec) size() int { return c.least }

func (boolCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	e.note(e.mp.EncodeBool(v.Bool()))
	return nil
}

func (intCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	e.int(v.Int())
	return nil
}

func (uintCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	e.uint(v.Uint())
	return nil
}

func (c enumCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	if v.Uint() >= c.members {
		return &EncodeError{Problem: fmt.Sprintf("has code %d, which is not a member of %s", v.Uint(), c.name)}
	}
	e.uint(v.Uint())
	return nil
}

func (floatCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	e.note(e.mp.EncodeFloat64(v.Float()))
	return nil
}

func (stringCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	s := v.String()
	if e.text && !utf8.ValidString(s) {
		return &EncodeError{Problem: "is not UTF-8"}
	}
	e.string(s)
	return nil
}

func (bytesCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	e.bin(v.Bytes())
	return nil
}

func (c arrayCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	if v.CanAddr() {
		e.bin(v.Bytes())
		return nil
	}
	b := append(e.scratch[:0], make([]byte, c.n)...)
	reflect.Copy(reflect.ValueOf(b), v)
	e.bin(b)
	return nil
}

func (c sliceCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	n := v.Len()
	e.array(n)
	for i := range n {
		if err := c.elem.encode(e, v.Index(i)); err != nil {
			return err.under("[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

func (floatsCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	n := v.Len()
	e.array(n)
	for i := range n {
		e.note(e.mp.EncodeFloat64(v.Index(i).Float()))
	}
	return nil
}

func (c structCodec) encode(e *encoder, v reflect.Value) *EncodeError {
	e.array(len(c.fields))
	for i := range c.fields {
		if err := c.fields[i].codec.encode(e, v.Field(i)); err != nil {
			return err.under(c.fields[i].name)
		}
	}
	return nil
}
