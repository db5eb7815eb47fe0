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

// Urgent jobs start at once while fewer than Reserved of them are there, however
// busy or stuck the others are.
func TestReservedPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 3, Reserved: 1, Shutdown: time.Hour})
		stick := func() { submit(t, w, Job{Name: "stuck", Timeout: time.Minute, Run: deaf(time.Hour)}) }
		stick()
		stick()
		slow := submit(t, w, Job{Name: "slow", Run: obedient(0)})
		urgent := func(when string, running, leaked int) {
			t.Helper()
			if s := w.Stats(); s.Running != running || s.Leaked != leaked {
				t.Errorf("%s %d run and %d leak, want %d and %d", when, s.Running, s.Leaked, running, leaked)
			}
			o := outcome(t, submit(t, w, Job{Name: "urgent", Priority: Urgent, Run: obedient(time.Second)}))
			if o.State != Done || o.Queued != 0 {
				t.Errorf("%s an urgent job ended as %+v", when, o)
			}
		}
		urgent("with two places left to others,", 2, 0)
		if o := outcome(t, slow); o.Queued != time.Minute { // when the two have leaked
			t.Errorf("the job behind them ended as %+v", o)
		}
		for range 5 {
			stick()
			time.Sleep(2 * time.Minute)
		}
		urgent("with all other places stuck,", 0, 5) // twice three, less one
		urgent("and again,", 0, 5)
		closeWorker(t, w)
	})
}

// A stuck job whose callback is stuck too holds one place, not two.
func TestStuckJobsWithStuckCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 2, Reserved: 1, Shutdown: time.Hour})
		for range 3 {
			submit(t, w, Job{Name: "stuck", Timeout: time.Minute, Run: deaf(time.Hour), Done: func(Outcome) { time.Sleep(time.Hour) }})
			time.Sleep(2 * time.Minute)
		}
		if s := w.Stats(); s.Leaked != 3 || s.Callbacks != 3 {
			t.Errorf("%d jobs leak with %d callbacks", s.Leaked, s.Callbacks)
		}
		if o := outcome(t, submit(t, w, Job{Name: "urgent", Priority: Urgent, Run: obedient(0)})); o.State != Done || o.Queued != 0 {
			t.Errorf("an urgent job ended as %+v", o)
		}
		submit(t, w, Job{Name: "one too many", Run: obedient(0)})
		if s := w.Stats(); s.Queued != 1 {
			t.Errorf("a fourth normal job does not wait: %+v", s)
		}
		closeWorker(t, w)
	})
}

// Urgent jobs in places that others may take leave the rest to the others.
func TestUrgentJobsUseTheirPlacesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 3, Reserved: 1, Shutdown: time.Hour})
		stick := func(p Priority) *Handle {
			return submit(t, w, Job{Name: "stuck", Priority: p, Timeout: time.Minute, Run: deaf(time.Hour)})
		}
		want := func(when string, h *Handle) {
			t.Helper()
			if o := outcome(t, h); !o.Started {
				t.Errorf("%s a normal job did not start: %+v", when, o)
			}
		}
		stick(Urgent)
		stick(Urgent)
		want("with two urgent jobs of three,", stick(Normal))
		stick(Normal)
		want("with two urgent jobs among four that leak,", stick(Normal))
		want("with two urgent jobs among five that leak,", stick(Normal))
		if s := w.Stats(); s.Leaked != 6 {
			t.Errorf("%d jobs leak", s.Leaked)
		}
		closeWorker(t, w)
	})
}

// A job that starts in a reserved place has overtaken nobody: the turn of a normal
// job comes after sixteen starts in the place that it could have had.
func TestReservedStartsOvertakeNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 2, Reserved: 1})
		submit(t, w, Job{Name: "first", Run: obedient(19500 * time.Millisecond)})
		var before atomic.Int32 // urgent jobs that started before the normal one
		urgent := Job{Name: "urgent", Priority: Urgent, Run: func(ctx context.Context) error {
			before.Add(1)
			return obedient(time.Second)(ctx)
		}}
		for range 100 {
			submit(t, w, urgent)
		}
		var seen int32
		h := submit(t, w, Job{Name: "normal", Run: func(context.Context) error { seen = before.Load(); return nil }})
		outcome(t, h)
		closeWorker(t, w)
		if seen != 20+16 {
			t.Errorf("%d urgent jobs started before the normal one, want 20 in the reserved place and 16 after", seen)
		}
	})
}

func TestReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 4, Queue: 8})
		for range 12 {
			submit(t, w, Job{Name: "j", Run: obedient(time.Second)})
		}
		set := func(o Options, running, queued int) {
			t.Helper()
			if err := w.Reconfigure(o); err != nil {
				t.Fatal(err)
			}
			if s := w.Stats(); s.Running != running || s.Queued != queued {
				t.Errorf("%+v: %d run and %d wait, want %d and %d", o, s.Running, s.Queued, running, queued)
			}
		}
		refused := func(when string) {
			t.Helper()
			if _, err := w.Submit(t.Context(), Job{Name: "more", Run: obedient(0)}); !errors.Is(err, ErrFull) {
				t.Errorf("%s Submit says %v", when, err)
			}
		}
		refused("at first")
		set(Options{Concurrency: 2, Queue: 3}, 4, 8)
		time.Sleep(1500 * time.Millisecond) // four have ended, two have started
		set(Options{Concurrency: 2, Queue: 3}, 2, 6)
		refused("with six of three waiting")
		set(Options{Concurrency: 3, Reserved: 1, Queue: 3}, 2, 6)
		set(Options{Concurrency: 3, Queue: 3}, 3, 5)
		set(Options{Concurrency: 5, Queue: 4}, 5, 3)
		submit(t, w, Job{Name: "fourth", Run: obedient(time.Second)})
		refused("with four of four waiting")
		if err := w.Reconfigure(Options{Concurrency: -1}); err == nil {
			t.Error("a negative concurrency is accepted")
		}
		set(Options{}, 8, 1)
		if d := cmp.Diff(Options{Concurrency: 8, Queue: 256, Shutdown: 5 * time.Second}, w.Stats().Options); d != "" {
			t.Errorf("defaults (-want +got):\n%s", d)
		}
		time.Sleep(time.Minute)
		closeWorker(t, w)
		wantStats(t, w, Stats{Submitted: 13, Rejected: 3, Done: 13})
		if err := w.Reconfigure(Options{}); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed worker is reconfigured: %v", err)
		}
	})
}
