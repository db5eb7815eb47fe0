package worker

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPanicAndGoexitAreFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1})
		for text, run := range map[string]func(context.Context) error{
			"index out of range": func(context.Context) error { return []error{}[len("x")] },
			"boom":               func(context.Context) error { panic("boom") },
			"Goexit":             func(context.Context) error { runtime.Goexit(); return nil },
		} {
			o := outcome(t, submit(t, w, Job{Name: "p", Run: run}))
			var p *PanicError
			if o.State != Failed || !errors.As(o.Err, &p) || !strings.Contains(p.Error(), text) {
				t.Errorf("%s: outcome %+v", text, o)
			}
		}
		o := outcome(t, submit(t, w, Job{Name: "after", Run: obedient(0), Done: func(Outcome) { panic("in callback") }}))
		if o.State != Done {
			t.Errorf("the worker is broken after panics: %+v", o)
		}
		late := submit(t, w, Job{Name: "late", Timeout: time.Second, Run: func(context.Context) error {
			time.Sleep(2 * time.Second)
			panic("nobody listens")
		}})
		outcome(t, late)
		closeWorker(t, w)
		wantStats(t, w, Stats{Submitted: 5, Failed: 3, Done: 1, TimedOut: 1, CallbackPanics: 1, LatePanics: 1})
	})
}

// A panic after the deadline is counted, also when the watcher of the deadline has
// not come through yet.
func TestLatePanicWithoutItsWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		h := submit(t, w, Job{Name: "late", Timeout: time.Second, Run: func(ctx context.Context) error { <-ctx.Done(); panic("late") }})
		if !h.j.unhook() {
			t.Fatal("the watcher ran already")
		}
		if o := outcome(t, h); o.State != TimedOut {
			t.Errorf("outcome %+v", o)
		}
		// The same for one that was cancelled and whose context may not be done yet.
		for range 100 {
			self := make(chan *Handle, 1)
			h := submit(t, w, Job{Name: "cancelled", Run: func(context.Context) error { (<-self).Cancel(); panic("late") }})
			self <- h
			if o := outcome(t, h); o.State != Cancelled {
				t.Errorf("outcome %+v", o)
			}
			synctest.Wait()
		}
		closeWorker(t, w)
		wantStats(t, w, Stats{Submitted: 101, TimedOut: 1, Cancelled: 100, LatePanics: 101})
	})
}

func TestRefusals(t *testing.T) {
	for _, o := range []Options{
		{Concurrency: -1}, {Reserved: -1}, {Queue: -1}, {Shutdown: -1}, {Concurrency: 2, Reserved: 2}, {Reserved: 8},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	w := start(t, Options{})
	if d := cmp.Diff(Options{Concurrency: 8, Queue: 256, Shutdown: 5 * time.Second}, w.Stats().Options); d != "" {
		t.Errorf("defaults (-want +got):\n%s", d)
	}
	for _, j := range []Job{
		{Name: "nothing"}, {Name: "negative", Timeout: -1, Run: obedient(0)},
		{Name: "low", Priority: Background - 1, Run: obedient(0)}, {Name: "high", Priority: Urgent + 1, Run: obedient(0)},
	} {
		if _, err := w.Submit(context.Background(), j); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", j.Name, err)
		}
	}
	wantStats(t, w, Stats{Rejected: 4})
}

func TestWaitGivesUpWithItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{})
		h := submit(t, w, Job{Name: "slow", Run: obedient(time.Minute)})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := h.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait says %v", err)
		}
		if o := outcome(t, h); o.State != Done || o.Ran != time.Minute {
			t.Errorf("the job did not go on: %+v", o)
		}
		if o, err := h.Wait(ctx); err != nil || o.State != Done {
			t.Errorf("a known outcome is hidden by a context: %v, %v", o, err)
		}
		closeWorker(t, w)
	})
}
