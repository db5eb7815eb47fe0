package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/esper-plane/esper/subsystems/plane"
)

// LogPatience is how long one write of the log may be under way before the log no
// longer counts as writable. It is a choice: a fifth of the default stall_ms, after
// which the trainer that waits for it counts as stalled.
const LogPatience = 2 * time.Second

// errUnknown is what the checks say before there is a plane.
var errUnknown = errors.New("not known before the plane has started")

// PlaneLive returns the check "loop": the plane's loop answers. It holds while get
// returns nil: a process that recovers a long log is alive.
func PlaneLive(get func() *plane.Plane) []Check {
	return []Check{{"loop", func(ctx context.Context) error {
		p := get()
		if p == nil {
			return nil
		}
		_, err := p.Health(ctx)
		return err
	}}}
}

// PlaneReady returns the checks of a plane that is to take work: "recovery" is
// done, the "log" takes writes, the "disk" is not nearly full, the emergency "signal"
// says what it was told, the "worker" has room. get returns nil until the plane has started.
func PlaneReady(get func() *plane.Plane) []Check {
	on := func(judge func(plane.Health) error) func(context.Context) error {
		return func(ctx context.Context) error {
			p := get()
			if p == nil {
				return errUnknown
			}
			h, err := p.Health(ctx)
			if err != nil {
				return err
			}
			return judge(h)
		}
	}
	return []Check{
		{"recovery", func(context.Context) error {
			if get() == nil {
				return errors.New("the plane has not started yet: it reads the log")
			}
			return nil
		}},
		{"log", on(judgeLog)},
		{"disk", on(judgeDisk)},
		{"signal", on(func(h plane.Health) error { return h.Signal })},
		{"worker", on(judgeWorker)},
	}
}

func judgeLog(h plane.Health) error {
	if h.Waiting > LogPatience {
		return fmt.Errorf("a write has been under way for %v: the disk does not answer", h.Waiting.Round(time.Millisecond))
	}
	return nil
}

func judgeDisk(h plane.Health) error {
	if h.RefusesRuns {
		return fmt.Errorf("the disk is nearly full: %d bytes were free when that was noticed, under the %d of log.min_free_mib = %d; new runs are refused", h.DiskFree, h.DiskMinFree, h.DiskMinFree>>20)
	}
	return nil
}

// judgeWorker: from as many leaked jobs on as may run at once, every further one
// takes a place away, and twice as many stop the worker.
func judgeWorker(h plane.Health) error {
	switch w := h.Worker; {
	case w.Queued >= h.WorkerQueue:
		return fmt.Errorf("the queue is full: %d jobs wait, %d run", w.Queued, w.Running)
	case w.Leaked >= h.Workers:
		return fmt.Errorf("%d jobs have ended and do not return, as many as may run at once: %v", w.Leaked, w.LeakedNames)
	}
	return nil
}
