package plane

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// heldCommand is a command that waits for the next report of a run's trainer.
type heldCommand struct {
	request *request
	in      leyline.Input
	run     leyline.RunID
}

// between returns the run whose trainer must not be surprised by an input: a command
// from outside that changes the network while the trainer is between an answer and its
// next report. It would report a network that the plane no longer believes in, and be
// refused. Empty: the input is decided at once. An EMERGENCY waits for nobody,
// nor does a POLICY, which changes no network, and neither does anything for a trainer of which nothing is heard.
func (l *loop) between(q *request, in leyline.Input) leyline.RunID {
	x, ok := in.(leyline.CommandReceived)
	if q.ctx == nil || !ok {
		return ""
	}
	c, err := wire.DecodeCommand(x.Envelope.Payload)
	if err != nil || c.Kind == leyline.CommandEmergency || c.Kind == leyline.CommandPolicy || !l.expects(c.Audience.Run) {
		return ""
	}
	return c.Audience.Run
}

// expects reports whether the next report of a run's trainer is awaited.
func (l *loop) expects(run leyline.RunID) bool {
	r := l.state.Tolaria.Run(run)
	return r != nil && r.Status == leyline.RunStatusOpen && !r.Stalled && r.QuietBy != 0
}

// hold keeps a command until its time, and forgets those whose callers have gone.
func (l *loop) hold(q *request, in leyline.Input, run leyline.RunID) {
	kept := l.held[:0]
	for _, h := range l.held {
		if h.request.ctx.Err() == nil {
			kept = append(kept, h)
		}
	}
	clear(l.held[len(kept):])
	l.held = append(kept, heldCommand{q, in, run})
}

// reports tells the inputs whose answer goes to the trainer of a run.
func reports(in leyline.Input) bool {
	switch in.(type) {
	case leyline.StepObserved, leyline.EpochObserved, leyline.SeedProbed, leyline.SnapshotTaken, leyline.CommandAcked,
		leyline.RollbackReported, leyline.ProfileReported, leyline.CompileFallback, leyline.RunOpened, leyline.RunClosed:
		return true
	}
	return false
}

// letIn decides the commands that waited for a report of a run. The reply to the report
// is not captured yet, so it tells of them.
func (l *loop) letIn(run leyline.RunID) {
	l.admitHeld(func(h heldCommand) bool { return h.run == run })
}

// letInUnheard decides the commands whose trainer is not expected to report any more.
func (l *loop) letInUnheard() {
	l.admitHeld(func(h heldCommand) bool { return !l.expects(h.run) })
}

func (l *loop) admitHeld(ready func(heldCommand) bool) {
	if len(l.held) == 0 {
		return
	}
	var now []heldCommand
	kept := l.held[:0]
	for _, h := range l.held {
		if ready(h) {
			now = append(now, h)
		} else {
			kept = append(kept, h)
		}
	}
	clear(l.held[len(kept):])
	l.held = kept
	for _, h := range now {
		if h.request.ctx.Err() == nil {
			l.take(h.request, h.in)
		}
	}
}
