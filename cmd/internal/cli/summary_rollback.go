package cli

import (
	"fmt"
	"io"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/sla"
)

// fall is a rollback as people read of it.
type fall sla.Rollback

// part is one line of a rollback: how long, and from what to what.
type part struct {
	Name string
	Ms   *float64 // nil: did not happen, or is not known
	What string
}

// head says what a rollback was for and how it ended.
func (b *fall) head() string {
	end := b.Outcome.String()
	switch {
	case b.Resumed:
		end = "the process died within it, the resume completed it"
	case b.Outcome == leyline.OutcomeUnspecified:
		end = "not ended"
	}
	return fmt.Sprintf("%s: %s at step %d, back to step %d: %s", b.ID, b.Cause, b.FaultStep, b.ToStep, end)
}

// parts are detect, decide, restore and the first good step. A process that died
// within a rollback leaves a part unfinished; the resume stands in its place.
func (b *fall) parts() []part {
	r := &b.Records
	out := []part{{"detect", b.DetectMs, fmt.Sprintf("step %d is reported to the decision in record %d", b.FaultStep, r.Started)}}
	if b.DecideMs != nil || !b.Resumed {
		out = append(out, part{sla.PartDecide, b.DecideMs, b.prepared() + inRecord(r.Decided)})
	}
	if b.Resumed {
		out = append(out, part{"resume", b.ResumeMs, fmt.Sprintf("the run is resumed from step %d%s", b.ToStep, inRecord(r.Finished))})
	} else {
		out = append(out, part{sla.PartRestore, b.RestoreMs, "the trainer has restored it and says so" + inRecord(r.Finished)})
	}
	for i := range out {
		if b.Died == sla.PartDecide && i == 1 || b.Died == sla.PartRestore && i == 2 {
			out[i].What += "; the process died here, the time without one is counted"
		}
	}
	good := "there was none before the end"
	if b.GoodMs != nil {
		good = fmt.Sprintf("step %d is healthy%s", b.GoodStep, inRecord(r.Good))
	}
	return append(out, part{"first good step", b.GoodMs, good})
}

func inRecord(seq leyline.Seq) string {
	if seq == 0 {
		return ""
	}
	return fmt.Sprintf(", record %d", seq)
}

// prepared says what the plane did before the trainer's part.
func (b *fall) prepared() string {
	if (leyline.SnapshotRef{Tier: b.Tier, Bytes: b.Bytes, Check: b.SavedCheck}).Quick() {
		return "a snapshot is chosen, its size and header verified"
	}
	return "a snapshot is chosen, read and its bytes verified"
}

// sla holds the time spent against the budget.
func (b *fall) sla() string {
	switch {
	case b.BudgetMs == nil:
		return "not judged: its clock stood still"
	case b.SpentMs == nil:
		return fmt.Sprintf("%.0f ms; not ended", *b.BudgetMs)
	}
	within := "MISSED"
	if b.WithinSLA {
		within = "met"
	}
	if b.Resumed {
		within = "MISSED: the process died within it"
	}
	if b.Overran != leyline.PhaseUnspecified {
		within += fmt.Sprintf(", in phase %s", b.Overran)
	}
	return fmt.Sprintf("%.2f ms of %.0f ms%s: %s", *b.SpentMs, *b.BudgetMs, b.tiers(), within)
}

// tiers says which tier the time was spent on.
func (b *fall) tiers() string {
	switch {
	case b.LeftFast != leyline.PhaseUnspecified:
		return fmt.Sprintf(" (full tier, after the fast one was given up in phase %s: %s)", b.LeftFast, b.LeftWhy)
	case b.Tier != leyline.TierUnspecified:
		return fmt.Sprintf(" (%s tier)", b.Tier)
	}
	return ""
}

// digests compares what was restored with what was saved.
func (b *fall) digests() string {
	switch {
	case b.Restored.IsZero() && b.RestoredCheck == 0:
		return ""
	case b.Restored.IsZero() && b.RestoredCheck == b.SavedCheck:
		return fmt.Sprintf("checksum restored %s equals checksum saved %s", b.RestoredCheck, b.SavedCheck)
	case b.Restored.IsZero():
		return fmt.Sprintf("checksum restored %s DIFFERS from checksum saved %s", b.RestoredCheck, b.SavedCheck)
	case b.Restored == b.Saved:
		return fmt.Sprintf("digest restored %s equals digest saved %s", b.Restored.Short(), b.Saved.Short())
	}
	return fmt.Sprintf("digest restored %s DIFFERS from digest saved %s", b.Restored.Short(), b.Saved.Short())
}

func (b *fall) print(w io.Writer) {
	fmt.Fprintf(w, "\nrollback  %s\n", b.head())
	for i, a := range b.Attempts {
		if len(b.Attempts) > 1 {
			fmt.Fprintf(w, "  attempt %d\t%s\n", i+1, attemptWords(&a))
		}
	}
	for _, p := range b.parts() {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", p.Name, p.took(), p.What)
	}
	fmt.Fprintf(w, "  SLA\t%s\n", b.sla())
	if s := b.digests(); s != "" {
		fmt.Fprintf(w, "  bytes\t%s\n", s)
	}
}

func attemptWords(a *sla.Attempt) string {
	s := fmt.Sprintf("%s to step %d, record %d: %s", a.ID, a.ToStep, a.Seq, a.Outcome)
	if a.Reason != leyline.FaultNone {
		s += " (" + a.Reason.String() + ")"
	}
	return s
}

func (p *part) took() string {
	if p.Ms == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f ms", *p.Ms)
}
