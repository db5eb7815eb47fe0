package eventlogtest

import (
	"bytes"
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
)

func testPayloads(t *testing.T, l Log, _ Hooks) {
	var group []eventlog.Entry
	for i, n := range []int{0, 1, eventlog.MaxPayload, 0, 2} {
		payload := bytes.Repeat([]byte{byte(i)}, n)
		group = append(group, eventlog.Entry{Seq: 2 + uint64(i), At: Start, Kind: eventlog.KindTransition, Payload: payload})
	}
	for _, part := range [][]eventlog.Entry{group[:1], group[1:]} {
		if err := l.Append(t.Context(), part[0].Seq, part); err != nil {
			t.Fatal(err)
		}
	}
	got := Read(t, l.All(2))
	if len(got) != len(group) {
		t.Fatalf("%d records, want %d", len(got), len(group))
	}
	for i, e := range got {
		if e.Seq != group[i].Seq || !bytes.Equal(e.Payload, group[i].Payload) {
			t.Errorf("record %d has another payload, of %d bytes", e.Seq, len(e.Payload))
		}
	}
}

func testLargeGroup(t *testing.T, l Log, _ Hooks) {
	mustAppend(t, l, 2)
	mustAppend(t, l, 300)
	mustAppend(t, l, 1)
	wantHistory(t, l, 304)
}

func testTimes(t *testing.T, _ func(*testing.T) Log, hooks Hooks) {
	if hooks.OpenAt == nil {
		t.Skip("this log begins at one time only")
	}
	l := hooks.OpenAt(t, math.MinInt64)
	want := []int64{math.MinInt64}
	for _, at := range []int64{math.MinInt64, math.MinInt64, -1, 0, 0, math.MaxInt64, math.MaxInt64} {
		e := eventlog.Entry{Seq: l.Next(), At: at, Kind: eventlog.KindTransition}
		if err := l.Append(t.Context(), e.Seq, []eventlog.Entry{e}); err != nil {
			t.Fatalf("time %d: %v", at, err)
		}
		want = append(want, at)
	}
	e := eventlog.Entry{Seq: l.Next(), At: math.MaxInt64 - 1, Kind: eventlog.KindTransition}
	if err := l.Append(t.Context(), e.Seq, []eventlog.Entry{e}); !errors.Is(err, eventlog.ErrOutOfOrder) {
		t.Errorf("time running back from the last one: %v", err)
	}
	var got []int64
	for _, e := range Read(t, l.All(0)) {
		got = append(got, e.At)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

func testClaim(t *testing.T, l Log, hooks Hooks) {
	if l.Claim(l.Next()) {
		t.Error("a log that has nothing to add claims a record")
	}
	if hooks.Own == nil {
		t.Skip("this log has no records of its own")
	}
	l, offer := hooks.Own(t)
	mustAppend(t, l, 3)
	for before := range 3 { // entries of the group before the log's own
		offer()
		appendOwn(t, l, before)
	}
}

// appendOwn appends a group with a record of the log's own in it.
func appendOwn(t *testing.T, l Log, before int) {
	t.Helper()
	next := l.Next()
	claimed := next + uint64(before)
	if !l.Claim(claimed) || l.Claim(claimed+1) || !l.Claim(claimed) {
		t.Fatal("a log that has one record to add claims none, or two, or does not keep its claim")
	}
	group := append(Group(next, before), Group(claimed+1, 2)...)
	bad := append(Group(next, before), Group(claimed+1, 2)...)
	bad[len(bad)-1].Kind = 0
	if err := l.Append(t.Context(), group[0].Seq, bad); !errors.Is(err, eventlog.ErrInvalid) || l.Next() != next {
		t.Errorf("a group with an invalid entry: %v", err)
	}
	// The refused group changed nothing: the number is claimed still.
	if err := l.Append(t.Context(), group[0].Seq, group); err != nil {
		t.Fatalf("%d entries before the claimed number: %v", before, err)
	}
	got := Read(t, l.All(next))
	if len(got) != before+3 || got[before].Kind != eventlog.KindCheckpoint || got[before].At != got[before+1].At {
		t.Fatalf("the log holds %+v", got)
	}
	got = append(got[:before:before], got[before+1:]...)
	if diff := cmp.Diff(group, got, AnyLag); diff != "" {
		t.Errorf("the other records (-want +got):\n%s", diff)
	}
}

// testReaders has readers of each sort beside a writer.
func testReaders(t *testing.T, l Log, _ Hooks) {
	const end = 200
	want := append(Read(t, l.All(1)), Group(2, end-1)...)
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() { readAgainAndAgain(t, l, want) })
		readers.Go(func() { followAll(t, l, want) })
	}
	readers.Go(func() {
		for seq := uint64(1); seq < end; seq = l.Next() - 1 {
			if _, err := l.Leaf(seq); err != nil {
				t.Errorf("leaf %d: %v", seq, err)
				return
			}
		}
	})
	for n := 1; l.Next() <= end; n = n%9 + 1 {
		mustAppend(t, l, min(n, end+1-int(l.Next())))
	}
	readers.Wait()
}

// readAgainAndAgain reads all there is until it is all that is wanted.
func readAgainAndAgain(t *testing.T, l Log, want []eventlog.Entry) {
	for n := 0; n < len(want); {
		seen := 0
		for e, err := range l.All(1) {
			if !sameEntry(t, want, e, err, seen) {
				return
			}
			seen++
		}
		if seen < n {
			t.Errorf("%d records after %d", seen, n)
			return
		}
		n = seen
	}
}

func followAll(t *testing.T, l Log, want []eventlog.Entry) {
	seen := 0
	for e, err := range l.Follow(t.Context(), 1) {
		if !sameEntry(t, want, e, err, seen) {
			return
		}
		if seen++; seen == len(want) {
			return
		}
	}
}

func sameEntry(t *testing.T, want []eventlog.Entry, e eventlog.Entry, err error, i int) bool {
	if err == nil && i < len(want) && e.Seq == want[i].Seq && cmp.Equal(want[i], e, AnyLag) {
		return true
	}
	t.Errorf("record %d instead of %d: %v", e.Seq, i+1, err)
	return false
}
