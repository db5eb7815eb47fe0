package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// diary is what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) wants(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff(want, d.lines); diff != "" {
		t.Error(diff)
	}
	d.lines = nil
}

// part is a component that does what it is told and writes it down.
type part struct {
	Component
	done chan struct{}
	why  error
}

func (d *diary) part(name string) *part {
	p := &part{done: make(chan struct{})}
	p.Component = Component{
		Name: name, StartBudget: time.Minute, StopBudget: time.Minute,
		Start: func(context.Context) error { d.note("+%s", name); return nil },
		Stop:  func(context.Context) error { d.note("-%s", name); return nil },
		Done:  func() <-chan struct{} { return p.done },
		Err:   func() error { return p.why },
	}
	return p
}

func assemble(t *testing.T, d *diary, parts ...*part) *Supervisor {
	t.Helper()
	var cs []Component
	for _, p := range parts {
		cs = append(cs, p.Component)
	}
	s, err := New(Options{Grace: time.Minute, Stop: 90 * time.Second, Stopping: func(err error) { d.note("stopping: %v", err) }}, cs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOrder(t *testing.T) {
	d := &diary{}
	s := assemble(t, d, d.part("a"), d.part("b"), d.part("c"))
	if err := s.Ready(); err == nil || err.Error() != "a has not been started yet" {
		t.Errorf("before: %v", err)
	}
	failed, stopping := s.Run(t.Context(), func(context.Context) error {
		d.note("work")
		return s.Ready()
	})
	if failed != nil || stopping != nil {
		t.Error(failed, stopping)
	}
	d.wants(t, "+a", "+b", "+c", "work", "stopping: <nil>", "-c", "-b", "-a")
	if err := s.Ready(); err == nil || err.Error() != "a is stopped" {
		t.Errorf("after: %v", err)
	}
	if failed, _ := s.Run(t.Context(), nil); failed == nil {
		t.Error("it runs twice")
	}
	d.wants(t)
}

// TestFailedStart stops what was started, and nothing else; the error is the
// start's own.
func TestFailedStart(t *testing.T) {
	d := &diary{}
	no := errors.New("no")
	b, c := d.part("b"), d.part("c")
	c.Component.Start = func(context.Context) error { return no }
	s := assemble(t, d, d.part("a"), b, c, d.part("d"))
	failed, stopping := s.Run(t.Context(), func(context.Context) error { t.Error("it works"); return nil })
	if failed != no || stopping != nil {
		t.Error(failed, stopping)
	}
	d.wants(t, "+a", "+b", "stopping: no", "-b", "-a")
}

// TestCancelledBetweenStarts stops what was started.
func TestCancelledBetweenStarts(t *testing.T) {
	d := &diary{}
	ctx, cancel := context.WithCancel(t.Context())
	b := d.part("b")
	b.Component.Start = func(context.Context) error { cancel(); d.note("+b"); return nil }
	s := assemble(t, d, d.part("a"), b, d.part("c"))
	if failed, _ := s.Run(ctx, nil); !errors.Is(failed, context.Canceled) {
		t.Error(failed)
	}
	d.wants(t, "+a", "+b", "stopping: context canceled", "-b", "-a")
}

// TestEnded: a component that ends by itself ends the work and everything in order,
// and its reason is the error.
func TestEnded(t *testing.T) {
	io := errors.New("EIO")
	for _, c := range []struct {
		name string
		work error
		want string
		is   error
	}{
		{"the work only says that it was stopped", context.Canceled, "b ended by itself: EIO", io},
		{"the work had the same reason and says more", fmt.Errorf("step 7: %w", io), "step 7: EIO", io},
		{"the work had another", errors.New("odd"), "odd\nb ended by itself: EIO", io},
		{"the work was done", nil, "b ended by itself: EIO", io},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &diary{}
				b := d.part("b")
				s := assemble(t, d, d.part("a"), b, d.part("c"))
				failed, stopping := s.Run(t.Context(), func(ctx context.Context) error {
					b.why = io
					close(b.done)
					<-ctx.Done()
					if e := (*EndedError)(nil); !errors.As(context.Cause(ctx), &e) {
						t.Error("the work is not told why")
					}
					if err := s.Ready(); err == nil || err.Error() != "b is ended" {
						t.Errorf("ready: %v", err)
					}
					return c.work
				})
				if failed == nil || failed.Error() != c.want || !errors.Is(failed, c.is) || stopping != nil {
					t.Errorf("%v, %v; want %s", failed, stopping, c.want)
				}
				d.wants(t, "+a", "+b", "+c", "stopping: "+c.want, "-c", "-b", "-a")
			})
		})
	}
}

// TestWorkThatDoesNotEnd is left after its grace.
func TestWorkThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s := assemble(t, d, d.part("a"))
		leave := make(chan struct{})
		began := time.Now()
		failed, stopping := s.Run(ctx, func(context.Context) error { <-leave; return nil })
		if e := (*StuckError)(nil); !errors.As(failed, &e) || e.Name != "the work" || stopping != nil {
			t.Error(failed, stopping)
		}
		if took := time.Since(began); took != time.Hour+time.Minute {
			t.Errorf("it took %v", took)
		}
		d.wants(t, "+a", "stopping: the work did not end within 1m0s", "-a")
		close(leave)
	})
}

