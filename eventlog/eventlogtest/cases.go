package eventlogtest

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
)

func testOrigin(t *testing.T, l Log, _ Hooks) {
	wantHistory(t, l, 1)
	if diff := cmp.Diff(Origin, l.Origin()); diff != "" {
		t.Errorf("Origin (-want +got):\n%s", diff)
	}
}

func testRoundTrip(t *testing.T, l Log, _ Hooks) {
	for _, n := range []int{1, 2, 0, 7, 40, 1} {
		mustAppend(t, l, n)
	}
	wantHistory(t, l, 52)
	for _, kind := range []eventlog.Kind{eventlog.KindCheckpoint, eventlog.KindRepair} {
		e := eventlog.Entry{Seq: l.Next(), At: 1 << 40, Kind: kind, Payload: []byte{}}
		if err := l.Append(t.Context(), l.Next(), []eventlog.Entry{e}); err != nil {
			t.Fatalf("Append of a %v: %v", kind, err)
		}
		if diff := cmp.Diff([]eventlog.Entry{e}, Read(t, l.All(e.Seq)), AnyLag); diff != "" {
			t.Errorf("%v (-want +got):\n%s", kind, diff)
		}
	}
}

func testRefusals(t *testing.T, l Log, _ Hooks) {
	mustAppend(t, l, 4)
	good := func(change func(g []eventlog.Entry)) []eventlog.Entry {
		g := Group(6, 3)
		change(g)
		return g
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		next uint64
		list []eventlog.Entry
		want error
	}{
		{"an earlier position", t.Context(), 5, Group(5, 1), eventlog.ErrOutOfOrder},
		{"a later position", t.Context(), 7, Group(7, 1), eventlog.ErrOutOfOrder},
		{"a wrong position without entries", t.Context(), 7, nil, eventlog.ErrOutOfOrder},
		{"entries of another position", t.Context(), 6, Group(7, 1), eventlog.ErrOutOfOrder},
		{"a gap", t.Context(), 6, good(func(g []eventlog.Entry) { g[2].Seq++ }), eventlog.ErrOutOfOrder},
		{"time before the log", t.Context(), 6, good(func(g []eventlog.Entry) { g[0].At = Start }), eventlog.ErrOutOfOrder},
		{"time running back", t.Context(), 6, good(func(g []eventlog.Entry) { g[1].At = 1 << 40 }), eventlog.ErrOutOfOrder},
		{"a second origin", t.Context(), 6, good(func(g []eventlog.Entry) { g[1].Kind = eventlog.KindOrigin }), eventlog.ErrInvalid},
		{"no kind", t.Context(), 6, good(func(g []eventlog.Entry) { g[2].Kind = 0 }), eventlog.ErrInvalid},
		{"an unknown kind", t.Context(), 6, good(func(g []eventlog.Entry) { g[2].Kind = 5 }), eventlog.ErrInvalid},
		{"a huge payload", t.Context(), 6, good(func(g []eventlog.Entry) { g[2].Payload = make([]byte, eventlog.MaxPayload+1) }), eventlog.ErrInvalid},
		{"an ended context", ended, 6, Group(6, 1), context.Canceled},
	} {
		if err := l.Append(c.ctx, c.next, c.list); !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
		}
	}
	wantHistory(t, l, 5)
	mustAppend(t, l, 2)
	wantHistory(t, l, 7)
}

func testFrom(t *testing.T, l Log, _ Hooks) {
	mustAppend(t, l, 30)
	all := Read(t, l.All(1))
	for from := range uint64(34) {
		var want []eventlog.Entry
		if from <= 31 {
			want = all[max(from, 1)-1:]
		}
		if diff := cmp.Diff(want, Read(t, l.All(from))); diff != "" {
			t.Errorf("from %d (-want +got):\n%s", from, diff)
		}
	}
}

func testEarlyStop(t *testing.T, l Log, _ Hooks) {
	mustAppend(t, l, 10)
	for stop := uint64(1); stop <= 11; stop++ {
		seen := uint64(0)
		for e, err := range l.All(1) {
			if err != nil {
				t.Fatal(err)
			}
			if seen = e.Seq; seen == stop {
				break
			}
		}
		if seen != stop {
			t.Errorf("stopped at %d instead of %d", seen, stop)
		}
	}
	// A group that is added during an iteration is not part of it.
	count := 0
	for range l.All(1) {
		if count++; count == 3 {
			mustAppend(t, l, 5)
		}
	}
	if count != 11 {
		t.Errorf("an iteration over 11 records yielded %d", count)
	}
}

func testLeaves(t *testing.T, l Log, _ Hooks) {
	mustAppend(t, l, 9)
	for _, e := range Read(t, l.All(1)) {
		got, err := l.Leaf(e.Seq)
		if want := eventlog.LeafHash(eventlog.AppendFrame(nil, e)); err != nil || got != want {
			t.Errorf("leaf %d is %x, %v, want %x", e.Seq, got, err, want)
		}
	}
	for _, seq := range []uint64{0, 11, 1 << 63} {
		if _, err := l.Leaf(seq); !errors.Is(err, eventlog.ErrNotFound) {
			t.Errorf("leaf %d: got error %v, want %v", seq, err, eventlog.ErrNotFound)
		}
	}
}

func testClose(t *testing.T, l Log, _ Hooks) {
	mustAppend(t, l, 1)
	for range 3 {
		if err := l.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	if err := l.Append(t.Context(), 3, Group(3, 1)); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if _, err := l.Leaf(1); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("Leaf after Close: %v", err)
	}
	if err := lastError(l.All(1)); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("All after Close: %v", err)
	}
	if err := lastError(l.Follow(t.Context(), 1)); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("Follow after Close: %v", err)
	}
}

func lastError(seq iter.Seq2[eventlog.Entry, error]) (last error) {
	for _, err := range seq {
		last = err
	}
	return last
}
