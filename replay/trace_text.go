package replay

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/esper-plane/esper/leyline"
)

// String tells the trace to people, on one screen unless the record is large.
func (t *Trace) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "record %d at %s: %s\n", t.Seq, t.At, t.Words)
	rows(&b, t.Figures)
	if t.Before != nil {
		fmt.Fprintf(&b, "\nbefore it\n")
		rows(&b, t.Before.figures())
	}
	if t.Weighed != nil {
		t.Weighed.print(&b)
	}
	fmt.Fprintf(&b, "\ndecided\n")
	for i := range t.Decided {
		t.Decided[i].print(&b, i)
	}
	t.links(&b, "because of", "for", t.Causes, t.MoreCauses)
	t.links(&b, fmt.Sprintf("set in motion, as far as record %d", t.Looked), "after", t.Effects, t.MoreEffects)
	fmt.Fprintf(&b, "\n%s\n", t.Again.String())
	return b.String()
}

// rows prints names and values in two columns.
func rows(b *strings.Builder, figures []Figure) {
	w := table(b)
	for _, f := range figures {
		fmt.Fprintf(w, "  %s\t%s\n", printable(f.Name), printable(f.Value))
	}
	_ = w.Flush() // into memory
}

func table(b *strings.Builder) *tabwriter.Writer { return tabwriter.NewWriter(b, 0, 4, 2, ' ', 0) }

// print tells one event, and each of its checks in a row of a table.
func (e *Told) print(b *strings.Builder, index int) {
	fmt.Fprintf(b, "  %d %s: %s\n", index, e.Kind, e.Words)
	if len(e.Checks) == 0 {
		return
	}
	w := table(b)
	fmt.Fprint(w, "      check\tmeasured\tlimit\tmode\tholds\n")
	for _, c := range e.Checks {
		fmt.Fprintf(w, "      %s\t%s\t%s\t%s\t%s\n", printable(c.Name), short(c.Value), short(c.Limit), c.Mode, when(c.OK, "yes", "NO"))
	}
	_ = w.Flush() // into memory
}

func (t *Trace) links(b *strings.Builder, title, side string, links []Link, more bool) {
	if len(links) == 0 {
		fmt.Fprintf(b, "\n%s: nothing in these records\n", title)
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	w := table(b)
	for _, l := range links {
		kind := l.Kind.String()
		if l.At == 0 {
			kind = "?"
		}
		of := ""
		if l.Of != t.Seq {
			of = fmt.Sprintf(" (%s %d)", side, l.Of)
		}
		fmt.Fprintf(w, "  %d\t%s\t%s%s\t%s\n", l.Seq, kind, l.How, of, l.Words)
	}
	_ = w.Flush() // into memory
	if more {
		fmt.Fprintf(b, "  and more than these %d\n", MaxLinks)
	}
}

// String says whether history would be repeated.
func (a *Again) String() string {
	switch {
	case !a.Decided:
		return fmt.Sprintf("not decided again: rules of version %d decided it, this program has version %d", a.Rules, a.Program)
	case a.Identical:
		return "decided again by this program: identical"
	}
	return "decided again by this program: DIVERGED\n" + a.Divergence.String()
}

// figures tells the situation in rows.
func (s *Situation) figures() []Figure {
	f := []Figure{
		fig(string(s.Run), "%s at step %d in incarnation %d, emergency level %s%s", s.Status, s.Step, s.Incarnation, s.Emergency,
			when(s.Stalled, ", the trainer is silent", "")),
		fig("loss", "mean %s, deviation %s over %d steps%s", short(s.LossMean), short(s.LossSD), s.LossSteps, s.suspects()),
		fig("snapshots", "%d, %s", s.Snapshots, when(s.Good != "", fmt.Sprintf("%s of step %d is the newest that is proven good", s.Good, s.GoodStep),
			"none of them proven good")),
		fig("policy", "conservative mode %s, %d healthy windows%s", when(s.Cautious, "on for "+s.Caution.String(), "off"), s.Healthy,
			when(s.Asked.IsZero(), "", fmt.Sprintf(", question %s not answered", s.Asked))),
	}
	for _, k := range s.Breakers {
		f = append(f, fig("breaker", "%s is %s with %d failures", k.ID, k.State, k.Failures))
	}
	if s.Teacher != "" {
		f = append(f, fig("teacher", "%s", s.Teacher))
	}
	if s.Rollback != "" {
		f = append(f, fig("rollback", "%s, %s", s.Rollback, s.Phase))
	}
	for _, p := range s.Pending {
		f = append(f, fig("pending", "%s by command %s, to be answered by %s", p.words(), p.Command, p.Deadline))
	}
	for i := range s.Seeds {
		f = append(f, Figure{string(s.Seeds[i].Seed), s.Seeds[i].words()})
	}
	return f
}

func (s *Situation) suspects() string {
	if s.Suspect == 0 {
		return ""
	}
	return fmt.Sprintf(", %d over the limit in a row since step %d", s.Suspect, s.SuspectFrom)
}

func (s *Sprout) words() string {
	if s.Stage == leyline.StageDormant {
		return s.Stage.String()
	}
	w := fmt.Sprintf("%s for %d steps%s", s.Stage, s.Steps, when(s.Paused, ", paused", ""))
	if s.Blueprint != "" {
		w += fmt.Sprintf(", %s %d steps old at alpha %s", s.Blueprint, s.Age, short(s.Alpha))
	}
	if s.AlphaSteps > 0 {
		w += fmt.Sprintf(" (step %d of %d at temperature %v)", s.AlphaStep, s.AlphaSteps, s.Temperature)
	}
	if s.Blend != leyline.BlendUnspecified {
		w += " by " + s.Blend.String()
	}
	if s.Health > leyline.SeedHealthy {
		w += fmt.Sprintf(", %s with %d violations", s.Health, s.Violations)
	}
	if s.Parameters > 0 {
		w += fmt.Sprintf(", %s %d numbers", when(leyline.OnTrial(s.Stage), "owns", "gave the host"), s.Parameters)
	}
	if s.Measured > 0 {
		w += fmt.Sprintf(", %d steps measured, leak %s", s.Measured, short(s.MaxLeak))
	}
	if s.Probes > 0 {
		w += fmt.Sprintf(", adds %s points of accuracy and takes %s off the loss in the mean over %d probes", short(100*s.Contribution),
			short(s.LossGain), s.Probes)
	}
	return w
}
