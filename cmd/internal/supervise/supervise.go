package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Component is one part of a process. Name, Start and Stop are required, and both
// budgets.
type Component struct {
	Name  string
	Start func(ctx context.Context) error // returns when the component does its work
	Stop  func(ctx context.Context) error // called once, if Start succeeded
	Ready func() error                    // why it is not, while it runs; nil: as long as it runs
	Done  func() <-chan struct{}          // closed when it has ended by itself; asked after Start; nil: it cannot
	Err   func() error                    // why it has ended by itself; nil: it does not know

	StartBudget time.Duration
	StopBudget  time.Duration
}

// Options configures a supervisor.
type Options struct {
	Grace time.Duration // for the work to return when it has to end
	Stop  time.Duration // for all components together to stop
	// Changed is told of every change of state, one at a time: "starting",
	// "running", "failed" to start, "ended" by itself, "stopping", "stopped",
	// "stuck". Nothing goes on before it returns. nil: nobody is told.
	Changed func(name, state string)
	// Stopping is called once, before anything is stopped, with the reason: nil
	// when the work is done. nil: nobody asks.
	Stopping func(cause error)
}

// Supervisor runs components once.
type Supervisor struct {
	opts  Options
	parts []Component
	tell  sync.Mutex // held while a state changes and its change is told; before mu

	mu     sync.Mutex
	states []string // by component; "" before its start
	used   bool
}

// New checks the components.
func New(o Options, parts ...Component) (*Supervisor, error) {
	if o.Grace <= 0 || o.Stop <= 0 {
		return nil, errors.New("supervise: no time to stop in")
	}
	for _, c := range parts {
		if c.Name == "" || c.Start == nil || c.Stop == nil || c.StartBudget <= 0 || c.StopBudget <= 0 {
			return nil, fmt.Errorf("supervise: component %q lacks a name, a start, a stop or a budget", c.Name)
		}
	}
	return &Supervisor{opts: o, parts: parts, states: make([]string, len(parts))}, nil
}

