package memlog_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/eventlog/memlog"
)

func TestAcceptance(t *testing.T) {
	openAt := func(t *testing.T, at int64) eventlogtest.Log { return memlog.New(eventlogtest.Origin, at) }
	open := func(t *testing.T) eventlogtest.Log { return openAt(t, eventlogtest.Start) }
	inject := func(f memlog.Faults) func(t *testing.T, l eventlogtest.Log, cause error) {
		return func(t *testing.T, l eventlogtest.Log, cause error) {
			once, healed := f, f
			once.FailAppendAt, once.Err = l.Next(), cause
			once.BeforeDurable = func([]eventlog.Entry) { l.(*memlog.Log).Inject(healed) }
			l.(*memlog.Log).Inject(once)
		}
	}
	eventlogtest.Test(t, open, eventlogtest.Hooks{
		OpenAt: openAt,
		Own: func(t *testing.T) (eventlogtest.Log, func()) {
			l := memlog.New(eventlogtest.Origin, eventlogtest.Start)
			return l, func() { l.Offer([]byte("a checkpoint")) }
		},
		Reopen: func(t *testing.T, closed eventlogtest.Log) eventlogtest.Log {
			l, err := closed.(*memlog.Log).Reopen()
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
		Crash: func(t *testing.T, l eventlogtest.Log) eventlogtest.Log { return l.(*memlog.Log).Crash() },
		Fail: map[string]func(*testing.T, eventlogtest.Log, error){
			"some of it stored":  inject(memlog.Faults{Seed: 1}),
			"less of it stored":  inject(memlog.Faults{Seed: 2}),
			"failed, but stored": inject(memlog.Faults{FailedButStored: true}),
		},
	})
}

// failing returns a log of six records whose next group of four has failed.
func failing(t *testing.T, f memlog.Faults) *memlog.Log {
	t.Helper()
	l := memlog.New(eventlogtest.Origin, eventlogtest.Start)
	f.FailAppendAt = 9
	l.Inject(f)
	if err := l.Append(t.Context(), 2, eventlogtest.Group(2, 5)); err != nil {
		t.Fatal(err)
	}
	err := l.Append(t.Context(), 7, eventlogtest.Group(7, 4))
	if !errors.Is(err, eventlog.ErrPoisoned) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got error %v, want a poisoned log on a full disk", err)
	}
	return l
}

func TestCrashKeepsAFirstPartOfTheFailedGroup(t *testing.T) {
	survived := make(map[uint64]int)
	for seed := range uint64(200) {
		l := failing(t, memlog.Faults{Seed: seed})
		last := l.Crash().Next() - 1
		if again := l.Crash().Next() - 1; again != last {
			t.Fatalf("seed %d: a second look finds record %d last, the first found %d", seed, again, last)
		}
		survived[last]++
	}
	for last := uint64(6); last <= 10; last++ {
		if survived[last] == 0 {
			t.Errorf("in 200 seeds no crash ended at record %d: %v", last, survived)
		}
	}
	if len(survived) != 5 {
		t.Errorf("crashes ended at %v, want records 6 to 10 only", survived)
	}
}

func TestFailedButStored(t *testing.T) {
	for seed := range uint64(20) {
		if last := failing(t, memlog.Faults{Seed: seed, FailedButStored: true}).Crash().Next() - 1; last != 10 {
			t.Errorf("seed %d: record %d is the last one, want 10", seed, last)
		}
	}
}

func TestCrashAtIsIndependentOfTheOriginal(t *testing.T) {
	l := memlog.New(eventlogtest.Origin, eventlogtest.Start)
	if err := l.Append(t.Context(), 2, eventlogtest.Group(2, 9)); err != nil {
		t.Fatal(err)
	}
	want := eventlogtest.Read(t, l.All(1))
	for n := uint64(1); n <= 10; n++ {
		at := l.CrashAt(n)
		if at.Next() != n+1 {
			t.Errorf("CrashAt(%d) continues with record %d", n, at.Next())
		}
		other := eventlogtest.Group(n+1, 1)
		other[0].At, other[0].Payload = 1<<40, []byte("another future")
		if err := at.Append(t.Context(), n+1, other); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range eventlogtest.Read(t, l.All(1)) {
		if string(e.Payload) != string(want[i].Payload) {
			t.Errorf("record %d became %q", e.Seq, e.Payload)
		}
	}
}

func TestBeforeDurableSeesNothing(t *testing.T) {
	l := memlog.New(eventlogtest.Origin, eventlogtest.Start)
	called := 0
	l.Inject(memlog.Faults{BeforeDurable: func(group []eventlog.Entry) {
		called += len(group)
		if n := len(eventlogtest.Read(t, l.All(1))); n != 1 {
			t.Errorf("%d records are visible before the group is durable, want 1", n)
		}
	}})
	if err := l.Append(t.Context(), 2, eventlogtest.Group(2, 3)); err != nil {
		t.Fatal(err)
	}
	if called != 3 {
		t.Errorf("the hook saw %d entries, want 3", called)
	}
}

func TestAKeptPayloadIsOverwritten(t *testing.T) {
	l := memlog.New(eventlogtest.Origin, eventlogtest.Start)
	if err := l.Append(t.Context(), 2, eventlogtest.Group(2, 1)); err != nil {
		t.Fatal(err)
	}
	var kept []byte
	for e, err := range l.All(2) {
		if err != nil {
			t.Fatal(err)
		}
		kept = e.Payload
	}
	if string(kept) == string(eventlogtest.Group(2, 1)[0].Payload) {
		t.Error("a payload that was kept is still valid after the iteration")
	}
}
