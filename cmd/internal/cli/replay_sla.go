package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/sla"
)

// errSLA: a rollback in the log was not within its service level.
var errSLA = errors.New("a rollback missed its service level")

// checkSLA finds contradictions with --sla.
func (f *replayFlags) checkSLA() error {
	switch {
	case f.explain != "":
		return usagef("--sla and --explain ask for two things; give one")
	case f.given():
		return usagef("--config and --set change nothing under --sla: it tells what was recorded")
	}
	return nil
}

// sla tells from the records how every rollback went.
func (a *app) sla(ctx context.Context, path string, f replayFlags, o opened) error {
	r, err := sla.Of(ctx, o.source, o.start, leyline.Seq(f.from), leyline.Seq(f.to))
	if err != nil {
		return err
	}
	if a.json {
		err = a.document(struct {
			Path string `json:"path"`
			Note string `json:"note,omitempty"`
			sla.Report
		}{path, o.note, r})
	} else {
		err = a.printSLA(o.note, r)
	}
	if err == nil && !r.Met {
		err = errSLA
	}
	return err
}

func (a *app) printSLA(note string, r sla.Report) error {
	if note != "" {
		a.notice("%s", note)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "records\t%d (%d to %d)\n", r.Records, r.First, r.Last)
	if len(r.Rollbacks) == 0 {
		fmt.Fprintf(w, "rollbacks\tnone\n")
		return w.Flush()
	}
	for i := range r.Rollbacks {
		(*fall)(&r.Rollbacks[i]).print(w)
	}
	fmt.Fprintf(w, "\nrollbacks\t%d\tcount\tp50\tp95\tp99\tmax\n", len(r.Rollbacks))
	for _, p := range r.Recovery {
		fmt.Fprintf(w, "  %s\t\t%s\n", p.Name, distribution(p.Ms))
	}
	for _, l := range r.Tiers {
		if l.Met+l.Missed > 0 {
			fmt.Fprintf(w, "  %s tier\t%.0f ms\t%s\t%d met, %d MISSED\n", l.Tier, l.BudgetMs, distribution(l.Spent), l.Met, l.Missed)
		}
	}
	if r.Unjudged > 0 {
		fmt.Fprintf(w, "  not judged\t%d: their clock stood still\n", r.Unjudged)
	}
	if r.Wrong > 0 {
		fmt.Fprintf(w, "  WRONG\t%d records say otherwise than they add up to\n", r.Wrong)
	}
	return w.Flush()
}

func distribution(d sla.Distribution) string {
	return fmt.Sprintf("%d\t%.2f\t%.2f\t%.2f\t%.2f ms", d.Count, d.P50, d.P95, d.P99, d.Max)
}
