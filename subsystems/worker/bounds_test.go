package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Stuck jobs are reported at once and named; as many as Concurrency of them are
// replaced, further ones hold a place until they return.
func TestLeakedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 2, Shutdown: time.Hour})
		for _, name := range []string{"s2", "s1"} {
			submit(t, w, Job{Name: name, Timeout: time.Second, Run: deaf(time.Minute)})
		}
		submit(t, w, Job{Name: "s3", Timeout: time.Second / 2, Run: deaf(time.Minute)})
		time.Sleep(1500 * time.Millisecond) // s3 timed out in the queue
		wantStats(t, w, Stats{Submitted: 3, TimedOut: 3, Leaked: 2, LeakedNames: []string{"s1", "s2"}})
		// Two leaked jobs are replaced by two more, and then nothing can start.
		for _, name := range []string{"s4", "s5"} {
			submit(t, w, Job{Name: name, Timeout: time.Second, Run: deaf(time.Minute)})
		}
		last := submit(t, w, Job{Name: "last", Run: obedient(0)})
		time.Sleep(10 * time.Second)
		wantStats(t, w, Stats{Submitted: 6, Queued: 1, TimedOut: 5, Leaked: 4, LeakedNames: []string{"s1", "s2", "s4", "s5"}})
		// It starts when the first stuck job returns, a minute after its start.
		if o := outcome(t, last); o.State != Done || o.Queued != 58500*time.Millisecond {
			t.Errorf("outcome %+v", o)
		}
		closeWorker(t, w)
		wantStats(t, w, Stats{Submitted: 6, TimedOut: 5, Done: 1})
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 4, Shutdown: 5 * time.Second})
		var started atomic.Int32
		run := func(ctx context.Context) error { started.Add(1); return obedient(time.Hour)(ctx) }
		var handles []*Handle
		for range 30 {
			handles = append(handles, submit(t, w, Job{Name: "j", Run: run}))
		}
		synctest.Wait()
		began := time.Now()
		closeWorker(t, w)
		closeWorker(t, w)
		if d := time.Since(began); d != 0 {
			t.Errorf("obedient jobs delayed Close by %v", d)
		}
		for _, h := range handles {
			if o := outcome(t, h); o.State != Cancelled || !errors.Is(o.Err, ErrClosed) {
				t.Errorf("outcome %+v", o)
			}
		}
		if _, err := w.Submit(context.Background(), Job{Name: "late", Run: run}); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed worker says %v", err)
		}
		if n := started.Load(); n != 4 {
			t.Errorf("%d jobs started, want 4: closing started some", n)
		}
		wantStats(t, w, Stats{Submitted: 30, Rejected: 1, Cancelled: 30})
	})
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 2, Shutdown: 5 * time.Second})
		stuck := submit(t, w, Job{Name: "stuck", Run: deaf(time.Minute)})
		submit(t, w, Job{Name: "chatty", Run: obedient(0), Done: func(Outcome) { time.Sleep(30 * time.Second) }})
		queued := submit(t, w, Job{Name: "queued", Run: obedient(0)})
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, c := range []struct {
			ctx  context.Context
			want time.Duration // since the first Close
			err  error
		}{
			{ctx, time.Second, &LeakError{Names: []string{"stuck"}, Callbacks: 1}},
			{context.Background(), 6 * time.Second, &LeakError{Names: []string{"stuck"}, Callbacks: 1}},
		} {
			err := w.Close(c.ctx)
			if d := cmp.Diff(c.err, err); d != "" || time.Since(began) != c.want {
				t.Errorf("Close after %v, want %v (-want +got):\n%s", time.Since(began), c.want, d)
			}
			if o := outcome(t, stuck); o.State != Cancelled {
				t.Errorf("outcome %+v", o)
			}
			outcome(t, queued)
		}
		time.Sleep(time.Minute)
		closeWorker(t, w) // now everything has returned
	})
}

