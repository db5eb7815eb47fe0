package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// Concurrent load: 64 submitters, all classes, more work than places. Everybody
// heeds back-pressure, so all jobs are done, no place is idle while jobs wait, and
// the classes keep their order.
func TestSoakConcurrentLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoak(t, Options{Concurrency: 8, Queue: 64})
		began := time.Now()
		crowd(64, func(p int, r *rand.Rand) {
			for range 100 {
				j := Job{Name: "load", Priority: anyClass(r), Run: obedient(10 * time.Millisecond)}
				for s.submit(t.Context(), j) == nil {
					time.Sleep(upTo(r, 5*time.Millisecond))
				}
				s.look()
			}
		})
		for s.w.Stats().Queued+s.w.Stats().Running > 0 {
			time.Sleep(time.Millisecond)
		}
		// 6400 jobs of 10 ms on 8 places need 8 s.
		if took := time.Since(began); took > 8100*time.Millisecond {
			t.Errorf("6400 jobs took %v", took)
		}
		x := s.finish()
		if x.Done != 6400 || s.refused == 0 || s.most != 8 {
			t.Errorf("%d done, %d refused, at most %d at once", x.Done, s.refused, s.most)
		}
		urgent, normal, background := &x.Classes[0].Waited, &x.Classes[1].Waited, &x.Classes[2].Waited
		if u, n, b := urgent.Quantile(0.5), normal.Quantile(0.5), background.Quantile(0.5); u > n || n > b {
			t.Errorf("the classes waited %v, %v and %v in the median", u, n, b)
		}
	})
}

// Timeouts: limits around the time that the work takes, with work that obeys and
// work that is deaf. No outcome is later than its limit, and every deaf job is
// named until it returns.
func TestSoakTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoak(t, Options{Concurrency: 8, Reserved: 1, Queue: 16, Shutdown: time.Minute})
		crowd(32, func(p int, r *rand.Rand) {
			for i := range 100 {
				work := obedient(upTo(r, 20*time.Millisecond))
				if i%10 == 0 {
					work = deaf(upTo(r, 40*time.Millisecond))
				}
				s.submit(t.Context(), Job{Name: fmt.Sprintf("deaf=%v", i%10 == 0), Priority: anyClass(r), Timeout: upTo(r, 20*time.Millisecond), Run: work})
				s.look()
				time.Sleep(upTo(r, 30*time.Millisecond))
			}
		})
		time.Sleep(time.Second)
		x := s.finish()
		for _, c := range s.tickets {
			o := c.called[0]
			late := o.Queued+o.Ran > c.job.Timeout
			if late || o.State == TimedOut && o.Queued+o.Ran != c.job.Timeout {
				t.Errorf("limit %v: %+v", c.job.Timeout, o)
			}
			// What the deadline ended has heard of it then, unless it is deaf.
			if o.State == TimedOut && o.Started && c.job.Name == "deaf=false" && !c.heard.Equal(c.began.Add(c.job.Timeout)) {
				t.Errorf("limit %v: the work heard of it after %v", c.job.Timeout, c.heard.Sub(c.began))
			}
		}
		if x.Done < 100 || x.TimedOut < 100 || x.Failed+x.Cancelled != 0 || x.Ran.TimedOut.Count() == x.TimedOut {
			t.Errorf("the soak misses a kind of end: %d done, %d timed out, %d of them while they ran", x.Done, x.TimedOut, x.Ran.TimedOut.Count())
		}
	})
}

// Mid-flight cancellation: by handle and by the submitter's context, of jobs that
// wait and jobs that run. The end comes at that moment, and reaches the work.
func TestSoakMidFlightCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoak(t, Options{Concurrency: 8, Queue: 64, Shutdown: time.Minute})
		gone := errors.New("the client went away")
		crowd(32, func(p int, r *rand.Rand) {
			for i := range 100 {
				ctx, cancel := context.WithCancelCause(t.Context())
				c := s.submit(ctx, Job{Name: "flight", Priority: anyClass(r), Run: obedient(upTo(r, 100*time.Millisecond))})
				s.look()
				time.Sleep(upTo(r, 50*time.Millisecond))
				if c == nil {
					cancel(nil)
					continue
				}
				want := ErrCancelled
				if i%2 == 0 {
					want = gone
					cancel(gone)
				} else {
					c.handle.Cancel()
				}
				at := time.Since(c.began)
				o := outcome(t, c.handle)
				if o.Queued+o.Ran > at || o.State == Cancelled && (o.Queued+o.Ran != at || o.Err != want) || o.State != Cancelled && o.State != Done {
					t.Errorf("cancelled after %v: %+v", at, o)
				}
				cancel(nil)
			}
		})
		x := s.finish()
		for _, c := range s.tickets {
			o := c.called[0]
			if o.State == Cancelled && o.Started && !c.heard.Equal(c.began.Add(o.Queued+o.Ran)) {
				t.Errorf("%+v, and the work heard of it after %v", o, c.heard.Sub(c.began))
			}
		}
		if ran := x.Ran.Cancelled.Count(); x.Done < 100 || ran < 100 || x.Cancelled-ran < 100 || x.Leaked != 0 {
			t.Errorf("the soak misses a kind of end: %d done, %d cancelled, %d of them while they ran", x.Done, x.Cancelled, ran)
		}
	})
}

// Failure propagation: every error, panic and Goexit reaches the submitter of its
// own job and nobody else.
func TestSoakFailurePropagation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoak(t, Options{Concurrency: 8, Queue: 64})
		crowd(32, func(p int, r *rand.Rand) {
			for i := range 100 {
				name := fmt.Sprintf("%d/%d", p, i)
				own := errors.New(name)
				kind := r.IntN(5)
				work := obedient(upTo(r, 10*time.Millisecond))
				c := s.submit(t.Context(), Job{Name: name, Priority: anyClass(r),
					Run: func(ctx context.Context) error {
						err := work(ctx)
						switch kind {
						case 1:
							return fmt.Errorf("wrapped: %w", own)
						case 2:
							panic(name)
						case 3:
							runtime.Goexit()
						}
						return err
					},
					Done: func(Outcome) {
						if kind == 4 {
							panic("in a callback")
						}
					}})
				s.look()
				if c == nil {
					time.Sleep(upTo(r, 10*time.Millisecond))
					continue
				}
				o := outcome(t, c.handle)
				var p *PanicError
				isPanic := errors.As(o.Err, &p)
				switch {
				case kind == 1 && o.State == Failed && errors.Is(o.Err, own):
				case kind == 2 && o.State == Failed && isPanic && p.Name == name && p.Text == name:
				case kind == 3 && o.State == Failed && isPanic && p.Name == name:
				case kind%4 == 0 && o.State == Done:
				default:
					t.Errorf("job %s of kind %d ended as %+v", name, kind, o)
				}
			}
		})
		x := s.finish()
		if x.Failed < 1000 || x.Done < 500 || x.CallbackPanics < 100 || x.LatePanics != 0 {
			t.Errorf("the soak misses a kind of end: %d done, %d failed, %d callbacks panicked, %d late", x.Done, x.Failed, x.CallbackPanics, x.LatePanics)
		}
	})
}
