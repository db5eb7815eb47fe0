package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Worker runs jobs. All methods are safe for concurrent use.
type Worker struct {
	mu     sync.Mutex
	o      Options // in force; Reconfigure changes them
	queue  queue
	use    [classes]usage // by lane
	leaked map[*job]struct{}
	open   map[*job]struct{} // queued and running jobs, for Close
	stats  Stats             // counters only; see Worker.Stats for the rest
	closed bool
	idle   chan struct{} // closed when closed is set and nothing is left
}

// New returns a worker that holds no goroutine while it has no job. The error
// names options that are negative or contradict each other.
func New(o Options) (*Worker, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Worker{
		o:      o,
		leaked: map[*job]struct{}{},
		open:   map[*job]struct{}{},
		idle:   make(chan struct{}),
	}, nil
}

// Submit accepts a job, or returns why not: a *FullError, ErrClosed, an error that
// wraps ErrInvalid or the cause of ctx if that is done. It never waits. The
// job ends when ctx does: as TimedOut if ctx's deadline passed, otherwise as
// Cancelled. ctx may carry values for Run.
func (w *Worker) Submit(ctx context.Context, j Job) (*Handle, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.admit(ctx, j); err != nil {
		w.stats.Rejected++
		return nil, err
	}
	a := &job{Job: j, resolved: make(chan struct{}), submitted: time.Now()}
	if j.Timeout > 0 {
		a.ctx, a.cancel = context.WithTimeoutCause(ctx, j.Timeout, &TimeoutError{j.Name, j.Timeout})
	} else {
		a.ctx, a.cancel = context.WithCancel(ctx)
	}
	// The hook runs in a goroutine of its own, which waits for w.mu.
	a.unhook = context.AfterFunc(a.ctx, func() { w.abort(a, 0, nil) })
	w.stats.Submitted++
	w.open[a] = struct{}{}
	w.queue.push(a)
	w.dispatch()
	c := &w.stats.Classes[j.Priority.lane()]
	c.Submitted++
	c.QueuedMax = max(c.QueuedMax, w.queue.lanes[j.Priority.lane()].jobs.Len())
	return &Handle{w, a}, nil
}

// admit says whether a job can be accepted now. It needs w.mu.
func (w *Worker) admit(ctx context.Context, j Job) error {
	switch {
	case w.closed:
		return ErrClosed
	case j.Run == nil:
		return fmt.Errorf("job %q: %w: nothing to run", j.Name, ErrInvalid)
	case !j.Priority.valid():
		return fmt.Errorf("job %q: %w: no priority %d", j.Name, ErrInvalid, j.Priority)
	case j.Timeout < 0:
		return fmt.Errorf("job %q: %w: negative timeout %v", j.Name, ErrInvalid, j.Timeout)
	case ctx.Err() != nil:
		return fmt.Errorf("job %q: %w", j.Name, context.Cause(ctx))
	case w.full(j.Priority):
		w.stats.Classes[j.Priority.lane()].Full++
		return &FullError{j.Name, j.Priority, w.o.Queue}
	}
	return nil
}

// run executes a started job and settles it unless that has happened.
func (w *Worker) run(j *job) {
	var err error
	returned := false
	// Not even runtime.Goexit in a job skips the deferred call.
	defer func() {
		if !returned {
			err = &PanicError{Name: j.Name, Text: "goroutine left by runtime.Goexit"}
		}
		w.ran(j, err)
	}()
	err = call(j)
	returned = true
}

// call invokes Run and turns a panic into an error.
func call(j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Name: j.Name, Text: fmt.Sprint(p), Stack: string(debug.Stack())}
		}
	}()
	return j.Run(j.ctx)
}

// ran takes the result of a job whose function has returned.
func (w *Worker) ran(j *job, result error) {
	w.mu.Lock()
	j.returned = true
	w.vacate(j)
	if _, ok := w.leaked[j]; ok {
		delete(w.leaked, j)
		w.use[j.Priority.lane()].leaked--
	}
	state, err := Done, result
	switch {
	case j.ctx.Err() != nil:
		state, err = 0, nil // too late: the context decides
	case result != nil:
		state = Failed
	}
	settled := w.settle(j, state, err)
	if late := !settled || state != Failed; late && panicked(result) {
		w.stats.LatePanics++
	}
	w.dispatch()
	w.checkIdle()
	w.mu.Unlock()
	if settled {
		w.finish(j, fromRun)
	}
}

// panicked reports whether an error comes of a panic.
func panicked(err error) bool {
	var p *PanicError
	return errors.As(err, &p)
}

// abort ends a job from outside and reports whether it was still open.
func (w *Worker) abort(j *job, state State, err error) bool {
	w.mu.Lock()
	from := fromRun
	if j.place != nil {
		from = fromQueue
	}
	settled := w.settle(j, state, err)
	w.dispatch()
	w.mu.Unlock()
	if settled {
		go w.finish(j, from)
	}
	return settled
}

// settle fixes the outcome of an open job and moves it out of queued or running;
// it returns false if the outcome is fixed already. With state 0 the job's
// context, which must be done, says what happened. The caller must see to it
// that finish is called. It needs w.mu.
func (w *Worker) settle(j *job, state State, err error) bool {
	if _, ok := w.open[j]; !ok {
		return false
	}
	if state == 0 {
		state, err = Cancelled, context.Cause(j.ctx)
		if errors.Is(j.ctx.Err(), context.DeadlineExceeded) {
			state = TimedOut
		}
	}
	delete(w.open, j)
	o := Outcome{Name: j.Name, State: state, Err: err, Started: j.place == nil}
	now, use := time.Now(), &w.use[j.Priority.lane()]
	if o.Started {
		o.Queued, o.Ran = j.started.Sub(j.submitted), now.Sub(j.started)
		use.running--
		use.calling[fromRun]++
		if !j.returned {
			w.leaked[j] = struct{}{}
			use.leaked++
		}
	} else {
		w.queue.drop(j)
		o.Queued = now.Sub(j.submitted)
		use.calling[fromQueue]++
	}
	w.stats.count(j.Priority, o)
	j.outcome = o
	close(j.resolved)
	return true
}

// finish releases the context of a settled job and calls its Done function.
func (w *Worker) finish(j *job, from int) {
	j.unhook()
	j.cancel()
	broke := true
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.use[j.Priority.lane()].calling[from]--
		j.notified = true
		w.vacate(j)
		if broke {
			w.stats.CallbackPanics++
		}
		w.dispatch()
		w.checkIdle()
	}()
	broke = notify(j)
}

// notify calls Done, if there is one, and reports whether it panicked.
func notify(j *job) (panicked bool) {
	if j.Done == nil {
		return false
	}
	defer func() { panicked = recover() != nil }()
	j.Done(j.outcome)
	return false
}

// checkIdle closes w.idle when a closed worker has nothing left. It needs w.mu.
func (w *Worker) checkIdle() {
	if !w.closed || len(w.open)+len(w.leaked)+w.totals().callbacks() > 0 {
		return
	}
	select {
	case <-w.idle:
	default:
		close(w.idle)
	}
}
