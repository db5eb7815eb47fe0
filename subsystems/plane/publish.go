package plane

import (
	"context"
	"sync"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/worker"
)

// publisher writes emergency levels to the signal, one at a time and never an
// older one over a newer one. A write that hangs past its deadline keeps its turn:
// whoever comes after it runs into a deadline of his own, and when the write comes
// back it writes the newest level before it lets go.
type publisher struct {
	signal Signal
	turn   chan struct{} // holds one token while somebody writes

	mu   sync.Mutex
	want said // what the signal is to say
}

// said is a level with its reason; n tells one from the next.
type said struct {
	level  leyline.EmergencyLevel
	reason string
	n      uint64
}

func newPublisher(s Signal) *publisher { return &publisher{signal: s, turn: make(chan struct{}, 1)} }

// aim says what the signal is to say from now on.
func (p *publisher) aim(level leyline.EmergencyLevel, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want = said{level, reason, p.want.n + 1}
}

func (p *publisher) wanted() said {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want
}

// write makes the signal say what is wanted. The error of ctx means that another
// write did not let go in time.
func (p *publisher) write(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	for {
		w := p.wanted()
		if err := p.signal.Set(w.level, w.reason); err != nil || p.wanted().n == w.n {
			return err
		}
	}
}

// broadcast publishes a level on the shared worker, before everything else there,
// within the deadline of its record. Other runs may be at a higher level; the
// highest is what is published.
func (l *loop) broadcast(f effect.Effect) {
	level := max(f.Level, highestBut(l.state, f.Run))
	l.plane.signal.aim(level, f.Reason.String())
	l.published = level
	l.signals++
	l.submit(worker.Job{
		Name: f.Kind.String() + " " + f.ID.String(), Priority: worker.Urgent, Timeout: f.Within,
		Run: l.plane.signal.write,
	}, &completion{effect: f, level: level})
}

// signalled records what came of a broadcast.
func (l *loop) signalled(c *completion) {
	l.signals--
	f, took := c.effect, uint64(c.outcome.Queued+c.outcome.Ran)
	if c.outcome.State == worker.Done {
		l.unsaid = nil
		l.stamp(leyline.EmergencyDelivered{Run: f.Run, Effect: f.ID, Level: c.level, TookNs: took}, nil)
		return
	}
	l.unsaid = c.outcome.Err
	l.stamp(leyline.EmergencyUndelivered{
		Run: f.Run, Effect: f.ID, Level: c.level, Outcome: outcomeOf(c.outcome), Reason: clip(c.outcome.Err), TookNs: took,
	}, nil)
}
