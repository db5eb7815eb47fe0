package worker

import (
	"container/list"
	"context"
	"time"
)

// State says how a job ended.
//
// enum: local because this package imports nothing of ours and the state is never
// stored: the loop turns it into an input of leyline.
type State uint8

// The states. The zero State is that of a job whose outcome is open.
const (
	Done      State = iota + 1 // Run returned nil in time
	Failed                     // Run returned an error in time, or panicked
	TimedOut                   // the job's deadline, or that of its context, passed first
	Cancelled                  // Cancel, the context of Submit or Close came first
)

// String returns the state in lower case, or "open".
func (s State) String() string {
	names := [...]string{"open", "done", "failed", "timed out", "cancelled"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// Job is a piece of work.
type Job struct {
	// Name appears in outcomes, errors and the list of leaked jobs. Names need
	// not be unique.
	Name string
	// Priority is the class of the job: Normal unless set.
	Priority Priority
	// Timeout limits waiting and running together; 0 means no limit.
	Timeout time.Duration
	// Run does the work. It should return soon after ctx is done; what it
	// returns after that is discarded.
	Run func(ctx context.Context) error
	// Done, if not nil, is called exactly once with the outcome, from a
	// goroutine of the worker, after the handle is resolved. It may submit
	// further jobs. Close waits for it, so it must not call Close. A panic in it
	// is counted and otherwise ignored.
	Done func(Outcome)
}

// Outcome is the end of a job.
type Outcome struct {
	Name  string
	State State
	// Err is nil exactly if State is Done. For Failed it is the job's own error
	// or a *PanicError, for TimedOut a *TimeoutError or the cause of the
	// submitter's context, for Cancelled ErrCancelled, ErrClosed or that cause.
	Err error
	// Started says whether Run was called.
	Started bool
	// Queued is how long the job waited, Ran how long it ran until its outcome
	// was known; Ran is 0 for a job that never started.
	Queued, Ran time.Duration
}

// job is an accepted Job.
type job struct {
	Job
	ctx    context.Context
	cancel context.CancelFunc
	unhook func() bool // stops watching ctx; set before Submit returns

	resolved chan struct{} // closed once outcome is final and may be read
	outcome  Outcome       // Invariant: written once, before resolved is closed

	// Guarded by Worker.mu.
	place     *list.Element // in its lane of the queue; nil when not queued
	submitted time.Time
	started   time.Time // zero while the job has not started
	returned  bool      // Run has returned
	notified  bool      // Done has returned
}

// Handle follows one submitted job.
type Handle struct {
	w *Worker
	j *job
}

// Cancel ends the job as Cancelled, with ErrCancelled, and reports whether it
// did: false means that the job had already ended. Work that runs sees its
// context done.
func (h *Handle) Cancel() bool {
	return h.w.abort(h.j, Cancelled, ErrCancelled)
}

// Wait returns the outcome as soon as it is known. If ctx is done first it
// returns ctx's cause; the job goes on. It may be called any number of times,
// from any goroutine, and a known outcome wins over a ctx that is done.
func (h *Handle) Wait(ctx context.Context) (Outcome, error) {
	select {
	case <-h.j.resolved:
		return h.j.outcome, nil
	default:
	}
	select {
	case <-h.j.resolved:
		return h.j.outcome, nil
	case <-ctx.Done():
		return Outcome{}, context.Cause(ctx)
	}
}
