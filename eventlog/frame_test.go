package eventlog_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
)

// golden is a frame of format version 0. It changes only with the format.
const golden = "4553505200010300050000000b99c9f207000000000000001581e97df4102211" + "6573706572"

var goldenEntry = eventlog.Entry{Seq: 7, At: 1234567890123456789, Kind: eventlog.KindTransition, Payload: []byte("esper"), Lag: 3}

func TestGoldenFrame(t *testing.T) {
	frame := eventlog.AppendFrame([]byte("before"), goldenEntry)
	if got := hex.EncodeToString(frame[6:]); got != golden {
		t.Fatalf("frame is\n%s, want\n%s", got, golden)
	}
	if got := len(frame) - 6 - len(goldenEntry.Payload); got != eventlog.HeaderSize {
		t.Errorf("header has %d bytes, HeaderSize is %d", got, eventlog.HeaderSize)
	}
	e, err := eventlog.DecodeFrame(frame[6:])
	if diff := cmp.Diff(goldenEntry, e); err != nil || diff != "" {
		t.Errorf("decoded: %v (-want +got):\n%s", err, diff)
	}
	if eventlog.LeafHash(frame[6:]) != sha256.Sum256(frame[6:]) {
		t.Error("the leaf hash is not the SHA-256 of the frame")
	}
}

func TestEveryChangedBitOfAFrameIsNoticed(t *testing.T) {
	frame, _ := hex.DecodeString(golden)
	for i := range len(frame) * 8 {
		c := bytes.Clone(frame)
		c[i/8] ^= 1 << (i % 8)
		if _, err := eventlog.DecodeFrame(c); !errors.Is(err, eventlog.ErrFrame) {
			t.Errorf("bit %d of byte %d: %v", i%8, i/8, err)
		}
	}
	for n := range len(frame) {
		if _, err := eventlog.DecodeFrame(frame[:n]); !errors.Is(err, eventlog.ErrFrame) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := eventlog.DecodeFrame(append(bytes.Clone(frame), 0)); !errors.Is(err, eventlog.ErrFrame) {
		t.Errorf("a trailing byte: %v", err)
	}
}

func TestIntactFramesOfAnotherFormatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		at   int
		to   byte
		want error
	}{
		"version": {4, 1, eventlog.ErrVersion},
		"kind 0":  {5, 0, eventlog.ErrFrame},
		"kind 5":  {5, 5, eventlog.ErrFrame},
		"lag 0":   {6, 0, eventlog.ErrFrame},
	} {
		frame, _ := hex.DecodeString(golden)
		frame[c.at] = c.to
		eventlog.Reseal(frame)
		if _, err := eventlog.DecodeFrame(frame); !errors.Is(err, c.want) || strings.Contains(err.Error(), "checksum") {
			t.Errorf("%s: got error %v, want %v", name, err, c.want)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	frame, _ := hex.DecodeString(golden)
	f.Add(frame)
	f.Add(frame[:20])
	f.Add(eventlog.AppendFrame(nil, eventlog.Entry{Kind: eventlog.KindOrigin, At: -1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= eventlog.HeaderSize {
			eventlog.Reseal(b) // else the checksum hides everything behind it
		}
		e, err := eventlog.DecodeFrame(b)
		if err != nil {
			return
		}
		if again := eventlog.AppendFrame(nil, e); !bytes.Equal(again, b) {
			t.Fatalf("accepted\n%x, which encodes to\n%x", b, again)
		}
	})
}

func TestOriginRoundTrip(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	for _, o := range []eventlog.Origin{
		{Name: "plane-7"}, {Name: "ä/<&>", LogKey: key}, {Name: "x", LogKey: key, AdminKey: bytes.Repeat([]byte{9}, 32)},
	} {
		b, err := o.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got eventlog.Origin
		if err := got.UnmarshalBinary(b); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if diff := cmp.Diff(o, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", b, diff)
		}
	}
}

func TestOriginIsStrict(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `null`, `[]`, `{"name":""}`, `{"name":"a b"}`, `{"name":"a\n"}`, `{"name":"a"} `, `{ "name":"a"}`,
		`{"name":"a"}{}`, `{"name":"a","x":1}`, `{"Name":"a"}`, `{"name":"a","name":"a"}`, `{"name":"\u0061"}`,
		`{"name":"a","log_key":""}`, `{"name":"a","log_key":"AAAA"}`, `{"name":"a","log_key":null}`,
		`{"name":"` + strings.Repeat("a", 256) + `"}`, "{\"name\":\"\xff\"}",
	} {
		var o eventlog.Origin
		if err := o.UnmarshalBinary([]byte(text)); !errors.Is(err, eventlog.ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestKindNames(t *testing.T) {
	for k, want := range map[eventlog.Kind]string{0: "kind(0)", 1: "transition", 2: "checkpoint", 3: "repair", 4: "origin", 5: "kind(5)"} {
		if k.String() != want || k.Valid() != (k >= 1 && k <= 4) {
			t.Errorf("kind %d is %q, valid=%v", uint8(k), k, k.Valid())
		}
	}
}
