package replay

import (
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// TestSplitAgreesWithTheDecoder changes every byte of every record: what is
// compared must be the events that the decoder finds, unless it refuses.
func TestSplitAgreesWithTheDecoder(t *testing.T) {
	for _, e := range incident(t).entries() {
		if eventsAt(e.Payload) == 0 {
			t.Errorf("record %d does not take the fast path", e.Seq)
		}
		splitAgrees(t, e, "unchanged")
		for i := range e.Payload {
			bad := Entry{Seq: e.Seq, At: e.At, Payload: slices.Clone(e.Payload)}
			bad.Payload[i] ^= 1 << (i % 8)
			splitAgrees(t, bad, "changed")
		}
	}
}

func splitAgrees(t *testing.T, e Entry, how string) {
	t.Helper()
	want, err := whole(e)
	if err != nil {
		return
	}
	r, events, err := newPass(Options{}).split(e)
	must(t, err)
	stored, err := wire.AppendEvents(nil, want.Events)
	must(t, err)
	want.Events = nil
	if !slices.Equal(stored, events) || !sameHead(t, want, r) {
		t.Fatalf("record %d, %s, is split elsewhere than where its events begin", e.Seq, how)
	}
}

func sameHead(t *testing.T, a, b leyline.Record) bool {
	x, y := encode(t, []leyline.Record{a})[0], encode(t, []leyline.Record{b})[0]
	return projections.DigestOf(x.Payload) == projections.DigestOf(y.Payload) && x.Seq == y.Seq && x.At == y.At
}

func TestEventsOfWhatIsNoRecord(t *testing.T) {
	for _, b := range [][]byte{
		nil, {0x96}, {0x96, 0xdd, 0xff}, {0x96, 0xc6, 0xff, 0xff, 0xff, 0xff, 1}, {0x96, 0xdd, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if at := eventsAt(b); at != 0 {
			t.Errorf("%x has events at %d", b, at)
		}
	}
}