// A Done function that never returns stops neither outcomes nor, with one of
// them, the other jobs; and the goroutines they hold are bounded.
func TestSlowCallbacksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1, Queue: 4})
		release := make(chan struct{})
		block := func(Outcome) { <-release }
		accepted := 0
		for range 100 {
			if _, err := w.Submit(context.Background(), Job{Name: "j", Timeout: time.Second, Run: obedient(0), Done: block}); err == nil {
				accepted++
			}
			time.Sleep(2 * time.Second)
		}
		// Two run (Concurrency, twice), four end in the queue; all hold their places.
		if accepted != 6 {
			t.Errorf("%d jobs accepted while callbacks block, want 6", accepted)
		}
		wantStats(t, w, Stats{Submitted: 6, Rejected: 94, Done: 2, TimedOut: 4, Callbacks: 6})
		close(release)
		synctest.Wait()
		submit(t, w, Job{Name: "after", Run: obedient(0)})
		synctest.Wait()
		closeWorker(t, w)
		wantStats(t, w, Stats{Submitted: 7, Rejected: 94, Done: 3, TimedOut: 4})
	})
}

// The place of a job that timed out is filled at once, not after its callback.
func TestPlaceIsFilledBeforeTheCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 2, Shutdown: time.Hour})
		submit(t, w, Job{Name: "stuck", Timeout: time.Second, Run: deaf(time.Minute), Done: func(Outcome) { time.Sleep(time.Minute) }})
		submit(t, w, Job{Name: "long", Run: obedient(time.Hour)})
		next := submit(t, w, Job{Name: "next", Run: obedient(0)})
		if o := outcome(t, next); o.Queued != time.Second {
			t.Errorf("outcome %+v, want a wait of 1s", o)
		}
		closeWorker(t, w)
	})
}

// The watcher of a context may lose the race against the job itself or against
// the start of a queued job. Here it is taken out of the race.
func TestDeadlineHoldsWithoutItsWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1})
		first := submit(t, w, Job{Name: "first", Timeout: time.Second, Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil
		}})
		started := false
		second := submit(t, w, Job{Name: "second", Timeout: 1500 * time.Millisecond, Run: func(context.Context) error { started = true; return nil }})
		if !first.j.unhook() || !second.j.unhook() {
			t.Fatal("the watchers ran already")
		}
		for _, h := range []*Handle{first, second} {
			if o := outcome(t, h); o.State != TimedOut || o.Queued+o.Ran != 2*time.Second {
				t.Errorf("outcome %+v, want timed out after 2s", o)
			}
		}
		closeWorker(t, w)
		if started {
			t.Error("a job started after its deadline")
		}
	})
}

func TestDurationsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1})
		a := submit(t, w, Job{Name: "a", Run: obedient(3 * time.Second)})
		b := submit(t, w, Job{Name: "b", Run: obedient(2 * time.Second)})
		outcome(t, a)
		outcome(t, b)
		closeWorker(t, w)
		s := w.Stats()
		for name, h := range map[string]Histogram{"waited": s.Waited.Done, "ran": s.Ran.Done, "normal": s.Classes[Normal.lane()].Waited} {
			want := Histogram{Sum: 3 * time.Second, Max: 3 * time.Second}
			want.Counts[bucketOf(0)]++
			want.Counts[bucketOf(3*time.Second)]++
			if name == "ran" {
				want = Histogram{Sum: 5 * time.Second, Max: 3 * time.Second}
				want.Counts[bucketOf(2*time.Second)]++
				want.Counts[bucketOf(3*time.Second)]++
			}
			if d := cmp.Diff(want, h); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
		if waited, ran := s.Waited.All(), s.Ran.All(); waited != s.Waited.Done || ran != s.Ran.Done {
			t.Errorf("jobs that are done are counted as something else too: %+v, %+v", waited, ran)
		}
	})
}

func TestDoneMaySubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1, Queue: 1})
		left := 50
		var next func(Outcome)
		next = func(Outcome) {
			if left--; left > 0 {
				if _, err := w.Submit(context.Background(), Job{Name: "link", Run: obedient(time.Second), Done: next}); err != nil {
					t.Error(err)
				}
			}
		}
		submit(t, w, Job{Name: "first", Run: obedient(time.Second), Done: next})
		time.Sleep(time.Minute)
		closeWorker(t, w)
		wantStats(t, w, Stats{Submitted: 50, Done: 50})
	})
}
