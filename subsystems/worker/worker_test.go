package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Tests run in virtual time, so durations are exact. A bubble of synctest fails
// the test if a goroutine is left when it ends.

func start(t *testing.T, o Options) *Worker {
	t.Helper()
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func submit(t *testing.T, w *Worker, j Job) *Handle {
	t.Helper()
	h, err := w.Submit(context.Background(), j)
	if err != nil {
		t.Fatalf("job %q is refused: %v", j.Name, err)
	}
	return h
}

func outcome(t *testing.T, h *Handle) Outcome {
	t.Helper()
	o, err := h.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func closeWorker(t *testing.T, w *Worker) {
	t.Helper()
	if err := w.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// obedient works for d unless its context ends first.
func obedient(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deaf works for d whatever its context says.
func deaf(d time.Duration) func(context.Context) error {
	return func(context.Context) error { time.Sleep(d); return nil }
}

// totals leaves all but counters of the whole worker out of a comparison.
var totals = cmpopts.IgnoreFields(Stats{}, "Options", "Waited", "Ran", "Classes")

func wantStats(t *testing.T, w *Worker, want Stats) {
	t.Helper()
	if d := cmp.Diff(want, w.Stats(), totals); d != "" {
		t.Errorf("stats (-want +got):\n%s", d)
	}
}

func TestOutcomes(t *testing.T) {
	broken := errors.New("disk is full")
	for _, c := range []struct {
		name    string
		run     func(context.Context) error
		timeout time.Duration
		state   State
		is      error
		ran     time.Duration
	}{
		{"done", obedient(time.Second), 0, Done, nil, time.Second},
		{"done in time", obedient(time.Second), 2 * time.Second, Done, nil, time.Second},
		{"failed", func(context.Context) error { return broken }, 0, Failed, broken, 0},
		{"timed out, obedient", obedient(time.Hour), time.Second, TimedOut, context.DeadlineExceeded, time.Second},
		{"timed out, deaf", deaf(time.Minute), time.Second, TimedOut, context.DeadlineExceeded, time.Second},
		{"own deadline error in time", func(context.Context) error { return context.DeadlineExceeded }, time.Second, Failed, context.DeadlineExceeded, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, Options{Shutdown: time.Hour})
				calls := make(chan Outcome, 2)
				h := submit(t, w, Job{Name: c.name, Timeout: c.timeout, Run: c.run, Done: func(o Outcome) { calls <- o }})
				got := outcome(t, h)
				closeWorker(t, w)
				if got.State != c.state || !errors.Is(got.Err, c.is) || got.Ran != c.ran || got.Queued != 0 || got.Name != c.name {
					t.Errorf("outcome %+v, want %v, %v after %v", got, c.state, c.is, c.ran)
				}
				if len(calls) != 1 || (<-calls) != got {
					t.Errorf("Done was not called exactly once with %+v", got)
				}
			})
		})
	}
}

// A 0.2 s limit behind a 1 s job fails at 0.2 s and frees its place.
func TestDeadlineCoversWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1, Queue: 1})
		long := submit(t, w, Job{Name: "long", Run: obedient(time.Second)})
		began := time.Now()
		ran := false
		h := submit(t, w, Job{Name: "short", Timeout: 200 * time.Millisecond, Run: func(context.Context) error { ran = true; return nil }})
		o := outcome(t, h)
		if d := time.Since(began); d != 200*time.Millisecond || o.State != TimedOut || o.Queued != d || o.Ran != 0 {
			t.Errorf("%+v after %v, want timed out after 200ms", o, d)
		}
		var limit *TimeoutError
		if !errors.As(o.Err, &limit) || limit.Name != "short" || limit.Timeout != 200*time.Millisecond {
			t.Errorf("error %v does not tell the limit", o.Err)
		}
		synctest.Wait()
		wantStats(t, w, Stats{Submitted: 2, Running: 1, TimedOut: 1})
		submit(t, w, Job{Name: "next", Run: obedient(0)})
		outcome(t, long)
		closeWorker(t, w)
		if ran {
			t.Error("a job that timed out in the queue ran")
		}
	})
}

