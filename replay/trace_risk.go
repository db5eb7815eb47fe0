package replay

import (
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Weighing is how Tamiyo came to its decision in one window: what was proposed, what
// every evaluator saw and changed, and what went out.
type Weighing struct {
	Step       leyline.Step
	Proposed   string // in words
	Subject    leyline.RiskSubject
	Rows       []WeighingRow
	Unmeasured []leyline.RiskReason // checks for which nothing was measured
	Effect     leyline.RiskEffect
	Reason     leyline.RiskReason
	Final      string // what went out, in words
	Before     Caution
	After      Caution
	// Command is the record of the command that was signed for it; 0: none was, or it is
	// not at hand. Verdict says what Kasmina made of it.
	Command leyline.Seq `json:",omitempty"`
	Verdict string      `json:",omitempty"`
}

// WeighingRow is one check, and what it made of the decision.
type WeighingRow struct {
	leyline.RiskCheck
	From leyline.RiskEffect `json:",omitempty"` // unset: it changed nothing
	To   leyline.RiskEffect `json:",omitempty"`
	Why  leyline.RiskReason `json:",omitempty"` // of the decision from here on; NONE: it changed nothing
}

// Caution is conservative mode at one time.
type Caution struct {
	Conservative bool
	Reason       leyline.RiskReason
	Healthy      uint32 // windows in a row
}

func cautionOf(s *projections.State, run leyline.RunID) Caution {
	if p := s.Tamiyo.Run(run); p != nil {
		return Caution{p.Caution.Conservative, p.Caution.Reason, p.Caution.Healthy}
	}
	return Caution{}
}

func (m Caution) words() string {
	return when(m.Conservative, "on for "+m.Reason.String(), "off") + fmt.Sprintf(" after %d healthy windows", m.Healthy)
}

// WeighingOf tells the assessment that a record holds, or returns nil. What is not in
// the record is left out: the mode before and after it, and the signed command.
func WeighingOf(r leyline.Record) *Weighing {
	for i, e := range r.Events {
		if x, ok := e.(leyline.RiskAssessed); ok {
			w := &Weighing{
				Step: x.Step, Proposed: proposedWords(x), Subject: x.Subject, Unmeasured: x.Unmeasured, Effect: x.Effect, Reason: x.Reason,
				Rows: rowsOf(x.Checks), Final: "nothing",
			}
			for _, later := range r.Events[i+1:] {
				switch y := later.(type) {
				case leyline.CommandProposed:
					w.Final = commandWordsOf(y)
				case leyline.ActionNone:
					w.Final = "nothing, for " + y.Reason.String()
				}
			}
			return w
		}
	}
	return nil
}

// rowsOf follows the outcome from check to check. The gravest effect stands.
func rowsOf(checks []leyline.RiskCheck) []WeighingRow {
	out, now := make([]WeighingRow, 0, len(checks)), leyline.EffectNone
	for _, c := range checks {
		row := WeighingRow{RiskCheck: c}
		if c.Changed {
			row.From, row.To = now, max(now, c.Effect)
			now, row.Why = row.To, c.Reason
		}
		out = append(out, row)
	}
	return out
}

// Changed says what a check made of the decision.
func (r WeighingRow) Changed() string {
	switch {
	case r.To == leyline.EffectUnset && !r.OK && r.Mode == leyline.RuleShadow && r.Effect != leyline.EffectNone:
		return "would have: " + r.Effect.String()
	case r.To == leyline.EffectUnset:
		return ""
	case r.To == r.From:
		return "the reason"
	}
	return fmt.Sprintf("%s -> %s", r.From, r.To)
}

// proposedWords says what the policy wanted.
func proposedWords(x leyline.RiskAssessed) string {
	switch x.Kind {
	case leyline.CommandSeed:
		return fmt.Sprintf("%s of seed %s", x.Proposed, x.Subject.Seed)
	case leyline.CommandPause:
		return fmt.Sprintf("to resume seed %s", x.Subject.Seed)
	case leyline.CommandOptimizer:
		return "to give the learning rates back"
	}
	return "nothing"
}

// commandWordsOf says what a proposed command asks for.
func commandWordsOf(x leyline.CommandProposed) string {
	switch x.Kind {
	case leyline.CommandPause:
		return fmt.Sprintf("%s to %s seed %s", x.Kind, x.Pause.Action, x.Pause.Seed)
	case leyline.CommandOptimizer:
		return fmt.Sprintf("%s to %s the learning rates to %s of what they would be", x.Kind, x.Optimizer.Action, short(x.Optimizer.Factor))
	}
	return fmt.Sprintf("%s of seed %s", x.Seed.Operation, x.Seed.Seed)
}

// signed finds the record of the command among what the window set in motion.
func (w *Weighing) signed(effects []Link) {
	for _, l := range effects {
		if l.How == proposal.forth {
			w.Command, w.Verdict = l.Seq, l.Words
			return
		}
	}
}

// print tells the weighing: who saw what against what limit, and what came of it.
func (w *Weighing) print(b *strings.Builder) {
	fmt.Fprintf(b, "\nweighed at the window of step %d\n", w.Step)
	f := []Figure{fig("proposed", "%s", w.Proposed)}
	if s := &w.Subject; s.Blueprint != "" {
		f = append(f, fig("its kind", "%s: %s, stage %d, risk %s%s; hazard %s (%s), %s, by %s", s.Blueprint, s.Tier, s.Stage, short(s.Risk),
			when(s.Quarantine, ", in quarantine", ""), s.Band, short(s.Score), s.Handling, s.Provenance))
	}
	rows(b, f)
	t := table(b)
	fmt.Fprint(t, "      evaluator\tcheck\tmeasured\tlimit\tmode\tholds\tchanged\n")
	for i := range w.Rows {
		r := &w.Rows[i]
		fmt.Fprintf(t, "      %s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Evaluator, r.Reason, short(r.Value), short(r.Limit), r.Mode, when(r.OK, "yes", "NO"), r.Changed())
	}
	_ = t.Flush() // into memory
	f = []Figure{
		fig("outcome", "%s for %s", w.Effect, w.Reason), fig("went out", "%s", w.Final),
		fig("conservative", "before: %s; after: %s", w.Before.words(), w.After.words()),
	}
	if len(w.Unmeasured) > 0 {
		f = append(f, fig("not measured", "%v", w.Unmeasured))
	}
	if w.Command != 0 {
		f = append(f, fig("signed", "record %d: %s", w.Command, w.Verdict))
	}
	rows(b, f)
}
