package frame

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// MaxFrame is the length of the longest payload, in bytes.
const MaxFrame = 4 << 20 // constant: local because it bounds a frame of the lane, whatever is in it

const (
	prefix  = 4        // bytes of a length
	atOnce  = 64 << 10 // bytes by which a payload grows at most ahead of what has come
	keep    = 64 << 10 // bytes of a buffer that outlive a payload
	buffers = 16 << 10 // bytes that are read and written at a time
)

// ErrEmpty says that a frame announces no payload.
var ErrEmpty = errors.New("the frame is empty: its length is 0")

// TooLargeError says that a frame is longer than the reader, or the format, allows.
type TooLargeError struct {
	Length int // bytes, as announced
	Most   int // bytes
}

// Error says both lengths.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the frame has %d bytes; at most %d are allowed", e.Length, e.Most)
}

// Reader reads frames. It is for one goroutine.
type Reader struct {
	from *bufio.Reader
	most int
	buf  []byte
}

// NewReader reads frames of at most MaxFrame bytes from r.
func NewReader(r io.Reader) *Reader {
	return &Reader{from: bufio.NewReaderSize(r, buffers), most: MaxFrame}
}

// Limit bounds the payloads to come, in bytes: 1 to MaxFrame.
func (r *Reader) Limit(most int) { r.most = max(1, min(most, MaxFrame)) }

// Await returns when the next frame has begun, with nothing of it consumed. Its error is
// io.EOF when the other side has closed between two frames.
func (r *Reader) Await() error {
	_, err := r.from.Peek(1)
	return err
}

// Whole reports whether the next frame is here already, so that Next reads nothing.
func (r *Reader) Whole() bool {
	head, err := r.from.Peek(min(prefix, r.from.Buffered()))
	return err == nil && len(head) == prefix && uint64(binary.LittleEndian.Uint32(head)) <= uint64(r.from.Buffered()-prefix)
}

// Next returns the payload of the next frame, which is valid until the next call. The
// error is io.EOF between two frames, io.ErrUnexpectedEOF within one, ErrEmpty or a
// *TooLargeError for a length that is not allowed, else that of the underlying reader.
// After any of them the reader is of no use.
func (r *Reader) Next() ([]byte, error) {
	var head [prefix]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	switch {
	case n == 0:
		return nil, ErrEmpty
	case uint64(n) > uint64(r.most):
		return nil, &TooLargeError{Length: int(min(uint64(n), math.MaxInt)), Most: r.most}
	}
	return r.payload(int(n))
}

// payload reads n bytes and takes memory for them as they come.
func (r *Reader) payload(n int) ([]byte, error) {
	if cap(r.buf) > keep && n <= keep {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		have := len(r.buf)
		next := min(n, max(have+atOnce, cap(r.buf)))
		if next > cap(r.buf) {
			grown := make([]byte, have, min(n, max(next, 2*have)))
			copy(grown, r.buf)
			r.buf = grown
		}
		r.buf = r.buf[:next]
		if _, err := io.ReadFull(r.from, r.buf[have:]); err != nil {
			return nil, within(err)
		}
	}
	return r.buf, nil
}

// within makes the end of the input an end in the middle of a frame.
func within(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Writer writes frames. It is for one goroutine. What it was given is sent by Flush, or
// before when it is much.
type Writer struct{ to *bufio.Writer }

// NewWriter writes frames to w.
func NewWriter(w io.Writer) *Writer { return &Writer{bufio.NewWriterSize(w, buffers)} }

// Payload adds a frame of head and body. The error is ErrEmpty, a *TooLargeError, or that
// of the underlying writer; the last stays.
func (w *Writer) Payload(head, body []byte) error {
	n := len(head) + len(body)
	switch {
	case n == 0:
		return ErrEmpty
	case n > MaxFrame:
		return &TooLargeError{Length: n, Most: MaxFrame}
	}
	var length [prefix]byte
	binary.LittleEndian.PutUint32(length[:], uint32(n))
	for _, part := range [][]byte{length[:], head, body} {
		if _, err := w.to.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Request adds the frame of a request.
func (w *Writer) Request(op Op, body []byte) error { return w.Payload([]byte{byte(op)}, body) }

// Answer adds the frame of an answer.
func (w *Writer) Answer(status uint16, body []byte) error {
	return w.Payload(binary.LittleEndian.AppendUint16(nil, status), body)
}

// Flush sends what was added.
func (w *Writer) Flush() error { return w.to.Flush() }