// The rest of the limit is what a job has left when it starts.
func TestDeadlineCoversWaitingAndRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1})
		submit(t, w, Job{Name: "first", Run: obedient(time.Second)})
		var left time.Duration
		h := submit(t, w, Job{Name: "second", Timeout: 3 * time.Second, Run: func(ctx context.Context) error {
			end, _ := ctx.Deadline()
			left = time.Until(end)
			return obedient(time.Hour)(ctx)
		}})
		o := outcome(t, h)
		closeWorker(t, w) // now the job has returned and its variables may be read
		if o.State != TimedOut || o.Queued != time.Second || o.Ran != 2*time.Second || left != 2*time.Second {
			t.Errorf("%+v with %v left at its start", o, left)
		}
	})
}

func cancelOnce(t *testing.T, h *Handle) {
	t.Helper()
	if !h.Cancel() {
		t.Error("an open job was not cancelled")
	}
	if o := outcome(t, h); o.State != Cancelled || !errors.Is(o.Err, ErrCancelled) {
		t.Errorf("outcome %+v", o)
	}
	if h.Cancel() {
		t.Error("cancelled twice")
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1})
		var done atomic.Int32
		count := func(Outcome) { done.Add(1) }
		running := submit(t, w, Job{Name: "running", Run: obedient(time.Hour), Done: count})
		queued := submit(t, w, Job{Name: "queued", Run: obedient(time.Hour), Done: count})
		time.Sleep(time.Second)
		cancelOnce(t, queued)
		cancelOnce(t, running)
		synctest.Wait()
		wantStats(t, w, Stats{Submitted: 2, Cancelled: 2})
		finished := submit(t, w, Job{Name: "finished", Run: obedient(0)})
		outcome(t, finished)
		if finished.Cancel() {
			t.Error("a finished job was cancelled")
		}
		closeWorker(t, w)
		if n := done.Load(); n != 2 {
			t.Errorf("Done was called %d times, want 2", n)
		}
	})
}

func TestContextOfSubmitter(t *testing.T) {
	type key struct{}
	cause := errors.New("client went away")
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1})
		ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), key{}, 42))
		var seen any
		var inside error
		h, err := w.Submit(ctx, Job{Name: "a", Run: func(ctx context.Context) error {
			seen = ctx.Value(key{})
			<-ctx.Done()
			inside = context.Cause(ctx)
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		cancel(cause)
		if o := outcome(t, h); o.State != Cancelled || o.Err != cause {
			t.Errorf("outcome %+v", o)
		}
		synctest.Wait()
		if seen != 42 || inside != cause {
			t.Errorf("the job saw value %v and cause %v", seen, inside)
		}
		if _, err := w.Submit(ctx, Job{Name: "late", Run: obedient(0)}); !errors.Is(err, cause) {
			t.Errorf("a dead context is accepted: %v", err)
		}
		short, cancelShort := context.WithTimeout(context.Background(), time.Second)
		defer cancelShort()
		h, err = w.Submit(short, Job{Name: "b", Timeout: time.Hour, Run: obedient(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if o := outcome(t, h); o.State != TimedOut || !errors.Is(o.Err, context.DeadlineExceeded) || o.Ran != time.Second {
			t.Errorf("outcome %+v", o)
		}
		closeWorker(t, w)
	})
}

func TestQueueIsBoundedAndFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 2, Queue: 3})
		var order []string
		var handles []*Handle
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			handles = append(handles, submit(t, w, Job{Name: name, Run: func(ctx context.Context) error {
				time.Sleep(time.Second)
				return nil
			}, Done: func(o Outcome) { order = append(order, o.Name) }}))
			time.Sleep(time.Millisecond)
		}
		if _, err := w.Submit(context.Background(), Job{Name: "f", Run: obedient(0)}); !errors.Is(err, ErrFull) {
			t.Errorf("a full queue says %v", err)
		}
		wantStats(t, w, Stats{Submitted: 5, Rejected: 1, Queued: 3, Running: 2})
		for _, h := range handles {
			outcome(t, h)
		}
		closeWorker(t, w)
		if d := cmp.Diff([]string{"a", "b", "c", "d", "e"}, order); d != "" {
			t.Errorf("order (-want +got):\n%s", d)
		}
		wantStats(t, w, Stats{Submitted: 5, Rejected: 1, Done: 5})
	})
}
