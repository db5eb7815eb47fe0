package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd counts what producers see.
type crowd struct{ accepted, refused, called atomic.Int64 }

// produce submits n jobs of five kinds: with a tight limit, failing, panicking,
// cancelled at once, and plain.
func (c *crowd) produce(w *Worker, p, n int) {
	for i := range n {
		kind := (p + i) % 5
		j := Job{Name: "soak", Run: obedient(time.Duration(i%3) * 50 * time.Microsecond), Done: func(Outcome) { c.called.Add(1) }}
		switch kind {
		case 0:
			j.Timeout = 100 * time.Microsecond
		case 1:
			j.Run = func(context.Context) error { return errors.New("failed") }
		case 2:
			j.Run = func(context.Context) error { panic("soak") }
		}
		h, err := w.Submit(context.Background(), j)
		if err != nil {
			c.refused.Add(1)
			time.Sleep(50 * time.Microsecond)
			continue
		}
		c.accepted.Add(1)
		if kind == 3 {
			h.Cancel()
		}
	}
}

// Real time and real parallelism, for the race detector.
func TestSoak(t *testing.T) {
	w := start(t, Options{Concurrency: 4, Queue: 32, Shutdown: 10 * time.Second})
	var c crowd
	var group sync.WaitGroup
	for p := range 8 {
		group.Go(func() { c.produce(w, p, 400) })
	}
	group.Wait()
	time.Sleep(10 * time.Millisecond)
	closeWorker(t, w)
	s := w.Stats()
	t.Logf("%+v", s)
	if s.Submitted != uint64(c.accepted.Load()) || s.Rejected != uint64(c.refused.Load()) || c.called.Load() != c.accepted.Load() {
		t.Errorf("accepted %d, refused %d, called back %d: stats %+v", c.accepted.Load(), c.refused.Load(), c.called.Load(), s)
	}
	if s.Queued+s.Running+s.Leaked+s.Callbacks != 0 || s.Done+s.Failed+s.TimedOut+s.Cancelled != s.Submitted {
		t.Errorf("not every submission ended once: %+v", s)
	}
	if s.Done == 0 || s.Failed == 0 || s.Cancelled == 0 {
		t.Errorf("the soak misses a kind of end: %+v", s)
	}
}

func BenchmarkSubmitWait(b *testing.B) {
	w, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		h, err := w.Submit(context.Background(), Job{Timeout: time.Second, Run: func(context.Context) error { return nil }})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := h.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
