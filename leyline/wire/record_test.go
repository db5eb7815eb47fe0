package wire

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

func TestStepRecordRoundTrips(t *testing.T) {
	want := stepRecord()
	prefix := []byte("prefix")
	b, err := AppendRecord(prefix, want)
	if err != nil || !bytes.HasPrefix(b, prefix) {
		t.Fatalf("prefix lost: %x, %v", b, err)
	}
	got, err := DecodeRecord(want.Seq, want.At, b[len(prefix):])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAppendEventsIsTheTailOfARecord(t *testing.T) {
	r := stepRecord()
	evs, err := AppendEvents([]byte("x"), r.Events)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(mustRecord(t, r), evs[1:]) || len(evs) < 100 {
		t.Errorf("the record does not end in its events %x", evs)
	}
	if none, err := AppendEvents(nil, nil); err != nil || !bytes.Equal(none, []byte{0x90}) {
		t.Errorf("no events: %x, %v", none, err)
	}
}

func TestFloatsKeepTheirBits(t *testing.T) {
	bits := []uint64{
		0x7ff0000000000001, 0x7ff8000000000000, 0xfff8dead0000beef, 0x7ff0000000000000, 0xfff0000000000000,
		0x8000000000000000, 1, math.Float64bits(math.MaxFloat64), math.Float64bits(1), 0,
	}
	r := leyline.Record{Input: leyline.StepObserved{}}
	x := leyline.StepObserved{Run: "r"}
	for _, b := range bits {
		x.Losses = append(x.Losses, math.Float64frombits(b))
	}
	r.Input = x
	got, err := DecodeRecord(0, 0, mustRecord(t, r))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got.Input.(leyline.StepObserved).Losses {
		if math.Float64bits(v) != bits[i] {
			t.Errorf("%016x became %016x", bits[i], math.Float64bits(v))
		}
	}
}

func TestNilAndEmptyAreOne(t *testing.T) {
	empty := leyline.Record{
		Input: leyline.KeyAdded{Envelope: leyline.Envelope{Payload: []byte{}, Signature: []byte{}}},
		Events: []leyline.Event{
			leyline.KeyEnrolled{Key: leyline.Key{Public: []byte{}, Kinds: []leyline.CommandKind{}}},
			leyline.GradientsCombined{Weights: []float64{}},
		},
	}
	none := leyline.Record{
		Input:  leyline.KeyAdded{},
		Events: []leyline.Event{leyline.KeyEnrolled{}, leyline.GradientsCombined{}},
	}
	b := mustRecord(t, empty)
	if !bytes.Equal(b, mustRecord(t, none)) {
		t.Error("nil and empty slices have different bytes")
	}
	got, err := decodeForm(0, 0, b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(none, got); d != "" {
		t.Error(d)
	}
	empty.Events = []leyline.Event{}
	got, err = DecodeRecord(0, 0, mustRecord(t, empty))
	if err != nil || got.Events != nil {
		t.Errorf("no events decode to %#v, %v", got.Events, err)
	}
}

func TestDecodedRecordDoesNotAliasItsBytes(t *testing.T) {
	r := leyline.Record{Run: "run", Input: fullOf[leyline.KeyAdded]()}
	b := mustRecord(t, r)
	got, err := DecodeRecord(0, 0, b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0xff
	}
	if d := cmp.Diff(r, got); d != "" {
		t.Error(d)
	}
}

// liar claims another type's kind.
type liar struct{ leyline.TimerFired }

// stray has a kind that nobody registered.
type stray struct{ leyline.BlendStepped }

func (stray) EventKind() leyline.EventKind { return 200 }

func TestWhatCannotBeEncoded(t *testing.T) {
	timer := leyline.TimerFired{}
	for _, tt := range []struct {
		name string
		r    leyline.Record
		want string
	}{
		{"no input", leyline.Record{}, "input is missing"},
		{"a pointer", leyline.Record{Input: &timer}, "is a *leyline.TimerFired"},
		{"another type's kind", leyline.Record{Input: liar{}}, "input is a wire.liar"},
		{"no event", leyline.Record{Input: timer, Events: []leyline.Event{nil}}, "events[0] is missing"},
		{"unknown kind", leyline.Record{Input: timer, Events: []leyline.Event{stray{}}}, "events[0] has kind 200"},
		{"unknown enum code", leyline.Record{Input: leyline.TimerFired{Timer: 99}}, "input.Timer has code 99"},
		{"too large", leyline.Record{Input: leyline.TimerFired{Subject: strings.Repeat("x", MaxRecordBytes)}}, "at most 16777216"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := AppendRecord([]byte("kept"), tt.r)
			var ee *EncodeError
			if !errors.As(err, &ee) || !strings.Contains(err.Error(), tt.want) || string(out) != "kept" {
				t.Errorf("got %.20q, %v; want an EncodeError with %q", out, err, tt.want)
			}
		})
	}
}

// timerRecord is the hand-written encoding of a record with timer.fired, in
// parts that tests replace.
func timerRecord(replace map[string]string) []byte {
	parts := []struct{ name, hex string }{
		{"record", "\x96"}, {"wall", "\x05"}, {"run", "\xa1r"},
		{"kind", "\x0f"}, {"version", "\x01"}, {"body", "\x94"},
		{"timer", "\x01"}, {"run2", "\xa1r"}, {"subject", "\xa1s"}, {"due", "\xcd\x01\x00"},
		{"events", "\x90"}, {"tail", ""},
	}
	var out []byte
	for _, p := range parts {
		if s, ok := replace[p.name]; ok {
			p.hex = s
		}
		out = append(out, p.hex...)
	}
	return out
}

func TestWhatCannotBeDecoded(t *testing.T) {
	if _, err := DecodeRecord(1, 1, timerRecord(nil)); err != nil {
		t.Fatalf("the unchanged record is refused: %v", err)
	}
	for _, tt := range []struct{ part, bytes, want string }{
		{"record", "\x95", "1 bytes behind"},
		{"wall", "\xc0", "wall is nil, want an integer at byte 1"},
		{"wall", "\xcc\x05", "wall is not in its shortest form"},
		{"wall", "\xd0\x05", "wall is not in its shortest form"},
		{"wall", "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", "wall is out of the range of leyline.Instant"},
		{"run", "\xc4\x01r", "run is bin, want a string"},
		{"run", "\xd9\x01r", "run is not in its shortest form"},
		{"kind", "\x00", "input has unknown kind 0"},
		{"kind", "\x70", "input has unknown kind 112"},
		{"version", "\x00", "input has unknown version 0 of kind 15"},
		{"version", "\x02", "input has unknown version 2 of kind 15"},
		{"version", "\xff", "input.version is an integer, want"},
		{"body", "\x95\x00", "input has 5 fields, leyline.TimerFired has 4"},
		{"timer", "\x63", "input.Timer has code 99"},
		{"timer", "\xcd\x01\x01", "input.Timer has code 257"},
		{"due", "\xca\x00\x00\x00\x00", "input.Due is a float32"},
		{"events", "\x91\x93\x00\x00\x90", "events[0] has unknown kind 0"},
		{"events", "\x91\x92\x01\xa1x", "events[0] has 2 fields"},
		{"events", "\x80", "holds a map"},
		{"events", "\xd4\x00\x00", "holds an extension"},
		{"events", "\xc1", "holds an invalid code"},
		{"events", "", "ends within a value"},
		{"tail", "\x00", "1 bytes behind its end at byte 16"},
	} {
		b := timerRecord(map[string]string{tt.part: tt.bytes})
		_, err := DecodeRecord(7, 1, b)
		var de *DecodeError
		if !errors.As(err, &de) || !strings.Contains(err.Error(), tt.want) || de.What != "record 7" {
			t.Errorf("%s=%x: got %v; want a DecodeError with %q", tt.part, tt.bytes, err, tt.want)
		}
	}
}

// TestEveryByteMatters flips every bit of a record: the damaged bytes are
// either refused or the one encoding of another record.
func TestEveryByteMatters(t *testing.T) {
	good := mustRecord(t, stepRecord())
	refused := 0
	for i := range len(good) * 8 {
		b := bytes.Clone(good)
		b[i/8] ^= 1 << (i % 8)
		r, err := DecodeRecord(0, 0, b)
		if err != nil {
			refused++
			continue
		}
		if !bytes.Equal(mustRecord(t, r), b) {
			t.Fatalf("bit %d: accepted bytes do not encode to themselves", i)
		}
	}
	if refused == 0 {
		t.Error("no damaged record was refused")
	}
	for i := range good {
		if _, err := DecodeRecord(0, 0, good[:i]); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", i, len(good))
		}
	}
}
