package eventlog

import (
	"reflect"
	"unsafe"

	"github.com/tidwall/wal"
)

// tidwall/wal mirrors its tail segment in a slice that it grows with append
// from nothing in every segment. That copies each byte five more times and
// leaves the garbage collector a segment of garbage for each segment (measured
// with v1.2.1: 40 % of the CPU time of writing groups of a mebibyte). There is
// no option for it, so tailBuffer gives a new segment the memory of the last
// one: it puts a slice with enough capacity where tidwall/wal would begin with
// nil.
//
// It reaches into unexported fields. Where they are not found as expected it
// does nothing, and the log is slower and as correct as before; a test tells
// when that happens with the version in go.mod.
type tailBuffer struct {
	bytes     []byte
	positions reflect.Value // of the unexported type []bpos
}

// lend moves the mirror of the tail segment of w into memory for size bytes. The
// segments before it must have been dropped from the cache. It reports whether
// it could.
func (t *tailBuffer) lend(w *wal.Log, size int) bool {
	bytes, positions, ok := tailFields(w)
	if !ok {
		return false
	}
	if cap(t.bytes) < size {
		t.bytes = make([]byte, 0, size)
	}
	if !t.positions.IsValid() {
		t.positions = reflect.MakeSlice(positions.Type(), 0, size/averageRecord)
	}
	bytes.SetBytes(append(t.bytes[:0], bytes.Bytes()...))
	positions.Set(reflect.AppendSlice(t.positions.Slice(0, 0), positions))
	return true
}

// averageRecord is a guess that decides only how many positions fit before
// append has to grow their slice.
const averageRecord = 256

// tailFields returns the fields ebuf and epos of the last segment of w.
func tailFields(w *wal.Log) (bytes, positions reflect.Value, ok bool) {
	segments := reflect.ValueOf(w).Elem().FieldByName("segments")
	if !segments.IsValid() || segments.Kind() != reflect.Slice || segments.Len() == 0 {
		return bytes, positions, false
	}
	last := segments.Index(segments.Len() - 1)
	if last.Kind() != reflect.Pointer || last.Elem().Kind() != reflect.Struct {
		return bytes, positions, false
	}
	bytes, positions = last.Elem().FieldByName("ebuf"), last.Elem().FieldByName("epos")
	if !bytes.IsValid() || bytes.Type() != reflect.TypeFor[[]byte]() || !positions.IsValid() || positions.Kind() != reflect.Slice {
		return bytes, positions, false
	}
	return settable(bytes), settable(positions), true
}

// settable lifts the protection of an unexported field.
func settable(v reflect.Value) reflect.Value {
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}