// Ready returns the first reason, in the order of the list, why not everything
// runs as it should; nil when it does.
func (s *Supervisor) Ready() error {
	for i, c := range s.parts {
		s.mu.Lock()
		state := s.states[i]
		s.mu.Unlock()
		switch {
		case state == "":
			return fmt.Errorf("%s has not been started yet", c.Name)
		case state != "running":
			return fmt.Errorf("%s is %s", c.Name, state)
		case c.Ready != nil:
			if err := c.Ready(); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	return nil
}

// Run starts everything, does the work and stops everything. The first error is
// that of the start or of the work: an *EndedError when a component ended by itself
// and the work has none of its own, or only that of the context that was ended for
// it. The second is what went wrong while stopping. A supervisor runs once.
func (s *Supervisor) Run(ctx context.Context, work func(context.Context) error) (failed, stopping error) {
	s.mu.Lock()
	used := s.used
	s.used = true
	s.mu.Unlock()
	if used {
		return errors.New("supervise: a supervisor runs once"), nil
	}
	for i := range s.parts {
		if err := s.start(ctx, i); err != nil {
			return err, s.stop(ctx, i-1, err)
		}
	}
	failed = s.attend(ctx, work)
	return failed, s.stop(ctx, len(s.parts)-1, failed)
}

// start starts one component within its budget.
func (s *Supervisor) start(ctx context.Context, i int) error {
	c := s.parts[i]
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.change(i, "starting")
	err := bounded(ctx, c.StartBudget, &StuckError{Name: c.Name, Doing: "start"}, c.Start)
	if stuck := (*StuckError)(nil); errors.As(err, &stuck) && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if err != nil {
		s.change(i, "failed")
		return err
	}
	s.change(i, "running")
	return nil
}

// attend does the work until it is done, or has to end.
func (s *Supervisor) attend(ctx context.Context, work func(context.Context) error) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watchers sync.WaitGroup
	for i := range s.parts {
		if s.parts[i].Done == nil {
			continue
		}
		done := s.parts[i].Done()
		watchers.Go(func() {
			select {
			case <-done:
				cancel(s.ended(i))
			case <-inner.Done():
			}
		})
	}
	result := make(chan error, 1)
	go func() { result <- work(inner) }()
	var err error
	select {
	case err = <-result:
	case <-inner.Done():
		t := time.NewTimer(s.opts.Grace)
		defer t.Stop()
		select {
		case err = <-result:
		case <-t.C:
			err = &StuckError{Name: "the work", Doing: "end", Within: s.opts.Grace}
		}
	}
	ended := s.firstEnded(context.Cause(inner))
	cancel(nil)
	watchers.Wait()
	return because(err, ended)
}

// because prefers the reason of an ended component to an error that only says that
// the context ended, and keeps both where they differ.
func because(err error, ended *EndedError) error {
	switch {
	case ended == nil:
		return err
	case err == nil, errors.Is(err, context.Canceled) && !errors.Is(ended, context.Canceled):
		return ended
	case ended.Err != nil && errors.Is(err, ended.Err):
		return err // the work met the same reason itself, and says what it was doing
	}
	return errors.Join(err, ended)
}

// firstEnded finds a component that ended by itself: the one that ended the work,
// or the last of those that nobody had time to notice.
func (s *Supervisor) firstEnded(cause error) *EndedError {
	if e := (*EndedError)(nil); errors.As(cause, &e) {
		return e
	}
	for i := len(s.parts) - 1; i >= 0; i-- {
		if s.parts[i].Done == nil {
			continue
		}
		select {
		case <-s.parts[i].Done():
			return s.ended(i)
		default:
		}
	}
	return nil
}

func (s *Supervisor) ended(i int) *EndedError {
	s.change(i, "ended")
	e := &EndedError{Name: s.parts[i].Name}
	if s.parts[i].Err != nil {
		e.Err = s.parts[i].Err()
	}
	return e
}

// stop stops the components from the given one down. Who waits for it has ended
// already, so it gets time of its own.
func (s *Supervisor) stop(ctx context.Context, from int, cause error) error {
	if s.opts.Stopping != nil {
		s.opts.Stopping(cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Stop)
	defer cancel()
	var errs []error
	for i := from; i >= 0; i-- {
		c := s.parts[i]
		s.change(i, "stopping")
		stuck := &StuckError{Name: c.Name, Doing: "stop"}
		err := bounded(ctx, c.StopBudget, stuck, c.Stop)
		if errors.Is(err, ErrRunning) {
			stuck.Err, stuck.Within, err = err, c.StopBudget, stuck
		}
		errs = append(errs, err)
		if err != error(stuck) {
			s.change(i, "stopped")
			continue
		}
		s.change(i, "stuck")
		for j := i - 1; j >= 0; j-- {
			stuck.Left = append(stuck.Left, s.parts[j].Name)
		}
		break
	}
	return errors.Join(errs...)
}

func (s *Supervisor) change(i int, state string) {
	s.tell.Lock()
	defer s.tell.Unlock()
	s.mu.Lock()
	same := s.states[i] == state
	s.states[i] = state
	s.mu.Unlock()
	if !same && s.opts.Changed != nil {
		s.opts.Changed(s.parts[i].Name, state)
	}
}

// lateness is how much longer than its budget a function may take to notice that
// its context has ended: a second is plenty for code that looks.
const lateness = time.Second

// bounded runs f with a context that ends after a budget. If f does not return even
// then it is left to itself, and the error is stuck.
func bounded(ctx context.Context, budget time.Duration, stuck *StuckError, f func(context.Context) error) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, budget)
	result := make(chan error, 1)
	go func() {
		defer cancel()
		result <- f(ctx)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	t := time.NewTimer(lateness)
	defer t.Stop()
	select {
	case err := <-result:
		return err
	case <-t.C:
		stuck.Within = time.Since(began).Round(time.Millisecond)
		return stuck
	}
}
