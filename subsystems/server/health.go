package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Check is one thing that must hold.
type Check struct {
	Name string // stable, such as "disk"
	// Look returns why it does not hold; nil when it does. It must return when
	// its context ends.
	Look func(ctx context.Context) error
}

// The states of a check.
const (
	StateOK     = "ok"
	StateFailed = "failed"
)

// Result is what a check found.
type Result struct {
	Name   string `json:"name"`
	State  string `json:"state"` // StateOK or StateFailed
	Reason string `json:"reason,omitempty"`
}

// Health is the answer of a probe whose checks all hold.
type Health struct {
	Status string   `json:"status"` // "alive" or "ready"
	Checks []Result `json:"checks"`
}

// prober runs the checks of a probe.
type prober struct {
	good    string // the status when all hold
	bad     string // the kind of problem when one does not
	timeout time.Duration
	checks  []*looker
}

// looker runs one check, once at a time: whoever asks meanwhile gets the answer of
// the look that is under way.
type looker struct {
	Check
	mu  sync.Mutex
	now *look // under way; nil: none
}

// look is one run of a check.
type look struct {
	done chan struct{}
	err  error // valid when done is closed
}

func newProber(good, bad string, timeout time.Duration, checks []*looker) *prober {
	return &prober{good: good, bad: bad, timeout: timeout, checks: checks}
}

func lookers(checks []Check) []*looker {
	out := make([]*looker, len(checks))
	for i, c := range checks {
		out[i] = &looker{Check: c}
	}
	return out
}

// ServeHTTP answers 200 with all checks, or 503 with all checks and the reasons of
// those that failed.
func (p *prober) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	results := p.run(r.Context())
	var failed []string
	for _, x := range results {
		if x.State != StateOK {
			failed = append(failed, x.Name+": "+x.Reason)
		}
	}
	if len(failed) == 0 {
		writeJSON(w, "application/json", http.StatusOK, Health{Status: p.good, Checks: results})
		return
	}
	doc := NewProblem(http.StatusServiceUnavailable, p.bad, strings.Join(failed, "; "), "")
	doc.Checks = results
	doc.Write(w)
}

// run runs all checks side by side.
func (p *prober) run(ctx context.Context) []Result {
	results := make([]Result, len(p.checks))
	var wg sync.WaitGroup
	for i, c := range p.checks {
		wg.Go(func() { results[i] = c.result(ctx, p.timeout) })
	}
	wg.Wait()
	return results
}

// result waits for a look, at most for a time.
func (l *looker) result(ctx context.Context, timeout time.Duration) Result {
	t := time.NewTimer(timeout)
	defer t.Stop()
	now := l.join(timeout)
	err := error(nil)
	select {
	case <-now.done:
		err = now.err
	case <-t.C:
		err = fmt.Errorf("no answer within %v", timeout)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return Result{Name: l.Name, State: StateFailed, Reason: err.Error()}
	}
	return Result{Name: l.Name, State: StateOK}
}

// join returns the look under way, or begins one. The look belongs to nobody's
// request: it goes on when the one that began it is gone.
func (l *looker) join(timeout time.Duration) *look {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now != nil {
		return l.now
	}
	n := &look{done: make(chan struct{})}
	l.now = n
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		err := l.safely(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		n.err, l.now = err, nil
		close(n.done)
	}()
	return n
}

// safely looks; a check that panics has failed.
func (l *looker) safely(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
	}()
	return l.Look(ctx)
}
