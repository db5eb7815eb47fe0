package plane

import (
	"context"
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/worker"
)

// Health is how a plane is at one moment.
type Health struct {
	Durable leyline.Seq   // last durable record
	Pending int           // records that are decided and not durable
	Waiting time.Duration // since the group that is being written was handed to the log; 0: none is

	RefusesRuns bool   // the disk is nearly full
	DiskFree    uint64 // bytes free when that last changed
	DiskMinFree uint64 // bytes, of log.min_free_mib

	Signal error // why the emergency signal does not say what it was told; nil: it does

	Worker               worker.Stats
	Workers, WorkerQueue int // jobs that may run at once, and wait
}

// Health asks the loop. Unlike View it waits for no record to become durable, and
// it is answered while the door is shut, so no answer within the time of ctx means
// that the loop hangs. When the plane has ended the error says why.
func (p *Plane) Health(ctx context.Context) (Health, error) {
	answer := make(chan Health, 1)
	select {
	case p.asks <- answer:
		return <-answer, nil // the loop has it in hand
	case <-ctx.Done():
		return Health{}, context.Cause(ctx)
	case <-p.ended:
		return Health{}, p.cause()
	}
}

// health answers for the loop.
func (l *loop) health() Health {
	s, c := &l.state.Plane, l.plane.opts.Process
	h := Health{
		Durable: l.durable, Pending: len(l.flying) + len(l.pending),
		Signal: l.signal(), RefusesRuns: s.RefusesRuns(), DiskFree: s.DiskFree, DiskMinFree: s.Config.Log.MinFree(),
		Worker: l.plane.worker.Stats(), Workers: int(c.Workers), WorkerQueue: int(c.WorkerQueue),
	}
	if len(l.flying) > 0 {
		h.Waiting = time.Since(l.flew)
	}
	return h
}

// signal reads back what was published.
func (l *loop) signal() error {
	if l.unsaid != nil {
		return fmt.Errorf("%s was not published: %w", l.published, l.unsaid)
	}
	if l.signals > 0 {
		return nil // it is being written
	}
	level, _, err := l.plane.opts.Signal.Get()
	if err == nil && l.published.Validate() == nil && level != l.published {
		err = fmt.Errorf("it says %s, and %s was published: someone else has written to it", level, l.published)
	}
	return err
}
