// Package eventlogtest is the acceptance suite of a log: what eventlog.Log
// promises, every implementation must pass.
//
//	func TestAcceptance(t *testing.T) {
//		eventlogtest.Test(t, func(t *testing.T) eventlogtest.Log { ... }, eventlogtest.Hooks{})
//	}
package eventlogtest

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/esper-plane/esper/eventlog"
)

// Log is what a log must be able to do.
type Log interface {
	Append(ctx context.Context, next uint64, entries []eventlog.Entry) error
	Next() uint64
	Origin() eventlog.Origin
	Leaf(seq uint64) ([32]byte, error)
	All(from uint64) iter.Seq2[eventlog.Entry, error]
	Follow(ctx context.Context, from uint64) iter.Seq2[eventlog.Entry, error]
	// Claim may always be false. Where it is true the log has a record of its
	// own to add; see eventlog.Log.Claim.
	Claim(seq uint64) bool
	Close() error
}

// Hooks are abilities that a log may have; the cases that need a missing one
// are skipped.
type Hooks struct {
	// Reopen opens again a log that was closed.
	Reopen func(t *testing.T, closed Log) Log
	// Crash returns the log that a restart would find if the process ended
	// now. The log given is used no more.
	Crash func(t *testing.T, l Log) Log
	// Fail has the ways to make the next Append fail with cause, by name.
	Fail map[string]func(t *testing.T, l Log, cause error)
	// OpenAt returns what open does, with record 1 at another time.
	OpenAt func(t *testing.T, at int64) Log
	// Own returns a log of one record and a function that lets it have a
	// record of its own to add.
	Own func(t *testing.T) (l Log, offer func())
}

// Origin and Start are the record 1 of the logs that the open function of Test
// must return.
var Origin = eventlog.Origin{Name: "eventlogtest"}

// Start is the time of record 1.
const Start int64 = 1_000

// Test runs the suite. Cases with followers call open in a synctest bubble. Each
// call of open returns a new log that holds nothing but the record of Origin at
// Start.
func Test(t *testing.T, open func(t *testing.T) Log, hooks Hooks) {
	runAll(t, open, hooks, []testCase{
		{"begins with its origin", fresh(testOrigin)},
		{"returns what was appended", fresh(testRoundTrip)},
		{"refuses what does not continue it", fresh(testRefusals)},
		{"starts reading anywhere", fresh(testFrom)},
		{"lets a reader stop early", fresh(testEarlyStop)},
		{"knows its leaves", fresh(testLeaves)},
		{"is followed", testFollow},
		{"ends a follower with its context", testFollowCancel},
		{"ends a follower when it closes", testFollowClose},
		{"closes twice", fresh(testClose)},
		{"takes payloads of any size", fresh(testPayloads)},
		{"takes a group of many segments", fresh(testLargeGroup)},
		{"takes times from the first to the last", testTimes},
		{"adds a record of its own", fresh(testClaim)},
		{"is read while it grows", fresh(testReaders)},
		{"is the same after reopening", fresh(testReopen)},
	})
	TestFailures(t, open, hooks)
}

// TestFailures is the part of Test that is about writes which fail and crashes.
func TestFailures(t *testing.T, open func(t *testing.T) Log, hooks Hooks) {
	runAll(t, open, hooks, []testCase{
		{"is poisoned by a failed write", failing(testPoison)},
		{"survives a crash", fresh(testCrash)},
		{"survives a crash after a failed write", failing(testCrashAfterFailure)},
	})
}

type testCase struct {
	name string
	run  func(t *testing.T, open func(*testing.T) Log, hooks Hooks)
}

func runAll(t *testing.T, open func(t *testing.T) Log, hooks Hooks, cases []testCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open, hooks) })
	}
}

// fresh gives a case a log of its own.
func fresh(run func(*testing.T, Log, Hooks)) func(*testing.T, func(*testing.T) Log, Hooks) {
	return func(t *testing.T, open func(*testing.T) Log, hooks Hooks) { run(t, open(t), hooks) }
}

// failing gives a case a log of its own for each way in which it can fail.
func failing(run func(*testing.T, Log, Hooks, func(cause error))) func(*testing.T, func(*testing.T) Log, Hooks) {
	return func(t *testing.T, open func(*testing.T) Log, hooks Hooks) {
		if len(hooks.Fail) == 0 {
			t.Skip("this log cannot be made to fail")
		}
		for name, fail := range hooks.Fail {
			t.Run(name, func(t *testing.T) {
				l := open(t)
				run(t, l, hooks, func(cause error) { fail(t, l, cause) })
			})
		}
	}
}

// Group returns n transitions that continue a log at next. Their content
// depends on their number alone.
func Group(next uint64, n int) []eventlog.Entry {
	group := make([]eventlog.Entry, n)
	for i := range group {
		seq := next + uint64(i)
		group[i] = eventlog.Entry{
			Seq: seq, At: Start + int64(seq/3), Kind: eventlog.KindTransition,
			Payload: fmt.Appendf(nil, "record %d %0*d", seq, seq%37, seq),
		}
	}
	return group
}

// AnyLag makes cmp ignore how records were grouped.
var AnyLag = cmpopts.IgnoreFields(eventlog.Entry{}, "Lag")

// Read collects a sequence and copies what it lends.
func Read(t *testing.T, seq iter.Seq2[eventlog.Entry, error]) []eventlog.Entry {
	t.Helper()
	var list []eventlog.Entry
	for e, err := range seq {
		if err != nil {
			t.Fatalf("after %d records: %v", len(list), err)
		}
		e.Payload = append([]byte{}, e.Payload...)
		list = append(list, e)
	}
	return list
}

func mustAppend(t *testing.T, l Log, n int) {
	t.Helper()
	if err := l.Append(t.Context(), l.Next(), Group(l.Next(), n)); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

// wantHistory fails unless l holds its origin and then the records of Group up
// to last.
func wantHistory(t *testing.T, l Log, last uint64) {
	t.Helper()
	payload, err := Origin.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	want := []eventlog.Entry{{Seq: 1, At: Start, Kind: eventlog.KindOrigin, Payload: payload}}
	want = append(want, Group(2, int(last)-1)...)
	if diff := cmp.Diff(want, Read(t, l.All(0)), AnyLag); diff != "" {
		t.Fatalf("history (-want +got):\n%s", diff)
	}
	if l.Next() != last+1 {
		t.Fatalf("Next is %d after record %d", l.Next(), last)
	}
}
