package plane

import (
	"runtime"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/solve"
)

// accept takes a request from the door, and whatever else is waiting there, so
// that a group holds every producer that is ready.
func (l *loop) accept(q *request) {
	for yields := 0; ; {
		l.admit(q)
		select {
		case q = <-l.open():
			continue
		default:
		}
		if yields++; yields > 2 {
			return
		}
		runtime.Gosched()
		select {
		case q = <-l.open():
		default:
			return
		}
	}
}

func (l *loop) admit(q *request) {
	switch {
	case q.view != nil:
		l.views = append(l.views, q)
	case q.poll:
		l.polls = append(l.polls, q)
	default:
		in, err := storable(q.in)
		if err != nil {
			q.reply <- reply{err: err}
			return
		}
		if l.repeated(q, in) {
			return
		}
		if run := l.between(q, in); run != "" {
			l.hold(q, in, run)
			return
		}
		l.take(q, in)
		if reports(in) {
			l.letIn(leyline.RunOf(in))
		}
	}
}

// take decides the input of a request.
func (l *loop) take(q *request, in leyline.Input) {
	if x, ok := in.(leyline.CommandReceived); ok {
		if r := l.excess(x, q.proof); r != nil {
			q.reply <- reply{err: r}
			return
		}
		l.proof = q.proof
	}
	c := &chain{request: q}
	l.chains = append(l.chains, c)
	l.stamp(l.solved(in), c)
}

// announce tells the door by which rule steps are combined from now on, and the
// kernel cache how much it may hold.
func (l *loop) announce() {
	if l.state.Plane.Configured {
		c := l.state.Plane.Config.Tolaria
		l.plane.rule.Store(&c)
		l.plane.configureKernels(&l.state.Plane.Config.Kasmina)
	}
}

// solution is what the announced rule needs to know of a step.
func (p *Plane) solution(x *leyline.StepObserved) leyline.Solution {
	if c := p.rule.Load(); c != nil {
		return solve.Step(c, x)
	}
	return leyline.Solution{} // nothing is admitted before there is a configuration
}

// solved returns a step with the solution that the rule in force needs. The door
// solved it already, unless another rule came into force since.
func (l *loop) solved(in leyline.Input) leyline.Input {
	x, ok := in.(leyline.StepObserved)
	if c := &l.state.Plane.Config.Tolaria; ok && !solve.Fits(c, &x) {
		x.Solution = solve.Step(c, &x)
		return x
	}
	return in
}

// maxRefused bounds the stored form of an input that is going to be refused: a
// flood of nonsense must not fill the log.
const maxRefused = 64 << 10

// storable returns an input in its stored form: it shares no memory with its
// sender, so what the state keeps of it cannot be changed from outside. The
// state keeps nothing of a step, so the most frequent input is not copied.
//
// An input that has no stored form (an enum code that this version does not
// know), or that is malformed and too large to be worth a record, is refused
// here. These are the only refusals that are not in the log.
func storable(in leyline.Input) (leyline.Input, error) {
	bad := in.Validate()
	if _, step := in.(leyline.StepObserved); step && bad == nil {
		return in, nil
	}
	payload, err := wire.AppendRecord(nil, leyline.Record{Seq: 1, Input: in})
	var r leyline.Record
	if err == nil {
		r, err = wire.DecodeRecord(1, 0, payload)
	}
	switch {
	case err == nil && (bad == nil || len(payload) <= maxRefused):
		return r.Input, nil
	case bad != nil:
		return nil, bad
	}
	return nil, leyline.Invalid("input", "cannot be stored: "+clip(err))
}
