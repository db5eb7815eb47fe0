package client

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// TestStopWhenAway gives up and says so.
func TestStopWhenAway(t *testing.T) {
	s := newStub(t, answers(t)).start(true)
	c := s.client(func(o *Options) { o.Away, o.AwayFor = leyline.AwayStop, 0 })
	open(t, c)
	s.stop()
	_, err := c.Step(t.Context(), step(1), 7)
	var away *AwayError
	if !errors.Is(err, ErrAway) || !errors.As(err, &away) || away.Address != "unix:"+s.socket || away.Last == nil {
		t.Fatalf("%v", err)
	}
	if _, err := c.Directives(t.Context(), "run-1", 7); !errors.Is(err, ErrAway) {
		t.Errorf("over HTTP: %v", err)
	}
}

// TestWaitsForThePlane: a step that was made while the plane was away is answered by the
// next one at the same place.
func TestWaitsForThePlane(t *testing.T) {
	for _, framed := range []bool{true, false} {
		s := newStub(t, answers(t)).start(framed)
		var said []string
		lost := make(chan struct{}, 1)
		c := s.client(func(o *Options) {
			o.Notice = func(format string, _ ...any) {
				said = append(said, format)
				select {
				case lost <- struct{}{}:
				default:
				}
			}
		})
		open(t, c)
		s.stop()
		go func() {
			<-lost
			s.start(framed)
		}()
		if a, err := c.Step(t.Context(), step(4), 7); err != nil || a.Step != 4 {
			t.Fatalf("%+v %v", a, err)
		}
		if len(said) != 2 || !strings.Contains(said[0], "cannot be reached") || !strings.Contains(said[1], "there again") {
			t.Errorf("it says %q", said)
		}
	}
}

// TestWaitEnds: with the time that was given for it, and with the context.
func TestWaitEnds(t *testing.T) {
	s := newStub(t, answers(t))
	c := s.client(func(o *Options) { o.AwayFor = time.Millisecond })
	if _, err := c.Open(t.Context(), leyline.RunOpened{Run: "run-1"}); !errors.Is(err, ErrAway) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("mine")
	c = s.client(func(o *Options) { o.Notice = func(string, ...any) { cancel(mine) } })
	if _, err := c.Open(ctx, leyline.RunOpened{Run: "run-1"}); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
}

// TestCancelled: a context that ends while the plane thinks ends the call, and the next
// one is answered all the same.
func TestCancelled(t *testing.T) {
	for _, framed := range []bool{true, false} {
		good, leave := answers(t), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		s := newStub(t, func(n int, x seen) (int, any) {
			if n == 2 {
				cancel()
				<-leave
				return 0, nil
			}
			return good(n, x)
		}).start(framed)
		c := s.client(nil)
		open(t, c)
		if _, err := c.Step(ctx, step(1), 7); !errors.Is(err, context.Canceled) {
			t.Errorf("framed %v: %v", framed, err)
		}
		close(leave)
		if a, err := c.Step(t.Context(), step(2), 7); err != nil || a.Step != 2 {
			t.Errorf("framed %v: %+v %v", framed, a, err)
		}
	}
}

