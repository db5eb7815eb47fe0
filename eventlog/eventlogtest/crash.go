package eventlogtest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
)

func testPoison(t *testing.T, l Log, _ Hooks, fail func(error)) {
	mustAppend(t, l, 3)
	cause := errors.New("the disk is on fire")
	fail(cause)
	for range 2 {
		err := l.Append(t.Context(), l.Next(), Group(l.Next(), 2))
		if !errors.Is(err, eventlog.ErrPoisoned) || !errors.Is(err, cause) {
			t.Fatalf("got error %v, want %v because of %v", err, eventlog.ErrPoisoned, cause)
		}
	}
	wantHistory(t, l, 4)
	seen := 0
	for e, err := range l.Follow(t.Context(), 1) {
		if err == nil {
			seen = int(e.Seq)
			continue
		}
		if !errors.Is(err, eventlog.ErrPoisoned) {
			t.Errorf("a follower ended with %v", err)
		}
	}
	if seen != 4 {
		t.Errorf("a follower of a poisoned log saw records up to %d, want 4", seen)
	}
	for range 2 {
		if err := l.Close(); !errors.Is(err, cause) {
			t.Errorf("Close of a poisoned log: %v", err)
		}
	}
}

func testCrash(t *testing.T, l Log, hooks Hooks) {
	if hooks.Crash == nil {
		t.Skip("this log cannot crash")
	}
	for round := range 4 {
		mustAppend(t, l, 5)
		l = hooks.Crash(t, l)
		wantHistory(t, l, uint64(6+5*round))
	}
}

func testCrashAfterFailure(t *testing.T, l Log, hooks Hooks, fail func(error)) {
	if hooks.Crash == nil {
		t.Skip("this log cannot crash")
	}
	mustAppend(t, l, 5)
	fail(errors.New("the disk is on fire"))
	if err := l.Append(t.Context(), 7, Group(7, 4)); err == nil {
		t.Fatal("the write did not fail")
	}
	l = hooks.Crash(t, l)
	last := l.Next() - 1
	if last < 6 || last > 10 {
		t.Fatalf("record %d is the last one, want 6 to 10", last)
	}
	wantHistory(t, l, last)
	mustAppend(t, l, 3)
	wantHistory(t, l, last+3)
}

func testReopen(t *testing.T, l Log, hooks Hooks) {
	if hooks.Reopen == nil {
		t.Skip("this log cannot be opened again")
	}
	last := uint64(1)
	for _, n := range []int{0, 1, 30, 0, 2} {
		mustAppend(t, l, n)
		last += uint64(n)
		if err := l.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		l = hooks.Reopen(t, l)
		wantHistory(t, l, last)
		if diff := cmp.Diff(Origin, l.Origin()); diff != "" {
			t.Errorf("Origin (-want +got):\n%s", diff)
		}
	}
}
