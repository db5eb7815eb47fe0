package worker

import (
	"context"
	"time"
)

// Close refuses further jobs and ends all open ones as Cancelled with ErrClosed:
// when it returns, every handle is resolved. It then waits until all functions
// have returned, at most Options.Shutdown and no longer than ctx. If that was
// not enough the error is a *LeakError. Calling Close again waits again and
// changes nothing else.
func (w *Worker) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	open := make([]*job, 0, len(w.open))
	for j := range w.open {
		open = append(open, j)
	}
	w.checkIdle()
	timer := time.NewTimer(w.o.Shutdown)
	w.mu.Unlock()
	defer timer.Stop()
	for _, j := range open {
		w.abort(j, Cancelled, ErrClosed)
	}
	select {
	case <-w.idle:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	select { // both may be ready
	case <-w.idle:
		return nil
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return &LeakError{Names: w.leakedNames(), Callbacks: w.totals().callbacks()}
}
