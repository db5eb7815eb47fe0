package plane

import (
	"context"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/tolaria"
	"github.com/esper-plane/esper/subsystems/tolaria/rollback"
)

// request is one call from outside. Exactly one of in, view and poll is set.
type request struct {
	in    leyline.Input
	view  func(*projections.State)
	poll  bool
	run   leyline.RunID // of a poll
	after leyline.Seq
	ctx   context.Context // of a poll, and of a command that waits for the trainer; nil: it does not wait
	reply chan reply
	proof sign.Proof // of a command's signature, made at the door

	recalled *leyline.Record // that holds the same report; nil: it was not looked for
	anew     bool            // to be decided, whether or not it was reported before
}

// reply is what the caller gets.
type reply struct {
	ans  leyline.Answer
	open leyline.OpenAnswer
	said leyline.CommandAnswer // to a command
	err  error

	again *repeat // it may have been reported before: nothing was decided
}

// chain is a request and every record that followed from it: the record of its
// input, the commands signed for it, and, in lockstep, the completions of the
// computations it caused. Its reply is captured when nothing more will follow,
// and given when the last of its records is durable.
type chain struct {
	request *request
	first   leyline.Seq
	last    leyline.Seq // Invariant: covers everything that the captured reply shows
	weights []float64
	suspect bool // the step is not trusted: no snapshot of it
	refusal *leyline.Refusal
	said    leyline.CommandAnswer // to a command
	waits   int                   // computations outstanding
	ready   *reply
	also    []*request // that sent the same report again

	overtaken bool // the step came after a rollback that made it void
}

// note adds a record to the chain. Weights and refusal are those of the first
// record: the input's own.
func (c *chain) note(r leyline.Record) {
	c.last = r.Seq
	if c.first != 0 {
		return
	}
	c.first = r.Seq
	c.said, _ = leyline.AnswerOf(r)
	for _, e := range r.Events {
		switch x := e.(type) {
		case leyline.DependencyViolated:
			v := x.Refusal
			c.refusal = &v
		case leyline.GradientsCombined:
			c.weights = x.Weights
		case leyline.TrainingAssessed:
			c.suspect = x.Health == leyline.HealthSuspect
		case leyline.StepOvertaken:
			c.overtaken = true
		}
	}
}

// settle gives every reply that is due.
func (l *loop) settle() {
	rest := l.chains[:0]
	for _, c := range l.chains {
		if c.ready == nil && !(l.lockstep(c) && c.waits > 0) {
			l.capture(c)
		}
		if c.ready == nil || c.last > l.durable {
			rest = append(rest, c)
			continue
		}
		l.reply(c, c.request)
		for _, q := range c.also {
			l.reply(c, q)
		}
	}
	clear(l.chains[len(rest):])
	l.chains = rest
	l.settlePolls()
	if l.durable+1 == l.next {
		for _, q := range l.views {
			q.view(l.state)
			q.reply <- reply{}
		}
		l.views = nil
	}
}

// reply gives a request what its chain came to, and the directives that it has not
// heard.
func (l *loop) reply(c *chain, q *request) {
	r := *c.ready
	r.ans.Directives = l.directives(r.ans.Run, q.after, c.last)
	q.reply <- r
}

func (l *loop) settlePolls() {
	rest := l.polls[:0]
	for _, q := range l.polls {
		if q.ctx.Err() != nil { // nobody waits for it any more
			continue
		}
		ds := l.directives(q.run, q.after, l.durable)
		if len(ds) == 0 {
			rest = append(rest, q)
			continue
		}
		ans := l.view(q.run)
		ans.Directives, ans.Cursor = ds, l.durable
		q.reply <- reply{ans: ans}
	}
	clear(l.polls[len(rest):])
	l.polls = rest
}

func (l *loop) lockstep(c *chain) bool {
	r := l.state.Tolaria.Run(leyline.RunOf(c.request.in))
	return r != nil && r.Plan.Lockstep
}

// capture fixes the reply of a chain from the head state. The reply is held
// until every record that the head state shows is durable, so that no caller
// ever sees an undurable decision.
func (l *loop) capture(c *chain) {
	c.last = l.next - 1
	if c.refusal != nil {
		c.ready = &reply{err: c.refusal}
		return
	}
	run := leyline.RunOf(c.request.in)
	r := &reply{ans: l.view(run), said: c.said}
	r.ans.Seq, r.ans.Cursor, r.ans.Weights = c.first, c.last, c.weights
	switch x := c.request.in.(type) {
	case leyline.StepObserved:
		r.ans.Step, r.ans.Overtaken = x.Step, c.overtaken
		if len(c.weights) > 0 && !c.suspect {
			r.ans.Snapshot = x.Step%leyline.Step(l.state.Plane.Config.Tolaria.SnapshotEvery) == 0
			r.ans.Probes = l.state.Kasmina.ProbesDue(x.Run, x.Step)
		}
	case leyline.RunOpened:
		l.openAnswer(x, r)
	}
	c.ready = r
}

func (l *loop) openAnswer(x leyline.RunOpened, r *reply) {
	run := l.state.Tolaria.Run(x.Run)
	r.open.Resumed, r.open.Faulted = x.Resume, append([]leyline.Step(nil), run.Faulted...)
	if s := from(run); s != nil {
		r.open.From = effect.Safest(s)
	}
	r.ans.Snapshot = r.open.From.Snapshot == ""
}

// from is the snapshot that the run stands on after it was opened or resumed.
func from(r *projections.Run) *projections.Snapshot {
	for i := len(r.Snapshots) - 1; i >= 0; i-- {
		if s := &r.Snapshots[i]; s.Confirmed && s.Step == r.Track.Step {
			return s
		}
	}
	return nil
}

// view is the part of an answer that every answer carries.
func (l *loop) view(id leyline.RunID) leyline.Answer {
	r := l.state.Tolaria.Run(id)
	if r == nil {
		return leyline.Answer{}
	}
	a := leyline.Answer{
		Run: id, Incarnation: r.Incarnation, Step: r.Track.Step, Lineage: r.Lineage, Emergency: r.Emergency,
		Profile:  tolaria.ProfileWindow(&l.state.Plane.Config.Tolaria, r.Track.Step+1),
		FastRoom: rollback.Room(l.state),
	}
	for _, s := range l.state.Kasmina.Run(id).Seeds {
		a.Seeds = append(a.Seeds, leyline.SeedView{Seed: s.ID, Stage: s.Stage, Alpha: s.Alpha, Paused: s.Paused})
	}
	return a
}

// directives returns the released directives of a run in (after, upto] and
// forgets those at or before after: the cursor says that they have arrived.
func (l *loop) directives(run leyline.RunID, after, upto leyline.Seq) []leyline.Directive {
	var out []leyline.Directive
	kept := l.orders[run][:0]
	for _, d := range l.orders[run] {
		if d.ID.Seq <= after {
			continue
		}
		kept = append(kept, d)
		if d.ID.Seq <= upto {
			d.WithinNs = uint64(l.clock.until(d.Deadline))
			out = append(out, d)
		}
	}
	if len(kept) == 0 {
		delete(l.orders, run)
	} else {
		l.orders[run] = kept
	}
	return out
}
