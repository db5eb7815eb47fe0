package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Entry is one transition as it is stored: a record without the log's framing.
type Entry struct {
	Seq     leyline.Seq
	At      leyline.Instant
	Payload []byte // valid until the next iteration
}

// Source is where records come from. A log is adapted to it; a bundle is one.
type Source interface {
	// All yields the transitions from a position on, ascending and nothing else:
	// positions that hold checkpoints or the origin are left out. It ends after
	// the first error. It may be called again.
	All(from leyline.Seq) iter.Seq2[Entry, error]
}

// Options says what to replay and how.
type Options struct {
	Mode Mode
	// From and To bound what is checked; 0 means the first and the last record.
	// Records before From are folded and not checked, records after To not read.
	From, To leyline.Seq
	// Config replaces the recorded configuration wherever one is adopted, and in
	// Start. Mode Fold decides nothing, so there it is refused.
	Config *leyline.ExecutionConfig
	// Solver returns the solution of a step under Config, where its aggregation method
	// needs a solver: the recorded step has it for the recorded configuration only.
	// Without one a step that needs another is refused.
	Solver func(c *leyline.TolariaConfig, x *leyline.StepObserved) leyline.Solution
	// Start is the state to begin with, as bundles hold it; nil means the state
	// before the first record. It is copied, not changed.
	Start *projections.State
}

// MaxDifferences bounds how many differences a what-if replay describes. All
// are counted.
const MaxDifferences = 20

// Report is what a replay found.
type Report struct {
	Mode        Mode
	Records     uint64       // read
	Redecided   uint64       // of these, decided again and compared
	FoldedOnly  uint64       // of these, decided by another version of the rules
	First, Last leyline.Seq  // read; zero when there were none
	Bytes       uint64       // of payload
	Identical   bool         // nothing that was compared differs
	Divergence  *Divergence  // the first difference; nil when Identical
	Differences uint64       // records that differ; in mode Redecide at most 1
	Described   []Divergence // the first differences, at most MaxDifferences
	// Digests of the projections at the end; none after a divergence in mode
	// Redecide, where the state no longer means anything.
	Digests   []projections.Named
	Elapsed   time.Duration `json:"elapsed_ns"`
	PerSecond float64       // records
}

// check reports contradictions.
func (o *Options) check() error {
	switch {
	case int(o.Mode) >= len(modeNames):
		return fmt.Errorf("cannot replay: mode %s", o.Mode)
	case o.To != 0 && o.From > o.To:
		return fmt.Errorf("cannot replay from record %d to record %d: the end comes first", o.From, o.To)
	case o.Config == nil:
		return nil
	case o.Mode == Fold:
		return errors.New("cannot fold under another configuration: folding decides nothing; use redecide or whatif")
	}
	if err := o.Config.Validate(); err != nil {
		return fmt.Errorf("cannot replay under this configuration: %w", err)
	}
	return nil
}

// Run replays src. A divergence is not an error: it is in the report. With an
// error the report holds what was done until then, without digests.
func Run(ctx context.Context, src Source, o Options) (Report, error) {
	if err := o.check(); err != nil {
		return Report{Mode: o.Mode}, err
	}
	began := time.Now()
	p := newPass(o)
	err := p.all(ctx, src)
	p.report.Elapsed = time.Since(began)
	if s := p.report.Elapsed.Seconds(); s > 0 {
		p.report.PerSecond = float64(p.report.Records) / s
	}
	if err != nil {
		return p.report, err
	}
	p.report.Identical = p.report.Divergence == nil
	if p.report.Identical || o.Mode == WhatIf {
		p.report.Digests = p.final().Digests()
	}
	return p.report, nil
}

// pass is one replay on its way.
type pass struct {
	o      Options
	report Report
	// state is what the records so far lead to. Invariant: it holds only what was
	// recorded or, which is the same, what was decided identically; but its
	// configuration is o.Config while adopted is set.
	state   *projections.State
	adopted *leyline.ExecutionConfig // recorded, while state holds another
	scratch *projections.State       // what-if decides on it; nil: to be copied from state
	started leyline.PlaneStarted     // the process that wrote the records at hand
	head    []byte                   // buffer of split
	decided []byte                   // buffer of same
}

func newPass(o Options) *pass {
	p := &pass{o: o, report: Report{Mode: o.Mode}, state: &projections.State{}}
	if o.Start != nil {
		p.state = clone(o.Start)
		if o.Mode == Redecide && p.state.Plane.Configured {
			p.replaceConfig()
		}
	}
	return p
}

func (p *pass) all(ctx context.Context, src Source) error {
	last := p.state.Seq
	for e, err := range src.All(last + 1) {
		if err != nil {
			return fmt.Errorf("cannot read on after record %d: %w", last, err)
		}
		if p.o.To != 0 && e.Seq > p.o.To {
			return nil
		}
		if e.Seq <= last {
			return fmt.Errorf("record %d comes after record %d: records must ascend", e.Seq, last)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped before record %d: %w", e.Seq, err)
		}
		last = e.Seq
		if err := p.entry(e); err != nil {
			return err
		}
		if p.o.Mode == Redecide && p.report.Divergence != nil {
			return nil
		}
	}
	return nil
}

func (p *pass) entry(e Entry) error {
	if p.report.Records == 0 {
		p.report.First = e.Seq
	}
	p.report.Last = e.Seq
	p.report.Records++
	p.report.Bytes += uint64(len(e.Payload))
	if p.o.Mode == Fold || e.Seq < p.o.From {
		return p.fold(e)
	}
	return p.check(e)
}

// check decides one record again, if its rules are those of this program.
func (p *pass) check(e Entry) error {
	r, events, err := p.split(e)
	if err != nil {
		return err
	}
	if !p.decidedHere(r) {
		p.report.FoldedOnly++
		return p.fold(e)
	}
	if run := leyline.RunOf(r.Input); r.Run != run {
		return fmt.Errorf("record %d (%s) is filed under run %q, its input concerns run %q", r.Seq, r.Input.InputKind(), r.Run, run)
	}
	p.report.Redecided++
	if p.o.Mode == WhatIf {
		return p.whatIf(r, e, events)
	}
	return p.redecide(r, e, events)
}

// boot remembers which process writes the records that follow.
func (p *pass) boot(r leyline.Record) {
	if x, ok := r.Input.(leyline.PlaneStarted); ok {
		p.started = x
	}
}

// crafted turns a panic into an error. Deciders and reducers panic when an
// invariant is broken that every plane keeps: then no plane wrote the log.
func crafted(r *leyline.Record, err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("record %d (%s) cannot be replayed: no plane writes a log like this: %v", r.Seq, r.Input.InputKind(), v)
	}
}

// final returns the state with the configuration that was recorded.
func (p *pass) final() *projections.State {
	if p.adopted != nil {
		p.state.Plane.Config, p.adopted = *p.adopted, nil
	}
	return p.state
}
