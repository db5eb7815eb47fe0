package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// shrinking holds for a worker that is reconfigured: what is above a bound was
// there before, and only falls. Its state is the picture before.
type shrinking struct {
	mu     sync.Mutex
	before Stats
}

// set reconfigures the worker and takes the picture that the next one is held
// against. Nothing else runs meanwhile in virtual time.
func (g *shrinking) set(w *Worker, o Options) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := w.Reconfigure(o)
	g.before = w.Stats()
	return err
}

// look takes a picture and compares it with the one before.
func (g *shrinking) look(w *Worker) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	was, x := g.before, w.Stats()
	g.before = x
	o := x.Options
	if x.Running > max(o.Concurrency, was.Running) {
		return fmt.Errorf("%d jobs run, after %d, with %+v", x.Running, was.Running, o)
	}
	if held, had := x.Running+x.Leaked, was.Running+was.Leaked; held > max(2*o.Concurrency, had) {
		return fmt.Errorf("%d jobs run or leak, after %d, with %+v", held, had, o)
	}
	for i, c := range x.Classes {
		if c.Queued > max(o.Queue, was.Classes[i].Queued) {
			return fmt.Errorf("%d %v jobs wait, after %d, with %+v", c.Queued, c.Priority, was.Classes[i].Queued, o)
		}
	}
	return nil
}

// anyOptions draws small limits.
func anyOptions(r *rand.Rand) Options {
	o := Options{Concurrency: 1 + r.IntN(16), Queue: 1 + r.IntN(32), Shutdown: time.Minute}
	o.Reserved = r.IntN(o.Concurrency)
	return o
}

// Rapid reconfiguration: the limits change every few hundred microseconds under
// load. No accepted job is lost and none starts or is accepted beyond the limits
// in force.
func TestSoakRapidReconfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoak(t, Options{Concurrency: 4, Queue: 16, Shutdown: time.Minute})
		var limits shrinking
		s.hold = func(Stats) error { return limits.look(s.w) }
		stop := make(chan struct{})
		changes := 0
		var controller sync.WaitGroup
		controller.Go(func() {
			r := rand.New(rand.NewPCG(1, 2))
			for {
				select {
				case <-stop:
					return
				case <-time.After(upTo(r, 500*time.Microsecond)):
				}
				if err := limits.set(s.w, anyOptions(r)); err != nil {
					t.Error(err)
				}
				changes++
			}
		})
		crowd(32, func(p int, r *rand.Rand) {
			for range 150 {
				work := obedient(upTo(r, 5*time.Millisecond))
				if r.IntN(20) == 0 {
					work = deaf(upTo(r, 20*time.Millisecond))
				}
				s.submit(t.Context(), Job{Name: "r", Priority: anyClass(r), Timeout: upTo(r, 50*time.Millisecond), Run: work})
				s.look()
				time.Sleep(upTo(r, 10*time.Millisecond))
			}
		})
		close(stop)
		controller.Wait()
		time.Sleep(time.Second)
		if x := s.w.Stats(); x.Queued+x.Running != 0 {
			t.Errorf("jobs are stuck after the last change: %+v", x)
		}
		x := s.finish()
		if changes < 1000 || x.Done < 1000 || s.refused == 0 {
			t.Errorf("%d changes, %d done, %d refused", changes, x.Done, s.refused)
		}
	})
}

// Jitter storm: everything at random at once, in bursts, several times over.
// Callbacks dawdle, and the worker closes while jobs wait and run.
func TestSoakJitterStorm(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, seed) })
		})
	}
}

func storm(t *testing.T, seed uint64) {
	o := anyOptions(rand.New(rand.NewPCG(seed, 3)))
	s := newSoak(t, o)
	crowd(16, func(p int, r *rand.Rand) {
		for range 100 {
			if r.IntN(10) == 0 {
				time.Sleep(upTo(r, 50*time.Millisecond)) // then comes a burst
			}
			s.gust(t, r)
			s.look()
		}
	})
	x := s.finish()
	if s.most > 2*o.Concurrency {
		t.Errorf("%d functions ran at once with %+v", s.most, o)
	}
	for _, c := range s.tickets {
		if o := c.called[0]; c.job.Timeout > 0 && o.Queued+o.Ran > c.job.Timeout {
			t.Errorf("limit %v: %+v", c.job.Timeout, o)
		}
	}
	if x.Done == 0 || x.Failed == 0 || x.TimedOut == 0 || x.Cancelled == 0 || s.refused == 0 {
		t.Errorf("the storm misses a kind of end: %d done, %d failed, %d timed out, %d cancelled, %d refused",
			x.Done, x.Failed, x.TimedOut, x.Cancelled, s.refused)
	}
}

// gust submits one job of a random kind.
func (s *soak) gust(t *testing.T, r *rand.Rand) {
	spent, dawdle := upTo(r, 10*time.Millisecond), r.IntN(8) == 0
	j := Job{Name: "gust", Priority: anyClass(r), Run: obedient(spent)}
	switch r.IntN(6) {
	case 0:
		j.Run = deaf(spent)
	case 1:
		j.Run = func(ctx context.Context) error { return errors.Join(obedient(spent)(ctx), errors.New("failed")) }
	case 2:
		j.Run = func(context.Context) error { time.Sleep(spent); panic("storm") }
	}
	if r.IntN(2) == 0 {
		j.Timeout = upTo(r, 20*time.Millisecond)
	}
	j.Done = func(Outcome) {
		if dawdle {
			time.Sleep(spent)
		}
	}
	c := s.submit(t.Context(), j)
	if c != nil && r.IntN(4) == 0 {
		time.AfterFunc(upTo(r, 20*time.Millisecond), func() { c.handle.Cancel() })
	}
	if r.IntN(4) == 0 {
		time.Sleep(upTo(r, time.Millisecond))
	}
}

// Real time and real parallelism, for the race detector: all of the above at once
// for about a second.
func TestSoakInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second of real time")
	}
	before := runtime.NumGoroutine()
	s := newSoak(t, Options{Concurrency: 4, Queue: 32, Shutdown: 30 * time.Second})
	s.hold = func(Stats) error { return nil } // the limits change between two looks
	var over atomic.Bool
	end := time.AfterFunc(time.Second, func() { over.Store(true) })
	defer end.Stop()
	crowd(9, func(p int, r *rand.Rand) {
		for !over.Load() {
			if p == 0 {
				if err := s.w.Reconfigure(anyOptions(r)); err != nil {
					t.Error(err)
				}
				time.Sleep(upTo(r, time.Millisecond))
				continue
			}
			s.gust(t, r)
			s.look()
			time.Sleep(upTo(r, 2*time.Millisecond))
		}
	})
	x := s.finish()
	if x.Done == 0 || x.Failed == 0 || x.TimedOut == 0 || x.Cancelled == 0 {
		t.Errorf("the soak misses a kind of end: %+v", x)
	}
	time.Sleep(30 * time.Millisecond) // timers of late cancellations
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines at the end, %d at the start", runtime.NumGoroutine(), before)
}
