package worker

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// balanced says how a picture of a worker contradicts itself.
func balanced(s Stats) error {
	var classes Stats
	for i, c := range s.Classes {
		if c.Priority.lane() != i || c.Submitted != uint64(c.Queued+c.Running)+c.Waited.Count() {
			return fmt.Errorf("class %d does not add up: %+v", i, c)
		}
		classes.Submitted += c.Submitted
		classes.Queued += c.Queued
		classes.Running += c.Running
		classes.Leaked += c.Leaked
	}
	ended := s.Done + s.Failed + s.TimedOut + s.Cancelled
	waited := s.Waited.All()
	switch {
	case s.Submitted != uint64(s.Queued+s.Running)+ended:
		return fmt.Errorf("%d jobs submitted, but %d queued, %d running and %d ended", s.Submitted, s.Queued, s.Running, ended)
	case classes.Submitted != s.Submitted || classes.Queued != s.Queued || classes.Running != s.Running || classes.Leaked != s.Leaked:
		return fmt.Errorf("the classes %+v are not the whole %+v", s.Classes, s)
	case s.Leaked != len(s.LeakedNames):
		return fmt.Errorf("%d jobs leaked with the names %q", s.Leaked, s.LeakedNames)
	case waited.Count() != ended:
		return fmt.Errorf("%d jobs ended, %d in the histograms", ended, waited.Count())
	}
	for state, n := range map[State]uint64{Done: s.Done, Failed: s.Failed, TimedOut: s.TimedOut, Cancelled: s.Cancelled} {
		if w, r := s.Waited.Of(state).Count(), s.Ran.Of(state).Count(); w != n || r > n {
			return fmt.Errorf("%d jobs are %v, but %d waited and %d ran", n, state, w, r)
		}
	}
	return nil
}

// within says which bound of the options in force a picture breaks. It holds for
// a worker that was never made smaller.
func within(s Stats) error {
	o := s.Options
	shared := s.Running - s.Classes[Urgent.lane()].Running
	if s.Running > o.Concurrency || shared > o.Concurrency-o.Reserved || s.Running+s.Leaked > 2*o.Concurrency {
		return fmt.Errorf("%d jobs run, %d of them not urgent, and %d leak with %+v", s.Running, shared, s.Leaked, o)
	}
	for _, c := range s.Classes {
		if c.Queued > o.Queue || c.QueuedMax > o.Queue {
			return fmt.Errorf("%d %v jobs wait, and %d did, with %+v", c.Queued, c.Priority, c.QueuedMax, o)
		}
	}
	return nil
}

// wantNoGoroutines fails the test if a goroutine is left that the worker has
// started, or that runs a method of it. In real time the last ones may be on
// their way out.
func wantNoGoroutines(t *testing.T) {
	t.Helper()
	var left []byte
	for range 200 {
		if left = ownGoroutines(); left == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("goroutines are left:\n%s", left)
}

// ownGoroutines returns the stack of a goroutine of a worker, or nil.
func ownGoroutines() []byte {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		if bytes.Contains(stack, []byte("subsystems/worker.(*Worker)")) {
			return stack
		}
	}
	return nil
}

// The check of goroutines sees one that works and one that calls back.
func TestGoroutinesAreSeen(t *testing.T) {
	w := start(t, Options{Concurrency: 1})
	hold := make(chan struct{})
	for name, j := range map[string]Job{
		"working":      {Run: func(context.Context) error { <-hold; return nil }},
		"calling back": {Run: obedient(0), Done: func(Outcome) { <-hold }},
	} {
		submit(t, w, j)
		for w.Stats().Running+w.Stats().Callbacks == 0 {
			runtime.Gosched()
		}
		if ownGoroutines() == nil {
			t.Errorf("a goroutine %s is not seen", name)
		}
		hold <- struct{}{}
	}
	closeWorker(t, w)
	wantNoGoroutines(t)
}
