package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Defaults of Options.
//
// constant: local because a worker imports nothing of esper; the plane passes
// the figures of its configuration.
const (
	DefaultConcurrency = 8
	DefaultQueue       = 256
	DefaultShutdown    = 5 * time.Second
)

// Options configures a Worker. A zero field takes its default.
type Options struct {
	// Concurrency is the number of jobs that run at the same time, at least 1.
	// Default 8. The package comment says how leaked jobs count.
	Concurrency int
	// Reserved is how many of these places only urgent jobs may take, less than
	// Concurrency. Default 0.
	Reserved int
	// Queue is the number of jobs of each class that may wait for their turn, at
	// least 1. Default 256. A job that finds a free place runs without queueing.
	Queue int
	// Shutdown is how long Close waits for running functions to return after it
	// has cancelled them. Default 5 s.
	Shutdown time.Duration
}

// withDefaults fills zero fields and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	if o.Concurrency < 0 || o.Reserved < 0 || o.Queue < 0 || o.Shutdown < 0 {
		return o, fmt.Errorf("worker options: concurrency %d, reserved %d, queue %d and shutdown %v must not be negative",
			o.Concurrency, o.Reserved, o.Queue, o.Shutdown)
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}
	if o.Shutdown == 0 {
		o.Shutdown = DefaultShutdown
	}
	if o.Reserved >= o.Concurrency {
		return o, fmt.Errorf("worker options: %d of %d places are reserved, which leaves none for other than urgent jobs",
			o.Reserved, o.Concurrency)
	}
	return o, nil
}

var (
	// ErrFull is wrapped by Submit's error when as many jobs of the class wait as
	// may; see FullError.
	ErrFull = errors.New("worker queue is full")
	// ErrClosed is returned by Submit once Close was called, and is the error
	// of jobs that Close cancelled.
	ErrClosed = errors.New("worker is closed")
	// ErrCancelled is the error of jobs that Handle.Cancel stopped.
	ErrCancelled = errors.New("job was cancelled")
	// ErrInvalid is wrapped by Submit's error for a job without Run, with a
	// negative Timeout or with a Priority that does not exist.
	ErrInvalid = errors.New("invalid job")
)

// FullError is Submit's error for a job that cannot run at once while as many of
// its class wait as may. It may be submitted again. errors.Is finds ErrFull in it.
type FullError struct {
	Name     string   // of the job
	Priority Priority // its class
	Queue    int      // jobs of a class that may wait
}

// Error implements error.
func (e *FullError) Error() string {
	return fmt.Sprintf("job %q: %v: %d %v jobs may wait", e.Name, ErrFull, e.Queue, e.Priority)
}

// Unwrap returns ErrFull.
func (e *FullError) Unwrap() error { return ErrFull }

// TimeoutError is the error of a job whose own Timeout passed. errors.Is finds
// context.DeadlineExceeded in it.
type TimeoutError struct {
	Name    string        // of the job
	Timeout time.Duration // its limit for waiting and running together
}

// Error implements error.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("job %q: no result within %v", e.Name, e.Timeout)
}

// Unwrap returns context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// PanicError is the error of a job that panicked or called runtime.Goexit.
type PanicError struct {
	Name  string // of the job
	Text  string // the panic value, formatted with %v
	Stack string // stack of the panicking goroutine
}

// Error implements error. It leaves the stack out.
func (e *PanicError) Error() string { return fmt.Sprintf("job %q panicked: %s", e.Name, e.Text) }

// LeakError is returned by Close when its time was over before every job and
// every Done function had returned. All handles are resolved nevertheless.
type LeakError struct {
	Names     []string // jobs whose Run has not returned, sorted
	Callbacks int      // Done functions that have not returned
}

// Error implements error.
func (e *LeakError) Error() string {
	return fmt.Sprintf("worker closed with %d jobs (%s) and %d callbacks still running",
		len(e.Names), strings.Join(e.Names, ", "), e.Callbacks)
}
