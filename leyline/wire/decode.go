package wire

import (
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// decoder reads values out of b and accepts only what encoder writes.
type decoder struct {
	b    []byte
	off  int
	text bool // strings must be UTF-8
}

// head reads a head that must be in its shortest form.
func (d *decoder) head() (head, *DecodeError) {
	h, ok := readHead(d.b, d.off)
	if !ok {
		return h, refuse(d.off, "ends within a value")
	}
	if !h.minimal {
		return h, refuse(d.off, "is not in its shortest form")
	}
	return h, nil
}

// want reads a head of one shape and returns its number.
func (d *decoder) want(s shape) (uint64, *DecodeError) {
	h, err := d.head()
	if err != nil {
		return 0, err
	}
	if h.shape != s {
		return 0, refuse(d.off, "is %s, want %s", h.shape, s)
	}
	d.off = h.end
	return h.n, nil
}

// bytes reads a string or bin. The result aliases the input.
func (d *decoder) bytes(s shape) ([]byte, *DecodeError) {
	start := d.off
	n, err := d.want(s)
	if err != nil {
		return nil, err
	}
	if left := len(d.b) - d.off; n > uint64(left) {
		return nil, refuse(start, "announces %d bytes, %d are left", n, left)
	}
	b := d.b[d.off : d.off+int(n)]
	d.off += int(n)
	return b, nil
}

// array reads the head of an array whose elements take least bytes each.
func (d *decoder) array(least int) (int, *DecodeError) {
	start := d.off
	n, err := d.want(shapeArray)
	if err != nil {
		return 0, err
	}
	if left := len(d.b) - d.off; n > uint64(left/max(least, 1)) {
		return 0, refuse(start, "announces %d values, %d bytes are left", n, left)
	}
	return int(n), nil
}

// tuple reads the head of an array of exactly n elements.
func (d *decoder) tuple(n int, of string) *DecodeError {
	start := d.off
	got, err := d.want(shapeArray)
	if err != nil {
		return err
	}
	if got != uint64(n) {
		return refuse(start, "has %d fields, %s has %d", got, of, n)
	}
	return nil
}

// done demands that everything has been read.
func (d *decoder) done() *DecodeError {
	if d.off != len(d.b) {
		return refuse(d.off, "has %d bytes behind its end", len(d.b)-d.off)
	}
	return nil
}

func (boolCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	n, err := d.want(shapeBool)
	v.SetBool(n != 0)
	return err
}

func (intCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	start := d.off
	h, err := d.head()
	if err != nil {
		return err
	}
	n := int64(h.n)
	switch {
	case h.shape != shapeInt && h.shape != shapeUint:
		return refuse(start, "is %s, want %s", h.shape, shapeInt)
	case h.shape == shapeUint && h.n > math.MaxInt64, v.OverflowInt(n):
		return refuse(start, "is out of the range of %s", v.Type())
	}
	v.SetInt(n)
	d.off = h.end
	return nil
}

func (uintCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	start := d.off
	n, err := d.want(shapeUint)
	if err != nil {
		return err
	}
	if v.OverflowUint(n) {
		return refuse(start, "is %d, out of the range of %s", n, v.Type())
	}
	v.SetUint(n)
	return nil
}

func (c enumCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	start := d.off
	n, err := d.want(shapeUint)
	if err != nil {
		return err
	}
	if n >= c.members {
		return refuse(start, "has code %d, which is not a member of %s", n, c.name)
	}
	v.SetUint(n)
	return nil
}

func (floatCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	n, err := d.want(shapeDouble)
	v.SetFloat(math.Float64frombits(n))
	return err
}

func (stringCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	start := d.off
	b, err := d.bytes(shapeStr)
	if err != nil {
		return err
	}
	if d.text && !utf8.Valid(b) {
		return refuse(start, "is not UTF-8")
	}
	v.SetString(string(b))
	return nil
}

func (bytesCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	b, err := d.bytes(shapeBin)
	if err == nil && len(b) > 0 {
		v.SetBytes(append([]byte(nil), b...))
	}
	return err
}

func (c arrayCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	start := d.off
	b, err := d.bytes(shapeBin)
	if err != nil {
		return err
	}
	if len(b) != c.n {
		return refuse(start, "has %d bytes, want %d", len(b), c.n)
	}
	copy(v.Bytes(), b)
	return nil
}

func (c sliceCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	n, err := d.array(c.elem.size())
	if err != nil || n == 0 {
		return err
	}
	s := reflect.MakeSlice(c.typ, n, n)
	for i := range n {
		if err := c.elem.decode(d, s.Index(i)); err != nil {
			return err.under("[" + strconv.Itoa(i) + "]")
		}
	}
	v.Set(s)
	return nil
}

func (floatsCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	n, err := d.array(floatCodec{}.size())
	if err != nil || n == 0 {
		return err
	}
	s := make([]float64, n)
	for i := range s {
		bits, err := d.want(shapeDouble)
		if err != nil {
			return err.under("[" + strconv.Itoa(i) + "]")
		}
		s[i] = math.Float64frombits(bits)
	}
	*v.Addr().Interface().(*[]float64) = s
	return nil
}

func (c structCodec) decode(d *decoder, v reflect.Value) *DecodeError {
	if err := d.tuple(len(c.fields), c.name); err != nil {
		return err
	}
	for i := range c.fields {
		if err := c.fields[i].codec.decode(d, v.Field(i)); err != nil {
			return err.under(c.fields[i].name)
		}
	}
	return nil
}

// decodeWhole decodes b, which must hold one value and nothing else.
func decodeWhole(b []byte, l Limits, text bool, read func(*decoder) *DecodeError) *DecodeError {
	if err := guard(b, l); err != nil {
		return err
	}
	d := decoder{b: b, text: text}
	if err := read(&d); err != nil {
		return err
	}
	return d.done()
}

// decodeInto is decodeWhole for a value that has a codec.
func decodeInto(b []byte, l Limits, text bool, c codec, v reflect.Value, what string) error {
	err := decodeWhole(b, l, text, func(d *decoder) *DecodeError { return c.decode(d, v) })
	if err != nil {
		err.What = what
		return err
	}
	return nil
}
