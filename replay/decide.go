package replay

import (
	"bytes"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

// decidedHere reports whether a record was decided by the rules of this
// program. The start of a process is decided by that process.
func (p *pass) decidedHere(r leyline.Record) bool {
	if x, ok := r.Input.(leyline.PlaneStarted); ok {
		return x.Decider == decider.Version
	}
	return p.state.Plane.Decider == decider.Version
}

// fold applies the recorded events.
func (p *pass) fold(e Entry) (err error) {
	r, err := whole(e)
	if err != nil {
		return err
	}
	defer crafted(&r, &err)
	p.boot(r)
	p.state.ApplyRecord(r)
	p.adopt(r.Events)
	p.scratch = nil
	return nil
}

// redecide decides a record on the state itself: that is right as long as the
// decisions equal the recorded ones, and with the first that do not it ends.
func (p *pass) redecide(r leyline.Record, e Entry, recorded []byte) (err error) {
	defer crafted(&r, &err)
	events := decider.Decide(p.state, meta(r), p.input(r, p.state))
	same, err := p.same(r, events, recorded)
	switch {
	case err != nil:
		return err
	case !same:
		return p.differs(e, events)
	}
	p.adopt(events)
	return nil
}

// whatIf decides a record on a copy of the state. While decisions equal the
// recorded ones the copy stays right; only a difference costs a new one.
func (p *pass) whatIf(r leyline.Record, e Entry, recorded []byte) (err error) {
	defer crafted(&r, &err)
	if p.scratch == nil {
		p.scratch = clone(p.state)
		if p.o.Config != nil && p.scratch.Plane.Configured {
			p.scratch.Plane.Config = *p.o.Config
		}
	}
	events := decider.Decide(p.scratch, meta(r), p.input(r, p.scratch))
	copied := p.scratch
	if err := p.fold(e); err != nil {
		return err
	}
	same, err := p.same(r, events, recorded)
	switch {
	case err != nil:
		return err
	case !same:
		return p.differs(e, events)
	case !adopts(events):
		p.scratch = copied
	}
	return nil
}

// input is what a record is decided from: its own input, and for a step under
// another configuration the solution that this one needs.
func (p *pass) input(r leyline.Record, s *projections.State) leyline.Input {
	x, step := r.Input.(leyline.StepObserved)
	if !step || p.o.Config == nil || p.o.Solver == nil {
		return r.Input
	}
	x.Solution = p.o.Solver(&s.Plane.Config.Tolaria, &x)
	return x
}

func meta(r leyline.Record) leyline.Meta { return leyline.Meta{Seq: r.Seq, At: r.At, Run: r.Run} }

// same reports whether events have the stored form that was recorded.
func (p *pass) same(r leyline.Record, events []leyline.Event, recorded []byte) (bool, error) {
	b, err := wire.AppendEvents(p.decided[:0], events)
	if err != nil {
		return false, fmt.Errorf("what this program decides of record %d has no stored form: %w", r.Seq, err)
	}
	p.decided = b
	return bytes.Equal(b, recorded), nil
}

func (p *pass) differs(e Entry, events []leyline.Event) error {
	r, err := whole(e)
	if err != nil {
		return err
	}
	p.report.Differences++
	if len(p.report.Described) == MaxDifferences {
		return nil
	}
	d := compare(r, events)
	p.report.Described = append(p.report.Described, d)
	if p.report.Divergence == nil {
		p.report.Divergence = &d
	}
	return nil
}

// adopt puts the replacing configuration in force once events have adopted the
// one that it replaces. In mode WhatIf only the copy is under it.
func (p *pass) adopt(events []leyline.Event) {
	if p.o.Mode == Redecide && adopts(events) {
		p.replaceConfig()
	}
}

func adopts(events []leyline.Event) bool {
	for _, e := range events {
		if e.EventKind() == leyline.EventConfigAdopted {
			return true
		}
	}
	return false
}

// replaceConfig puts o.Config in force and remembers what was recorded.
func (p *pass) replaceConfig() {
	if p.o.Config == nil {
		return
	}
	recorded := p.state.Plane.Config
	p.adopted = &recorded
	p.state.Plane.Config = *p.o.Config
}
