package replay

import (
	"context"
	"fmt"
	"iter"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

// Bounds of a trace.
const (
	MaxLinks = 20   // links in each direction
	Horizon  = 5000 // records after the explained one in which its effects are looked for
)

// Trace says why one record was decided as it was, and what came of it.
type Trace struct {
	leyline.Record
	Kind    leyline.InputKind
	Words   string      // the input in words
	Figures []Figure    // its key figures
	Before  *Situation  // of the run it concerns, before it; nil when none was known
	Decided []Told      // every event of the record, in order
	Weighed *Weighing   `json:",omitempty"` // of a record that ends a window: how Tamiyo came to its decision
	Causes  []Link      // what led to it, newest first
	Effects []Link      // what it set in motion, oldest first
	Looked  leyline.Seq // effects were looked for up to this record
	Again   Again

	MoreCauses, MoreEffects bool // than MaxLinks
}

// Figure is one number or name with what it means.
type Figure struct{ Name, Value string }

// Told is one event in words. Checks are what a gate looked at.
type Told struct {
	Kind   leyline.EventKind
	Words  string
	Checks []leyline.Check `json:",omitempty"`
}

// Link is a record that led to another one or that another one led to.
type Link struct {
	Seq   leyline.Seq
	At    leyline.Instant `json:",omitempty"` // zero when the record is not at hand
	Kind  leyline.InputKind
	Of    leyline.Seq // the other record
	How   string      // what this record did for the other
	Words string
}

// Again says what this program makes of the same input on the same state.
type Again struct {
	Rules      uint32 // version of the rules that decided the record
	Program    uint32 // version of the rules of this program
	Decided    bool   // decided again, which takes equal versions
	Identical  bool
	Divergence *Divergence `json:",omitempty"`
}

// NoRecordError says that there is no such record to explain.
type NoRecordError struct {
	Seq         leyline.Seq
	First, Last leyline.Seq // of the records at hand; zero when there are none
}

// Error names the range that can be explained.
func (e *NoRecordError) Error() string {
	switch {
	case e.Last == 0:
		return fmt.Sprintf("there is no record %d: there are no records at all", e.Seq)
	case e.Seq < e.First || e.Seq > e.Last:
		return fmt.Sprintf("there is no record %d: the records go from %d to %d", e.Seq, e.First, e.Last)
	}
	return fmt.Sprintf("record %d holds no decision; choose another from %d to %d", e.Seq, e.First, e.Last)
}

// TraceRecord explains the record seq of src. The records before it are folded,
// it is decided again as Run does, and the records after it are read as far as
// Horizon. Start is the state before the first record of a bundle, else nil. A
// divergence is not an error: it is in the trace. A seq that src does not hold
// is a *NoRecordError.
func TraceRecord(ctx context.Context, src Source, start *projections.State, seq leyline.Seq) (Trace, error) {
	t := &tracer{src: src, pass: newPass(Options{From: seq, To: seq, Start: start}), web: newWeb(start)}
	if err := t.pass.all(ctx, tap{src, seq, t.see}); err != nil {
		return Trace{}, err
	}
	if t.out.Input == nil {
		return Trace{}, missing(src, seq)
	}
	t.out.Again.Decided = t.pass.report.Redecided == 1
	t.out.Again.Divergence = t.pass.report.Divergence
	t.out.Again.Identical = t.out.Again.Decided && t.out.Again.Divergence == nil
	if err := t.causes(); err != nil {
		return Trace{}, err
	}
	err := t.effects(ctx)
	if w := t.out.Weighed; w != nil {
		w.After = cautionOf(t.pass.state, concerns(t.out.Record))
		w.signed(t.out.Effects)
	}
	return t.out, err
}

// tracer collects a trace.
type tracer struct {
	src  Source
	pass *pass
	web  *web
	out  Trace
}

// see is told every record up to the explained one, before pass replays it.
func (t *tracer) see(e Entry) error {
	r, err := whole(e)
	if err != nil {
		return err
	}
	t.web.add(r)
	if e.Seq == t.pass.o.To {
		t.describe(r)
	}
	return nil
}

// describe says what the record holds. The state is that before it.
func (t *tracer) describe(r leyline.Record) {
	t.out.Record, t.out.Looked = r, r.Seq
	t.out.Kind, t.out.Words = r.Input.InputKind(), inWords(r.Input)
	t.out.Figures = figures(r)
	t.out.Before = situation(t.pass.state, concerns(r))
	if t.out.Weighed = WeighingOf(r); t.out.Weighed != nil {
		t.out.Weighed.Before = cautionOf(t.pass.state, concerns(r))
	}
	for _, e := range r.Events {
		t.out.Decided = append(t.out.Decided, Told{e.EventKind(), eventWords(e), checksOf(e)})
	}
	t.out.Again.Rules, t.out.Again.Program = t.pass.state.Plane.Decider, decider.Version
	if x, ok := r.Input.(leyline.PlaneStarted); ok {
		t.out.Again.Rules = x.Decider
	}
}

func checksOf(e leyline.Event) []leyline.Check {
	if x, ok := e.(leyline.GateEvaluated); ok {
		return x.Checks
	}
	return nil
}

// missing says why a record cannot be explained: what is at hand instead.
func missing(src Source, seq leyline.Seq) error {
	out := &NoRecordError{Seq: seq}
	for e, err := range src.All(1) {
		if err != nil {
			return fmt.Errorf("cannot look for record %d: %w", seq, err)
		}
		if out.First == 0 {
			out.First = e.Seq
		}
		out.Last = e.Seq
	}
	return out
}

// tap is a source that ends with a record and tells someone of every record
// before it hands it on.
type tap struct {
	src Source
	end leyline.Seq
	see func(Entry) error
}

// All implements Source.
func (t tap) All(from leyline.Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range t.src.All(from) {
			if err == nil && e.Seq > t.end {
				return
			}
			if err == nil {
				err = t.see(e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
