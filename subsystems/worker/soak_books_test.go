package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// soak drives a worker with thousands of jobs and keeps books of its own: what
// each submission came to, and how many functions run at once. Its methods may be
// called by many goroutines.
type soak struct {
	t    *testing.T
	w    *Worker
	hold func(Stats) error // what has to hold at any moment, beside balance

	mu        sync.Mutex
	refused   uint64
	tickets   []*ticket
	executing int // functions that run now, heard or not
	most      int
}

// ticket is one accepted job.
type ticket struct {
	job    Job
	handle *Handle
	began  time.Time
	called []Outcome // what Done was called with
	ran    int       // calls of Run
	heard  time.Time // when Run saw its context end; zero if it did not
}

// newSoak makes a worker, in whatever time the test has.
func newSoak(t *testing.T, o Options) *soak {
	t.Helper()
	return &soak{t: t, w: start(t, o), hold: within}
}

// look checks a picture of the worker.
func (s *soak) look() {
	x := s.w.Stats()
	if err := errors.Join(balanced(x), s.hold(x)); err != nil {
		s.t.Error(err)
	}
}

// submit hands in a job, notes what becomes of it, and returns nil if it is
// refused.
func (s *soak) submit(ctx context.Context, j Job) *ticket {
	c := &ticket{job: j, began: time.Now()}
	run, done := j.Run, j.Done
	j.Run = func(ctx context.Context) error {
		s.enter(c)
		defer s.leave(c, ctx)
		return run(ctx)
	}
	j.Done = func(o Outcome) {
		s.mu.Lock()
		c.called = append(c.called, o)
		s.mu.Unlock()
		if done != nil {
			done(o)
		}
	}
	h, err := s.w.Submit(ctx, j)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if !errors.Is(err, ErrFull) {
			s.t.Errorf("refused: %v", err)
		}
		s.refused++
		return nil
	}
	c.handle = h
	s.tickets = append(s.tickets, c)
	return c
}

func (s *soak) enter(c *ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ran++
	s.executing++
	s.most = max(s.most, s.executing)
}

func (s *soak) leave(c *ticket, ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.executing--
	if ctx.Err() != nil {
		c.heard = time.Now()
	}
}

// finish closes the worker and compares its books with those of the soak. It
// returns the last picture.
func (s *soak) finish() Stats {
	s.t.Helper()
	closeWorker(s.t, s.w)
	wantNoGoroutines(s.t)
	got := s.w.Stats()
	if err := balanced(got); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ends := map[State]uint64{}
	for _, c := range s.tickets {
		o := outcome(s.t, c.handle)
		ends[o.State]++
		if len(c.called) != 1 || c.called[0] != o || c.ran > 1 || (c.ran == 1) != o.Started {
			s.t.Errorf("job %q ended as %+v; it ran %d times and was called back with %+v", c.job.Name, o, c.ran, c.called)
		}
	}
	type books struct{ submitted, refused, done, failed, timedOut, cancelled uint64 }
	want := books{uint64(len(s.tickets)), s.refused, ends[Done], ends[Failed], ends[TimedOut], ends[Cancelled]}
	if have := (books{got.Submitted, got.Rejected, got.Done, got.Failed, got.TimedOut, got.Cancelled}); have != want {
		s.t.Errorf("the worker counts %+v, the submitters saw %+v", have, want)
	}
	if left := got.Queued + got.Running + got.Leaked + got.Callbacks + s.executing; left != 0 {
		s.t.Errorf("%d jobs are left: %+v", left, got)
	}
	s.t.Logf("%+v, at most %d functions at once", want, s.most)
	return got
}

// crowd runs n goroutines and waits for them; each has a generator of its own, so
// that what it does is the same in every run.
func crowd(n int, f func(producer int, r *rand.Rand)) {
	var all sync.WaitGroup
	for p := range n {
		all.Go(func() { f(p, rand.New(rand.NewPCG(uint64(p), 7))) })
	}
	all.Wait()
}

// upTo draws a duration in (0, most].
func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return 1 + time.Duration(r.Int64N(int64(most)))
}

func anyClass(r *rand.Rand) Priority { return allClasses[r.IntN(classes)] }