// TestPipelined: steps go out before answers come in. A connection that is lost between
// them loses none and doubles none of the answers.
func TestPipelined(t *testing.T) {
	good := answers(t)
	var broken atomic.Bool
	s := newStub(t, func(n int, x seen) (int, any) {
		if !isOpen(x) && stepOf(t, x.body) == 2 && !broken.Swap(true) {
			return 0, nil
		}
		return good(n, x)
	}).start(true)
	c := s.client(nil)
	open(t, c)
	for n := leyline.Step(1); n <= 4; n++ {
		if err := c.Submit(t.Context(), step(n), 7); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Probe(t.Context(), leyline.SeedProbed{Run: "run-1"}, 7); !errors.Is(err, ErrOutstanding) {
		t.Errorf("a probe between them: %v", err)
	}
	for n := leyline.Step(1); n <= 4; n++ {
		a, err := c.Wait(t.Context())
		if err != nil || a.Step != n || c.Outstanding() != int(4-n) {
			t.Fatalf("%+v %v, %d outstanding; want step %d", a, err, c.Outstanding(), n)
		}
	}
	if _, err := c.Wait(t.Context()); err == nil {
		t.Error("an answer to nothing")
	}
	var after []leyline.Step // once the connection had been lost
	for _, x := range s.requests()[1:] {
		after = append(after, stepOf(t, x.body))
	}
	if got := after[len(after)-3:]; !cmp.Equal(got, []leyline.Step{2, 3, 4}) {
		t.Errorf("steps %v", after)
	}
}

// TestSubmitNeedsTheLane: over HTTP no step overtakes an answer.
func TestSubmitNeedsTheLane(t *testing.T) {
	s := newStub(t, answers(t)).start(true)
	c := s.client(func(o *Options) { o.NoLane = true })
	open(t, c)
	if err := c.Submit(t.Context(), step(1), 7); err == nil {
		t.Error("it submits over HTTP")
	}
}

// TestWaitIsCut: a context that ends before an answer came takes nothing away. The next
// Wait gets that answer, and not the one behind it.
func TestWaitIsCut(t *testing.T) {
	good, leave := answers(t), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	s := newStub(t, func(n int, x seen) (int, any) {
		if n == 2 {
			cancel()
			<-leave
			return 0, nil
		}
		return good(n, x)
	}).start(true)
	var said []string
	c := s.client(func(o *Options) { o.Notice = func(format string, _ ...any) { said = append(said, format) } })
	open(t, c)
	for n := leyline.Step(1); n <= 2; n++ {
		if err := c.Submit(t.Context(), step(n), 7); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := c.Wait(ctx); !errors.Is(err, context.Canceled) || c.Outstanding() != 2 {
		t.Errorf("%+v %v, %d outstanding", a, err, c.Outstanding())
	}
	close(leave)
	for n := leyline.Step(1); n <= 2; n++ {
		if a, err := c.Wait(t.Context()); err != nil || a.Step != n {
			t.Errorf("%+v %v; want step %d", a, err, n)
		}
	}
	if len(said) != 0 {
		t.Errorf("it says %q of a plane that was there", said)
	}
}

// TestStopWhenSilent: a plane that takes the request and says nothing is away after one
// attempt, not after seven.
func TestStopWhenSilent(t *testing.T) {
	for _, framed := range []bool{true, false} {
		good, leave := answers(t), make(chan struct{})
		s := newStub(t, func(n int, x seen) (int, any) {
			if isOpen(x) {
				return good(n, x)
			}
			<-leave
			return 0, nil
		}).start(framed)
		c := s.client(func(o *Options) { o.Away, o.AwayFor, o.Attempt = leyline.AwayStop, 0, 50*time.Millisecond })
		open(t, c)
		_, err := c.Step(t.Context(), step(1), 7)
		var away *AwayError
		if !errors.As(err, &away) || away.Tried < 50*time.Millisecond {
			t.Errorf("framed %v: %v", framed, err)
		}
		if n := len(s.requests()); n != 2 {
			t.Errorf("framed %v: %d requests; want the open and one step", framed, n)
		}
		close(leave)
	}
}

// TestAwayIsThePlans: the plane records what a trainer does without it, so the client
// opens no run that says something else than it will do.
func TestAwayIsThePlans(t *testing.T) {
	s := newStub(t, answers(t)).start(true)
	c := s.client(func(o *Options) { o.AwayFor = 90 * time.Second })
	for field, in := range map[string]leyline.RunOpened{
		"away":         {Run: "run-1", Away: leyline.AwayStop},
		"away_seconds": {Run: "run-1", Away: leyline.AwayWait},
		"":             {Run: "run-1", Away: leyline.AwayWait, AwaySeconds: 90},
	} {
		_, err := c.Open(t.Context(), in)
		if r, _ := leyline.AsRefusal(err); field == "" && err != nil || field != "" && (r == nil || r.Field != field) {
			t.Errorf("%q: %v", field, err)
		}
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests; want one", n)
	}
}
