package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/esper-plane/esper/replay/value"
)

// printPolicy prints a report as tables and sentences.
func printPolicy(out io.Writer, r value.Report) error {
	fmt.Fprintf(out, "protocol %s\n", r.Protocol)
	if !r.Complete {
		fmt.Fprintln(out, "not the whole experiment of the protocol: other workloads, seeds or steps; what is missing counts with p = 1")
	}
	for i := range r.Studies {
		if err := printStudy(out, &r.Studies[i]); err != nil {
			return err
		}
	}
	return nil
}

func printStudy(out io.Writer, s *value.StudyReport) error {
	fmt.Fprintf(out, "\n%s: seeds %d to %d, %d steps\n", s.Workload, s.First, s.First+uint64(s.Seeds)-1, s.Steps)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "arm\taccuracy %\tloss\tloss over the run\tkept\tgerminated\trefused\tparameters\tsteps\t10^9 multiply-adds\tfailed")
	for _, a := range s.Arms {
		fmt.Fprintf(w, "%s\t%.2f ± %.2f\t%.4f ± %.4f\t%.4f ± %.4f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t%.3g\t%d of %d\n", a.Arm,
			a.Accuracy.Mean, a.Accuracy.SD, a.Loss.Mean, a.Loss.SD, a.Area.Mean, a.Area.SD,
			a.Kept, a.Germinated, a.Refused, a.Parameters, a.Steps, a.Work/1e9, a.Failed, a.Runs)
	}
	fmt.Fprintln(w, "\nrules less\tby\tdifference\t95% t\t95% bootstrap\tg\tp\tHolm p\tabove/same/below\tsign p\t")
	for i := range s.Comparisons {
		printComparison(w, &s.Comparisons[i])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for i := range s.Comparisons {
		if c := &s.Comparisons[i]; c.Primary {
			fmt.Fprintf(out, "  %s\n", verdictWords(c))
		}
	}
	for _, f := range s.Failed {
		fmt.Fprintf(out, "  failed: %s, seed %d: %s\n", f.Arm, f.Seed, f.Failed)
	}
	return nil
}

func printComparison(w io.Writer, c *value.Comparison) {
	digits, holm, g := 4, "-", "-"
	if c.Outcome == value.Accuracy {
		digits = 2
	}
	if c.Holm != nil {
		holm = fmt.Sprintf("%.2g", *c.Holm)
	}
	if c.G != nil {
		g = fmt.Sprintf("%+.2f", *c.G)
	}
	fmt.Fprintf(w, "%s\t%s\t%+.*f\t%+.*f to %+.*f\t%+.*f to %+.*f\t%s\t%.2g\t%s\t%d/%d/%d\t%.2g\t\n", c.With, outcomeWords(c.Outcome), digits, c.Mean,
		digits, c.T.Low, digits, c.T.High, digits, c.Bootstrap.Low, digits, c.Bootstrap.High, g, c.P, holm,
		c.Positive, c.Zero, c.Negative, c.SignP)
}

func outcomeWords(o value.Outcome) string {
	switch o {
	case value.Accuracy:
		return "accuracy, points"
	case value.Loss:
		return "loss, nats"
	}
	return "loss over the run"
}

// verdictWords says what a primary comparison came to in one sentence.
func verdictWords(c *value.Comparison) string {
	how := fmt.Sprintf("%+.2f points (%+.2f to %+.2f)", c.Mean, c.T.Low, c.T.High)
	switch c.Verdict {
	case value.Better:
		return fmt.Sprintf("rules are better than %s: %s", c.With, how)
	case value.Worse:
		return fmt.Sprintf("rules are WORSE than %s: %s", c.With, how)
	case value.Small:
		return fmt.Sprintf("rules and %s differ by less than a point: %s", c.With, how)
	}
	return fmt.Sprintf("no difference is shown between rules and %s, and none excluded: %s", c.With, how)
}
