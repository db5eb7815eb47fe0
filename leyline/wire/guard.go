package wire

import "fmt"

// Limits bounds a message. A field left at zero allows nothing of its kind, so
// that a forgotten bound refuses instead of letting everything in.
type Limits struct {
	Bytes    int // length of the whole message
	Depth    int // arrays within arrays, 64 at most; a scalar has depth 0
	Elements int // elements of all arrays together
	Length   int // bytes of one string or bin
}

// maxDepth bounds Limits.Depth.
const maxDepth = 64

// Guard checks the structure of b before anything is decoded or allocated: one
// value and nothing behind it, within the limits, and at every point no more
// elements announced than bytes remain, so that nested headers cannot promise
// what is not there. Maps, extensions and the invalid code are refused. It
// allocates nothing unless it refuses, and takes time linear in len(b).
func Guard(b []byte, l Limits) error {
	if err := guard(b, l); err != nil {
		return err
	}
	return nil
}

func guard(b []byte, l Limits) *DecodeError {
	if len(b) > l.Bytes {
		return refuse(0, "has %d bytes, at most %d are allowed", len(b), l.Bytes)
	}
	w := walk{b: b, limits: l, owed: 1}
	w.open[0] = 1
	for w.owed > 0 {
		if err := w.step(); err != nil {
			return err
		}
	}
	if w.off != len(b) {
		return refuse(w.off, "has %d bytes behind its end", len(b)-w.off)
	}
	return nil
}

// walk is the position of Guard in a message.
type walk struct {
	b        []byte
	limits   Limits
	off      int
	depth    int
	open     [maxDepth + 1]uint64 // values still to come at every depth
	owed     uint64               // the sum of open
	elements uint64
}

// step reads one value, or the head of one array.
func (w *walk) step() *DecodeError {
	for w.open[w.depth] == 0 {
		w.depth--
	}
	h, ok := readHead(w.b, w.off)
	if !ok {
		return refuse(w.off, "ends within a value")
	}
	start := w.off
	w.off = h.end
	w.open[w.depth]--
	w.owed--
	switch h.shape {
	case shapeStr, shapeBin:
		return w.skip(start, h.n)
	case shapeArray:
		return w.enter(start, h.n)
	case shapeMap, shapeExt, shapeInvalid:
		return refuse(start, "holds %s, which is never used", h.shape)
	}
	return nil
}

func (w *walk) skip(start int, n uint64) *DecodeError {
	if n > uint64(max(w.limits.Length, 0)) {
		return refuse(start, "holds a string of %d bytes, at most %d are allowed", n, w.limits.Length)
	}
	if n > uint64(len(w.b)-w.off) {
		return refuse(start, "announces %d bytes, %d are left", n, len(w.b)-w.off)
	}
	w.off += int(n)
	return nil
}

func (w *walk) enter(start int, n uint64) *DecodeError {
	if w.depth >= min(w.limits.Depth, maxDepth) {
		return refuse(start, "is nested deeper than %d", min(w.limits.Depth, maxDepth))
	}
	w.depth++
	w.open[w.depth] = n
	w.owed += n
	w.elements += n
	if w.elements > uint64(max(w.limits.Elements, 0)) {
		return refuse(start, "has more than %d elements", w.limits.Elements)
	}
	if left := len(w.b) - w.off; w.owed > uint64(left) {
		return refuse(start, "announces %d values, %d bytes are left", w.owed, left)
	}
	return nil
}

func refuse(off int, format string, args ...any) *DecodeError {
	return &DecodeError{Offset: off, Problem: fmt.Sprintf(format, args...)}
}
