package protocol

import (
	"encoding"
	"math"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/esper-plane/esper/leyline"
)

// sink takes a document piece by piece.
type sink interface {
	object(n int) // n members follow, each after member
	member(m *member)
	endObject()
	list(n int) // n entries follow, each after entry
	entry()
	endList()
	text(s string)
	number(n uint64, wide bool) // wide: of a type of 64 bits
	signed(n int64, wide bool)
	float(x float64)
	flag(b bool)
	bytes(b []byte)
	bytesSoFar() []byte
}

// source gives a document piece by piece and refuses what is another piece than the
// one that is asked for. left counts down what an object or a list has left, where that
// is known beforehand. Bytes that it returns are valid until the next call.
type source interface {
	object() (left int, err *Error)
	member(left *int) (name []byte, ok bool, err *Error)
	list() (left int, err *Error)
	entry(left *int) (ok bool, err *Error)
	text() ([]byte, *Error)
	number(wide bool) (uint64, *Error)
	signed(wide bool) (int64, *Error)
	float() (float64, *Error)
	flag() (bool, *Error)
	bytes() ([]byte, *Error)
	pay(n int) *Error
	passes() bool          // members that are not known are passed over
	skip(depth int) *Error // takes a value, whatever it is
	done() *Error
}

// scalar is what the forms of values have in common that answers always hold.
type scalar struct{}

func (scalar) empty(v reflect.Value) bool { return v.IsZero() }
func (scalar) unset() bool                { return false }

// optional is what the forms of values have in common that can be unset.
type optional struct{}

func (optional) empty(v reflect.Value) bool { return v.IsZero() }
func (optional) unset() bool                { return true }

type (
	boolForm   struct{ scalar }
	floatForm  struct{ scalar }
	stringForm struct{ scalar }
)

func (boolForm) write(to sink, v reflect.Value, _ bool) *Error {
	to.flag(v.Bool())
	return nil
}

func (boolForm) read(from source, v reflect.Value) *Error {
	b, err := from.flag()
	v.SetBool(b)
	return err
}

type uintForm struct {
	scalar
	wide bool
}

func (f uintForm) write(to sink, v reflect.Value, _ bool) *Error {
	to.number(v.Uint(), f.wide)
	return nil
}

func (f uintForm) read(from source, v reflect.Value) *Error {
	n, err := from.number(f.wide)
	if err == nil && v.OverflowUint(n) {
		err = invalid("is %d, which does not fit %d bits", n, v.Type().Bits())
	}
	v.SetUint(n)
	return err
}

type intForm struct {
	scalar
	wide bool
}

func (f intForm) write(to sink, v reflect.Value, _ bool) *Error {
	to.signed(v.Int(), f.wide)
	return nil
}

func (f intForm) read(from source, v reflect.Value) *Error {
	n, err := from.signed(f.wide)
	if err == nil && v.OverflowInt(n) {
		err = invalid("is %d, which does not fit %d bits", n, v.Type().Bits())
	}
	v.SetInt(n)
	return err
}

func (floatForm) empty(v reflect.Value) bool { return math.Float64bits(v.Float()) == 0 }

func (floatForm) write(to sink, v reflect.Value, _ bool) *Error {
	to.float(v.Float())
	return nil
}

func (floatForm) read(from source, v reflect.Value) *Error {
	x, err := from.float()
	v.SetFloat(x)
	return err
}

func (stringForm) write(to sink, v reflect.Value, _ bool) *Error {
	s := v.String()
	if !utf8.ValidString(s) {
		return invalid("holds a text that is not UTF-8")
	}
	to.text(s)
	return nil
}

func (stringForm) read(from source, v reflect.Value) *Error {
	b, err := from.text()
	v.SetString(string(b))
	return err
}

type enumForm struct {
	optional
	names []string
	codes map[string]uint64
}

func (f enumForm) write(to sink, v reflect.Value, _ bool) *Error {
	if v.Uint() >= uint64(len(f.names)) {
		return invalid("has the code %d, which has no name", v.Uint())
	}
	to.text(f.names[v.Uint()])
	return nil
}

func (f enumForm) read(from source, v reflect.Value) *Error {
	b, err := from.text()
	if err != nil {
		return err
	}
	code, ok := f.codes[string(b)]
	if !ok {
		return invalid("is %q; want one of %v", clip(b), f.names[1:])
	}
	v.SetUint(code)
	return nil
}

// textForm is of types that say themselves what their text is.
type textForm struct{ typ reflect.Type }

func (textForm) empty(v reflect.Value) bool { return v.IsZero() }
func (textForm) unset() bool                { return true }

func (textForm) write(to sink, v reflect.Value, _ bool) *Error {
	b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return invalid("%v", err)
	}
	to.text(string(b))
	return nil
}

func (textForm) read(from source, v reflect.Value) *Error {
	b, err := from.text()
	if err != nil {
		return err
	}
	if bad := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(b); bad != nil {
		return invalid("is %q: %v", clip(b), bad)
	}
	return nil
}

type instantForm struct{ optional }

// instantLayout is RFC 3339 with nanoseconds, in UTC.
const instantLayout = "2006-01-02T15:04:05.000000000Z"

func (instantForm) write(to sink, v reflect.Value, _ bool) *Error {
	to.text(time.Unix(0, v.Int()).UTC().Format(instantLayout))
	return nil
}

func (instantForm) read(from source, v reflect.Value) *Error {
	b, err := from.text()
	if err != nil {
		return err
	}
	t, bad := time.Parse("2006-01-02T15:04:05.999999999Z", string(b))
	ns := t.UnixNano()
	if bad != nil || !time.Unix(0, ns).Equal(t) {
		return invalid("is %q; want a time like 2006-01-02T15:04:05.000000000Z, from 1678 to 2261", clip(b))
	}
	v.SetInt(ns)
	return nil
}

type envelopeDoc struct {
	PayloadType string `json:"payloadType"`
	Payload     []byte
	Signatures  []signatureDoc
}

type signatureDoc struct {
	KeyID leyline.KeyID `json:"keyid"`
	Sig   []byte
}

// envelopeForm is the JSON form of the DSSE specification, with one signature.
type envelopeForm struct{ doc form }

func (envelopeForm) empty(v reflect.Value) bool {
	e := v.Interface().(leyline.Envelope)
	return e.PayloadType == "" && e.KeyID == "" && len(e.Payload)+len(e.Signature) == 0
}
func (envelopeForm) unset() bool { return true }

func (f envelopeForm) write(to sink, v reflect.Value, _ bool) *Error {
	e := v.Interface().(leyline.Envelope)
	d := envelopeDoc{e.PayloadType, e.Payload, []signatureDoc{{e.KeyID, e.Signature}}}
	return f.doc.write(to, reflect.ValueOf(d), true)
}

func (f envelopeForm) read(from source, v reflect.Value) *Error {
	var d envelopeDoc
	if err := f.doc.read(from, reflect.ValueOf(&d).Elem()); err != nil {
		return err
	}
	if len(d.Signatures) != 1 {
		return invalid("has %d entries; want one", len(d.Signatures)).under("signatures")
	}
	s := d.Signatures[0]
	v.Set(reflect.ValueOf(leyline.Envelope{PayloadType: d.PayloadType, Payload: d.Payload, KeyID: s.KeyID, Signature: s.Sig}))
	return nil
}
