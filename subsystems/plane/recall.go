package plane

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// A trainer that has lost an answer, or the plane that owed it, sends its report again.
// The same report gets the answer of its record: weights and refusals are those that
// were decided then; alphas, stages, level, lineage and directives are as they are now,
// since that is what the next report is held against. No record is added. Another report
// in the same place is decided, and refused, like any other.

// repeat is what the loop says of a report that may have been decided before.
type repeat struct {
	seq    leyline.Seq
	record *leyline.Record // nil: it is durable, and to be read from the log
}

// repeat answers a report that was perhaps admitted before. What the log holds is read
// here: the loop waits for no disk.
func (p *Plane) repeat(ctx context.Context, q *request, a *repeat) (reply, error) {
	again := &request{in: q.in, after: q.after, anew: true}
	old, err := p.recall(a)
	if err != nil {
		return reply{}, err
	}
	if same(old.Input, q.in) {
		again.anew, again.recalled = false, &old
	}
	r, err := p.call(ctx, again)
	if err == nil && r.again != nil { // the run was resumed meanwhile
		again = &request{in: q.in, after: q.after, anew: true}
		return p.call(ctx, again)
	}
	return r, err
}

// maxRecalled bounds the records that are kept of those read.
const maxRecalled = 4 * leyline.MaxLag

// recollection keeps what was read last: to find one record a segment of the log is
// read, and a trainer that was ahead of its answers asks for a whole row of them.
type recollection struct {
	mu      sync.Mutex
	records map[leyline.Seq]leyline.Record
}

// recall reads a record.
func (p *Plane) recall(a *repeat) (leyline.Record, error) {
	if a.record != nil {
		return *a.record, nil
	}
	p.recalled.mu.Lock()
	defer p.recalled.mu.Unlock()
	if r, ok := p.recalled.records[a.seq]; ok {
		return r, nil
	}
	p.recalled.records = map[leyline.Seq]leyline.Record{}
	for e, err := range p.opts.Log.All(a.seq) {
		var r leyline.Record
		if err == nil {
			r, err = wire.DecodeRecord(e.Seq, e.At, e.Payload)
		}
		if err != nil && len(p.recalled.records) == 0 {
			return leyline.Record{}, fmt.Errorf("cannot read record %d, which holds the answer: %w", a.seq, err)
		}
		if err != nil || len(p.recalled.records) == maxRecalled {
			break // what was asked for is the first
		}
		p.recalled.records[r.Seq] = r
	}
	if r, ok := p.recalled.records[a.seq]; ok {
		return r, nil
	}
	return leyline.Record{}, fmt.Errorf("record %d, which holds the answer, is not in the log", a.seq)
}

// same reports whether two reports are stored alike, but for what is the plane's own.
func same(a, b leyline.Input) bool {
	x, xerr := wire.AppendRecord(nil, leyline.Record{Seq: 1, Input: bare(a)})
	y, yerr := wire.AppendRecord(nil, leyline.Record{Seq: 1, Input: bare(b)})
	return xerr == nil && yerr == nil && bytes.Equal(x, y)
}

// bare is a report as its trainer sent it.
func bare(in leyline.Input) leyline.Input {
	switch x := in.(type) {
	case leyline.StepObserved:
		x.Solution = leyline.Solution{}
		return x
	case leyline.SnapshotTaken:
		x.Measured, x.Check, x.Problem, x.VerifyNs = leyline.Digest{}, 0, "", 0
		return x
	}
	return in
}

// repeated sees to a report that may have been admitted before.
func (l *loop) repeated(q *request, in leyline.Input) bool {
	r := l.state.Tolaria.Run(leyline.RunOf(in))
	if q.anew || r == nil {
		return false
	}
	at := r.Repeats(in)
	switch {
	case at == 0:
		return false
	case q.recalled == nil || q.recalled.Seq != at:
		q.reply <- reply{again: &repeat{seq: at, record: l.undurable(at)}}
	default:
		l.answerAgain(q)
	}
	return true
}

// undurable is a record that was decided and is not in the log yet, or nil.
func (l *loop) undurable(at leyline.Seq) *leyline.Record {
	for _, group := range [][]decided{l.flying, l.pending} {
		for i := range group {
			if group[i].record.Seq == at {
				r := group[i].record
				return &r
			}
		}
	}
	return nil
}

// answerAgain replies to a report by its record, together with whoever waits for the
// first answer still.
func (l *loop) answerAgain(q *request) {
	for _, c := range l.chains {
		if c.first == q.recalled.Seq {
			c.also = append(c.also, q)
			return
		}
	}
	c := &chain{request: q}
	c.note(*q.recalled)
	l.chains = append(l.chains, c)
}

// announceOwners tells the door who has opened which run.
func (l *loop) announceOwners() {
	for i := range l.state.Tolaria.Runs {
		r := &l.state.Tolaria.Runs[i]
		l.plane.owners.Store(r.ID, r.Plan.Principal)
	}
}
