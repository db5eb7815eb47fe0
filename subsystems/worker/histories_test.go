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
	Priority                   Priority
}

func drawSteps(t *rapid.T) []step {
	ms := func(name string, least, most int) time.Duration {
		return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * time.Millisecond
	}
	steps := make([]step, rapid.IntRange(1, 30).Draw(t, "jobs"))
	for i := range steps {
		steps[i] = step{ms("gap", 0, 5), ms("work", 0, 20), ms("timeout", 0, 15), ms("cancel", -15, 10), rapid.Bool().Draw(t, "deaf"),
			rapid.SampledFrom([]Priority{Urgent, Normal, Background}).Draw(t, "priority")}
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
	sum     Stats // counters as the submitter has seen them
}

func (h *history) track(change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.executing += change
	h.most = max(h.most, h.executing)
}

func (h *history) play(i int, s step) {
	time.Sleep(s.Gap)
	class := &h.sum.Classes[s.Priority.lane()]
	work := obedient(s.Work)
	if s.Deaf {
		work = deaf(s.Work)
	}
	handle, err := h.w.Submit(context.Background(), Job{Name: "j", Timeout: s.Timeout, Priority: s.Priority,
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
		h.sum.Rejected++
		class.Full++
		return
	}
	h.sum.Submitted++
	class.Submitted++
	h.handles[i], h.began[i] = handle, time.Now()
	if s.Cancel >= 0 {
		time.AfterFunc(s.Cancel, func() { handle.Cancel() })
	}
}

// checkBounds holds at any time.
func (h *history) checkBounds() {
	s := h.w.Stats()
	if err := errors.Join(balanced(s), within(s)); err != nil {
		h.t.Error(err)
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
func (h *history) checkEnd(o Options) {
	got := h.w.Stats()
	want := h.sum
	want.Options = o
	for i := range want.Classes {
		want.Classes[i].Priority = Urgent - Priority(i)
		want.Classes[i].QueuedMax = got.Classes[i].QueuedMax // checkBounds has looked at it
	}
	if d := cmp.Diff(want, got); d != "" {
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
		o.Reserved = rapid.IntRange(0, o.Concurrency-1).Draw(rt, "reserved")
		steps := drawSteps(rt)
		synctest.Test(t, func(t *testing.T) {
			h := &history{t: rt, w: start(t, o), calls: map[int]int{}, handles: map[int]*Handle{}, began: map[int]time.Time{}}
			for i, s := range steps {
				h.play(i, s)
				h.checkBounds()
			}
			for i := range h.handles {
				h.sum.count(steps[i].Priority, h.checkOutcome(i, steps[i]))
			}
			closeWorker(t, h.w)
			time.Sleep(time.Second) // timers of late cancellations
			h.checkEnd(o)
		})
	})
}
