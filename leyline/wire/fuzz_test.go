package wire

import (
	"bytes"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
)

func FuzzDecodeRecord(f *testing.F) {
	for _, kind := range leyline.InputKind(0).Members() {
		f.Add(mustRecord(f, leyline.Record{Run: "r", Input: full(written(inputs[kind]).typ).Interface().(leyline.Input)}))
	}
	f.Add(mustRecord(f, stepRecord()))
	for _, kind := range leyline.EventKind(0).Members() {
		r := leyline.Record{Input: leyline.TimerFired{}}
		r.Events = []leyline.Event{full(written(events[kind]).typ).Interface().(leyline.Event)}
		f.Add(mustRecord(f, r))
	}
	for _, c := range leylinetest.Events() {
		f.Add(mustRecord(f, leyline.Record{Input: leyline.TimerFired{}, Events: []leyline.Event{c.Value}}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(1, 2, b)
		if err != nil {
			return
		}
		if again := mustRecord(t, r); !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes to %x", b, again)
		}
		for _, e := range r.Events {
			if err := e.Validate(); err != nil {
				t.Errorf("accepted %x: %v", b, err)
			}
		}
	})
}

func FuzzDecodeCommand(f *testing.F) {
	b, err := EncodeCommand(command())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			return
		}
		if again, err := EncodeCommand(c); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes to %x, %v", b, again, err)
		}
	})
}

// FuzzGuard holds that the msgpack library can read whatever Guard accepts, to
// the last byte.
func FuzzGuard(f *testing.F) {
	f.Add([]byte("\x92\x91\x91\x91\x01\xa2hi"))
	f.Add([]byte("\xdc\x00\x01\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"))
	f.Add(mustRecord(f, stepRecord()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Guard(b, Limits{Bytes: 1 << 12, Depth: 16, Elements: 1 << 10, Length: 1 << 10}) != nil {
			return
		}
		r := bytes.NewReader(b)
		if err := msgpack.NewDecoder(r).Skip(); err != nil || r.Len() != 0 {
			t.Errorf("accepted %x: %v, %d bytes left", b, err, r.Len())
		}
	})
}
