package worker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// step is one submission of a random history: after Gap, a job that works for
// Work, deaf or not, under Timeout (0: none), and is cancelled after Cancel
// (negative: never).
type step struct {
	Gap, Work, Timeout, Cancel time.Duration
	Deaf                       bool
}

func drawSteps(t *rapid.T) []step {
	ms := func(name string, least, most int) time.Duration {
		return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * time.Millisecond
	}
	steps := make([]step, rapid.IntRange(1, 30).Draw(t, "jobs"))
	for i := range steps {
		steps[i] = step{ms("gap", 0, 5), ms("work", 0, 20), ms("timeout", 0, 15), ms("cancel", -15, 10), rapid.Bool().Draw(t, "deaf")}
	}
	return steps
}

// history plays steps and notes what the worker does.
type history struct {
	t *rapid.T
	w *Worker

	mu              sync.Mutex
	executing, most int
	calls           map[int]int // Done calls by step

	handles map[int]*Handle // of accepted steps
	began   map[int]time.Time
	refused int
}

func (h *history) track(change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.executing += change
	h.most = max(h.most, h.executing)
}

func (h *history) play(i int, s step) {
	time.Sleep(s.Gap)
	work := obedient(s.Work)
	if s.Deaf {
		work = deaf(s.Work)
	}
	handle, err := h.w.Submit(context.Background(), Job{Name: "j", Timeout: s.Timeout,
		Run: func(ctx context.Context) error { h.track(1); defer h.track(-1); return work(ctx) },
		Done: func(Outcome) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.calls[i]++
		}})
	if err != nil {
		if !errors.Is(err, ErrFull) {
			h.t.Fatalf("refused: %v", err)
		}
		h.refused++
		return
	}
	h.handles[i], h.began[i] = handle, time.Now()
	if s.Cancel >= 0 {
		time.AfterFunc(s.Cancel, func() { handle.Cancel() })
	}
}

// checkBounds holds at any time.
func (h *history) checkBounds(o Options) {
	s := h.w.Stats()
	ended := s.Done + s.Failed + s.TimedOut + s.Cancelled
	if s.Queued > o.Queue || s.Running > o.Concurrency || s.Submitted != uint64(s.Queued+s.Running)+ended {
		h.t.Errorf("stats break a bound: %+v", s)
	}
}

// checkOutcome waits for step i and returns its outcome.
func (h *history) checkOutcome(i int, s step) Outcome {
	got, err := h.handles[i].Wait(context.Background())
	took := got.Queued + got.Ran
	switch {
	case err != nil:
		h.t.Error(err)
	case s.Timeout > 0 && took > s.Timeout, s.Cancel >= 0 && took > s.Cancel:
		h.t.Errorf("job %d of %+v ended late: %+v", i, s, got)
	case (got.Err == nil) != (got.State == Done), time.Since(h.began[i]) < took:
		h.t.Errorf("job %d: outcome %+v contradicts itself", i, got)
	case got.State == Done && got.Ran != s.Work:
		h.t.Errorf("job %d worked %v, want %v", i, got.Ran, s.Work)
	}
	return got
}

// checkEnd compares the counters of an idle worker with the outcomes.
func (h *history) checkEnd(o Options, sum Stats) {
	want := sum
	want.Submitted, want.Rejected = uint64(len(h.handles)), uint64(h.refused)
	if d := cmp.Diff(want, h.w.Stats()); d != "" {
		h.t.Errorf("stats (-want +got):\n%s", d)
	}
	for i := range h.handles {
		if h.calls[i] != 1 {
			h.t.Errorf("Done of job %d was called %d times", i, h.calls[i])
		}
	}
	if h.most > 2*o.Concurrency {
		h.t.Errorf("%d functions ran at once with concurrency %d", h.most, o.Concurrency)
	}
}

// Random histories in virtual time against the promises of the package comment.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{
			Concurrency: rapid.IntRange(1, 3).Draw(rt, "concurrency"),
			Queue:       rapid.IntRange(1, 4).Draw(rt, "queue"),
			Shutdown:    time.Hour,
		}
		steps := drawSteps(rt)
		synctest.Test(t, func(t *testing.T) {
			h := &history{t: rt, w: start(t, o), calls: map[int]int{}, handles: map[int]*Handle{}, began: map[int]time.Time{}}
			for i, s := range steps {
				h.play(i, s)
				h.checkBounds(o)
			}
			var sum Stats
			for i := range h.handles {
				sum.count(h.checkOutcome(i, steps[i]))
			}
			closeWorker(t, h.w)
			time.Sleep(time.Second) // timers of late cancellations
			h.checkEnd(o, sum)
		})
	})
}
