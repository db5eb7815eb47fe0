package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestFrames: what is written is read, however it arrives.
func TestFrames(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), MaxFrame/10)
	var wire bytes.Buffer
	w := NewWriter(&wire)
	for _, body := range [][]byte{nil, []byte("{}"), long, []byte("x")} {
		if err := w.Request(OpClose, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Answer(409, []byte("no")); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]io.Reader{"at once": bytes.NewReader(wire.Bytes()), "halves": iotest.HalfReader(bytes.NewReader(wire.Bytes()))} {
		r := NewReader(from)
		for _, want := range [][]byte{{}, []byte("{}"), long, []byte("x")} {
			if err := r.Await(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			p, err := r.Next()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if op, body, err := ParseRequest(p); err != nil || op != OpClose || !bytes.Equal(body, want) {
				t.Errorf("%s: %v, %d bytes of body, %v; want %d bytes", name, op, len(body), err, len(want))
			}
		}
		if cap(r.buf) > keep {
			t.Errorf("%s: %d bytes of buffer outlive a long frame", name, cap(r.buf))
		}
		p, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if status, body, err := ParseAnswer(p); err != nil || status != 409 || string(body) != "no" {
			t.Errorf("%s: %d %q, %v", name, status, body, err)
		}
		if err := r.Await(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the end: %v", name, err)
		}
	}
}

// TestBytes holds the format against bytes that are written out.
func TestBytes(t *testing.T) {
	var got bytes.Buffer
	w := NewWriter(&got)
	for _, err := range []error{w.Payload(Hello{Version, "r", "application/json"}.Encode(), nil), w.Request(OpStep, []byte("{}")), w.Answer(200, []byte("{}")), w.Flush()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "\x33\x00\x00\x00" + `{"protocol":1,"run":"r","media":"application/json"}` + "\x03\x00\x00\x00\x01{}" + "\x04\x00\x00\x00\xc8\x00{}"
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Error(d)
	}
}

// TestRefusals: lengths that are not allowed, payloads that end early, frames too long
// to write.
func TestRefusals(t *testing.T) {
	length := func(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }
	var large *TooLargeError
	for _, c := range []struct {
		name, bytes string
		right       func(error) bool
	}{
		{"nothing", "", func(err error) bool { return errors.Is(err, io.EOF) }},
		{"half a length", "\x01\x00", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"no payload", length(0), func(err error) bool { return errors.Is(err, ErrEmpty) }},
		{"end before the payload", length(2), func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"end in the payload", length(2) + "x", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"above the bound", length(11) + strings.Repeat("x", 11), func(err error) bool { return errors.As(err, &large) && large.Length == 11 && large.Most == 10 }},
		{"all bits", "\xff\xff\xff\xff", func(err error) bool { return errors.As(err, &large) }},
	} {
		r := NewReader(strings.NewReader(c.bytes))
		r.Limit(10)
		if p, err := r.Next(); err == nil || !c.right(err) {
			t.Errorf("%s: %q, %v", c.name, p, err)
		}
	}
	if _, _, err := ParseRequest(nil); !errors.Is(err, ErrShort) {
		t.Errorf("a request of nothing: %v", err)
	}
	if _, _, err := ParseAnswer([]byte{1}); !errors.Is(err, ErrShort) {
		t.Errorf("an answer of a byte: %v", err)
	}
	w := NewWriter(io.Discard)
	if err := w.Request(OpStep, make([]byte, MaxFrame)); !errors.As(err, &large) || large.Length != MaxFrame+1 {
		t.Errorf("a frame too long: %v", err)
	}
	if err := w.Payload(nil, nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty frame: %v", err)
	}
}

// TestALengthIsAClaim: five bytes that announce four MiB take none of them.
func TestALengthIsAClaim(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := NewReader(strings.NewReader("\x00\x00\x40\x00x"))
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 || cap(r.buf) > atOnce {
		t.Errorf("%d bytes were taken, %d are held", n, cap(r.buf))
	}
}

// both is a connection to a side that has said all it will say.
type both struct {
	io.Reader
	io.Writer
}

// TestOpen: every answer to a hello.
func TestOpen(t *testing.T) {
	h := Hello{Version, "run-1", "application/json"}
	answer := func(doc string) string {
		var b bytes.Buffer
		w := NewWriter(&b)
		if err := errors.Join(w.Payload([]byte(doc), nil), w.Flush()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, c := range []struct{ name, bytes, want string }{
		{"welcome", answer(`{"protocol":1,"run":"run-1"}`), ""},
		{"refused", answer(`{"kind":"unknown_run","status":404}`), "refuses the lane (404)"},
		{"another run", answer(`{"protocol":1,"run":"run-2"}`), `run "run-2"`},
		{"another version", answer(`{"protocol":2,"run":"run-1"}`), "with protocol 2"},
		{"no JSON", answer("HTTP/1.1 400"), "is no JSON"},
		{"silence", "", "unexpected EOF"},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n", "the frame has 1347703880 bytes"},
	} {
		var said bytes.Buffer
		_, err := Open(both{strings.NewReader(c.bytes), &said}, h)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if !strings.HasSuffix(said.String(), string(h.Encode())) {
			t.Errorf("%s: it says %q", c.name, said.String())
		}
	}
}

// deaf is a connection whose other side reads no more.
type deaf struct{ io.Reader }

func (deaf) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestOpenUnread: what a plane has said before it closed is heard, though the hello could
// not be written.
func TestOpenUnread(t *testing.T) {
	var no *RefusedError
	_, err := Open(deaf{strings.NewReader("\x1b\x00\x00\x00" + `{"kind":"x","status":  503}`)}, Hello{})
	if !errors.As(err, &no) || no.Status != 503 {
		t.Errorf("%v", err)
	}
	if _, err := Open(deaf{strings.NewReader("")}, Hello{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("nothing was said: %v", err)
	}
}

// TestOps: each has a name, and no other number is one.
func TestOps(t *testing.T) {
	seen := map[string]bool{}
	for n := range 256 {
		op := Op(n)
		if op.Known() != (n >= 1 && n <= 9) || seen[op.String()] || op.String() == "" {
			t.Errorf("%d: %t %q", n, op.Known(), op)
		}
		seen[op.String()] = true
	}
}

// FuzzReader: whatever comes, the reader returns payloads that were there in full, holds
// no more than it may, and ends.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00x\x02\x00\x00\x00yz"), 3)
	f.Add([]byte("\xff\xff\xff\xff"), 1)
	f.Add([]byte("\x00\x00\x40\x00"), MaxFrame)
	f.Add([]byte("\x00\x00\x00\x00x"), 10)
	f.Fuzz(func(t *testing.T, b []byte, most int) {
		r := NewReader(bytes.NewReader(b))
		r.Limit(most)
		for left := b; ; {
			p, err := r.Next()
			if cap(r.buf) > 2*len(b)+atOnce {
				t.Fatalf("%d bytes are held for %d", cap(r.buf), len(b))
			}
			if err != nil {
				return
			}
			n := len(p)
			if n == 0 || n > r.most || !bytes.Equal(left[prefix:prefix+n], p) {
				t.Fatalf("%q of %q", p, left)
			}
			left = left[prefix+n:]
		}
	})
}

// FuzzPayload: what was taken apart is what it was made of.
func FuzzPayload(f *testing.F) {
	f.Add([]byte("\x01{}"))
	f.Fuzz(func(t *testing.T, p []byte) {
		if op, body, err := ParseRequest(p); err == nil && !bytes.Equal(append([]byte{byte(op)}, body...), p) {
			t.Errorf("%v %q of %q", op, body, p)
		}
		if status, body, err := ParseAnswer(p); err == nil && !bytes.Equal(append(binary.LittleEndian.AppendUint16(nil, uint16(status)), body...), p) {
			t.Errorf("%d %q of %q", status, body, p)
		}
	})
}

// A frame is whole when its last byte has come, and not before.
func TestWhole(t *testing.T) {
	var all bytes.Buffer
	w := NewWriter(&all)
	if err := w.Payload([]byte("payload"), nil); err != nil || w.Flush() != nil {
		t.Fatal(err)
	}
	for n := range all.Len() + 1 {
		r := NewReader(bytes.NewReader(all.Bytes()[:n]))
		if n > 0 {
			if err := r.Await(); err != nil {
				t.Fatal(err)
			}
		}
		if r.Whole() != (n == all.Len()) {
			t.Errorf("with %d of %d bytes Whole says %t", n, all.Len(), r.Whole())
		}
	}
}