// TestStuckStop is named, and so is what was left running below it. What had been
// started later was stopped before.
func TestStuckStop(t *testing.T) {
	for name, c := range map[string]struct {
		stop func(ctx context.Context, leave <-chan struct{}) error
		want string
	}{
		"does not return": {func(_ context.Context, leave <-chan struct{}) error { <-leave; return nil }, "c did not stop within 1m1s; left running because it may use them: b, a"},
		"gives up": {func(ctx context.Context, _ <-chan struct{}) error {
			<-ctx.Done()
			return fmt.Errorf("%w: a job", ErrRunning)
		},
			"c did not stop within 1m0s: still running: a job; left running because it may use them: b, a"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &diary{}
				stuck := d.part("c")
				leave := make(chan struct{})
				defer close(leave)
				stuck.Component.Stop = func(ctx context.Context) error { return c.stop(ctx, leave) }
				s := assemble(t, d, d.part("a"), d.part("b"), stuck, d.part("d"))
				failed, stopping := s.Run(t.Context(), func(context.Context) error { return nil })
				if e := (*StuckError)(nil); failed != nil || !errors.As(stopping, &e) || e.Error() != c.want {
					t.Errorf("%v, %v; want %s", failed, stopping, c.want)
				}
				d.wants(t, "+a", "+b", "+c", "+d", "stopping: <nil>", "-d")
				if err := s.Ready(); err == nil || err.Error() != "c is stuck" {
					t.Error(err)
				}
			})
		})
	}
}

// TestStopsShareABound: many slow stops end when their common time is over.
func TestStopsShareABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		slow := func(name string) *part {
			p := d.part(name)
			p.Component.Stop = func(ctx context.Context) error { <-ctx.Done(); d.note("-%s", name); return ctx.Err() }
			return p
		}
		s := assemble(t, d, slow("a"), slow("b"), slow("c"))
		began := time.Now()
		_, stopping := s.Run(t.Context(), func(context.Context) error { return nil })
		if took := time.Since(began); took != 90*time.Second || !errors.Is(stopping, context.DeadlineExceeded) {
			t.Errorf("it took %v: %v", took, stopping)
		}
		d.wants(t, "+a", "+b", "+c", "stopping: <nil>", "-c", "-b", "-a")
	})
}

// TestStuckStart: the time of a start is bounded; one that is given up for a signal
// says so.
func TestStuckStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		leave := make(chan struct{})
		b := d.part("b")
		b.Component.Start = func(context.Context) error { <-leave; return nil }
		s := assemble(t, d, d.part("a"), b)
		failed, _ := s.Run(t.Context(), nil)
		if e := (*StuckError)(nil); !errors.As(failed, &e) || failed.Error() != "b did not start within 1m1s" {
			t.Error(failed)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s = assemble(t, d, d.part("a"), b)
		failed, _ = s.Run(ctx, nil)
		if e := (*StuckError)(nil); !errors.As(failed, &e) || !errors.Is(failed, context.DeadlineExceeded) {
			t.Error(failed)
		}
		close(leave)
	})
}

// TestReadyAsks the components.
func TestReadyAsks(t *testing.T) {
	d := &diary{}
	a := d.part("a")
	a.Component.Ready = func() error { return errors.New("warming up") }
	s := assemble(t, d, a)
	s.Run(t.Context(), func(context.Context) error {
		if err := s.Ready(); err == nil || err.Error() != "a: warming up" {
			t.Errorf("%v", err)
		}
		return nil
	})
}

// TestChangesAreToldBeforeAnythingGoesOn, and whoever is told may ask.
func TestChangesAreToldBeforeAnythingGoesOn(t *testing.T) {
	d := &diary{}
	a, b := d.part("a"), d.part("b")
	var s *Supervisor
	s, err := New(Options{Grace: time.Minute, Stop: time.Minute, Changed: func(name, state string) { d.note("%s %s (%v)", name, state, s.Ready()) }}, a.Component, b.Component)
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t.Context(), func(ctx context.Context) error { close(b.done); return nil })
	d.wants(t,
		"a starting (a is starting)", "+a", "a running (b has not been started yet)",
		"b starting (b is starting)", "+b", "b running (<nil>)",
		"b ended (b is ended)", "b stopping (b is stopping)", "-b", "b stopped (b is stopped)",
		"a stopping (a is stopping)", "-a", "a stopped (a is stopped)")
}

func TestBadComponents(t *testing.T) {
	d := &diary{}
	good := Options{Grace: time.Second, Stop: time.Second}
	for _, change := range []func(*Component){
		func(c *Component) { c.Name = "" }, func(c *Component) { c.Start = nil }, func(c *Component) { c.Stop = nil },
		func(c *Component) { c.StartBudget = 0 }, func(c *Component) { c.StopBudget = -1 },
	} {
		c := d.part("a").Component
		change(&c)
		if _, err := New(good, c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no time to stop in is taken")
	}
}
