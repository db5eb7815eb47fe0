package protocol

import (
	"fmt"
	"reflect"
)

// Version is the version of the protocol that this package speaks.
const Version = 1

// The media types of bodies.
const (
	MediaJSON    = "application/json"
	MediaMsgpack = "application/msgpack"
)

// Bounds of one document.
const (
	MaxList   = 65536 // entries of one list
	MaxSteps  = 64    // steps in one request
	roomSlack = 64 << 10
	roomRatio = 16 // bytes of list entries that a byte of a document may cause
)

// maxDepth bounds how deep the types of bodies are nested.
const maxDepth = 16

// AppendRequest appends v in the form of a request: what is zero is left out. The
// error is an *Error; then dst is returned as it was.
func AppendRequest(dst []byte, media string, v any) ([]byte, error) {
	return appendForm(dst, media, v, false)
}

// AppendAnswer appends v in the form of an answer: every number, text, switch and list
// is there. The error is an *Error; then dst is returned as it was.
func AppendAnswer(dst []byte, media string, v any) ([]byte, error) {
	return appendForm(dst, media, v, true)
}

func appendForm(dst []byte, media string, v any, full bool) ([]byte, error) {
	x := reflect.Indirect(reflect.ValueOf(v))
	if !x.IsValid() {
		return dst, invalid("is nothing")
	}
	f, err := formOf(x.Type())
	if err != nil {
		return dst, invalid("%v", err)
	}
	var to sink
	switch media {
	case MediaJSON:
		to = &jsonSink{b: dst}
	case MediaMsgpack:
		to = &packSink{b: dst}
	default:
		return dst, invalid("has no form as %q; %s and %s are known", media, MediaJSON, MediaMsgpack)
	}
	if err := f.write(to, x, full); err != nil {
		return dst, err
	}
	return to.bytesSoFar(), nil
}

// Decode reads one document into the struct that to points to, which must be zero. The
// error is an *Error. What was read keeps nothing of b.
func Decode(media string, b []byte, to any) error { return decode(media, b, to, false) }

// DecodeAnswer is Decode for what a plane says: members that are not known are passed
// over, since a plane that is newer than its client may say more.
func DecodeAnswer(media string, b []byte, to any) error { return decode(media, b, to, true) }

func decode(media string, b []byte, to any, lenient bool) error {
	p := reflect.ValueOf(to)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return invalid("cannot be read into a %T", to)
	}
	f, err := formOf(p.Type().Elem())
	if err != nil {
		return invalid("%v", err)
	}
	room := budget{room: roomRatio*len(b) + roomSlack, lenient: lenient}
	var from source
	switch media {
	case MediaJSON:
		from = &jsonSource{budget: room, b: b}
	case MediaMsgpack:
		from = &packSource{budget: room, b: b}
	default:
		return invalid("has no form as %q; %s and %s are known", media, MediaJSON, MediaMsgpack)
	}
	if err := f.read(from, p.Elem()); err != nil {
		return err
	}
	if err := from.done(); err != nil {
		return err
	}
	return nil
}

// Check says whether values of a type have a form, and why not.
func Check(t reflect.Type) error {
	if _, err := formOf(t); err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	return nil
}

// budget bounds what the lists of a document may take in memory.
type budget struct {
	room    int
	lenient bool // members that are not known are passed over
}

func (b *budget) passes() bool { return b.lenient }

func (b *budget) pay(n int) *Error {
	if b.room -= n; b.room < 0 {
		return invalid("has more entries than a document of this length may have")
	}
	return nil
}
