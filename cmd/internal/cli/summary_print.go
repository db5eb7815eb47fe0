package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

func (d summaryDoc) print(out io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	d.head(w)
	d.tasks(w)
	if d.Comparison != nil {
		d.Comparison.print(w)
	}
	printPlots(w, &d.observed)
	d.seeds(w)
	d.timeline(w)
	for i := range d.Rollbacks {
		(*fall)(&d.Rollbacks[i]).print(w)
	}
	d.commands(w)
	d.telemetry(w)
	d.tail(w)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := out.Write(readable(text.Bytes()))
	return err
}

func (d summaryDoc) head(w io.Writer) {
	if d.Halted != "" {
		fmt.Fprintf(w, "\n%s HALTED at step %d: %s\n", d.Run, d.Steps, d.Halted)
	} else {
		d.finished(w)
	}
	for _, f := range d.Missed {
		fmt.Fprintf(w, "fault\t%s@%d did not strike: there was nothing yet that it could take hold of\n", f.Name, f.Step)
	}
	if d.Combined == 0 {
		fmt.Fprint(w, "conflicts\tno step was given weights\n")
		return
	}
	fmt.Fprintf(w, "conflicts\t%d of %d steps had conflicting task gradients, %.0f%% of pairs on average; combined by %s through the Gram matrix\n",
		d.Conflicted, d.Combined, 100*d.Ratio, d.Method)
}

func (d summaryDoc) finished(w io.Writer) {
	fmt.Fprintf(w, "\n%s finished: %d steps in %.1f s", d.Run, d.Steps, d.Seconds)
	if d.Resumed {
		fmt.Fprint(w, " since it was resumed")
	}
	fmt.Fprintf(w, "\nweights\t%s\n", d.Digest.Short())
}

// tasks prints held-out results, beside those of the same network with every
// seed switched off when there is one.
func (d summaryDoc) tasks(w io.Writer) {
	if len(d.Tasks) == 0 {
		return // a halted run is not judged
	}
	if len(d.Grown) == 0 {
		fmt.Fprint(w, "\nheld-out\taccuracy\tloss\n")
		for _, t := range d.Tasks {
			fmt.Fprintf(w, "  %s\t%.2f%%\t%.3f\n", t.Task, 100*t.Accuracy, t.Loss)
		}
		fmt.Fprint(w, "  no seed is part of the network: there is nothing to switch off\n")
		return
	}
	fmt.Fprint(w, "\nheld-out\twith seeds\tloss\twithout\tloss\tdifference\n")
	for _, t := range d.Tasks {
		fmt.Fprintf(w, "  %s\t%.2f%%\t%.3f\t%.2f%%\t%.3f\t%+.2f points\n",
			t.Task, 100*t.Accuracy, t.Loss, 100*t.AccuracyAt0, t.LossAt0, 100*(t.Accuracy-t.AccuracyAt0))
	}
	fmt.Fprint(w, "  without: the same network with every seed switched off (alpha 0). It has come to rely on them;\n  to see what growing them gained, compare with a run that grew none (--compare)\n")
	for _, g := range d.Grown {
		fmt.Fprintf(w, "  %s\n", grownWords(g))
	}
}

func grownWords(g workload.SeedResult) string {
	return fmt.Sprintf("%s (%s, alpha %.3g) alone adds %+.2f points of accuracy, mean over tasks", g.Seed, g.Blueprint, g.Alpha, 100*g.Gain)
}

// seeds prints the lives of the seeds.
func (d summaryDoc) seeds(w io.Writer) {
	if len(d.Seeds) == 0 {
		fmt.Fprint(w, "\nseeds\tnone germinated\n")
		return
	}
	fmt.Fprint(w, "\nseeds\tstage@step gates passed to enter it\n")
	for i := range d.Seeds {
		l := &d.Seeds[i]
		fmt.Fprintf(w, "  %s\t%s  %s\n", l.Seed, l.Blueprint, l.standing())
		for _, line := range wrap(l.lane(), 96) {
			fmt.Fprintf(w, "\t  %s\n", line)
		}
		for _, line := range wrap(l.gains(), 96) {
			fmt.Fprintf(w, "\t  %s\n", line)
		}
		if v := l.Verdict; v != nil && !v.kept() && v.Probes > 0 {
			fmt.Fprintf(w, "\t  record %d: %s\n", v.Seq, v.Why)
		}
	}
}

// lane is a life in one line: what was undone stands in brackets.
func (l *seedLife) lane() []string {
	var words []string
	open := ""
	for i := range l.Moves {
		m := &l.Moves[i]
		if m.Undone != open && open != "" {
			words[len(words)-1] += " undone by " + open + "]"
		}
		word := m.words()
		if m.Undone != open && m.Undone != "" {
			word = "[" + word
		}
		open = m.Undone
		words = append(words, word)
	}
	if open != "" {
		words[len(words)-1] += " undone by " + open + "]"
	}
	return words
}

// gains is what the probes measured, in points of accuracy.
func (l *seedLife) gains() []string {
	var words []string
	for _, p := range l.Probes {
		word := fmt.Sprintf("%+.2f@%d", p.Points, p.Step)
		if p.Undone != "" {
			word = "[" + word + " undone]"
		}
		words = append(words, word)
	}
	if len(words) > 0 {
		words[0] = "measured gain in points: " + words[0]
	}
	return words
}

// wrap joins words to lines of about a width.
func wrap(words []string, width int) []string {
	var lines []string
	for _, word := range words {
		n := len(lines) - 1
		if n < 0 || len(lines[n])+2+len(word) > width {
			lines = append(lines, word)
			continue
		}
		lines[n] += "  " + word
	}
	return lines
}

// timelineEnds is how many lines a long timeline keeps at each end.
const timelineEnds = 25

// timeline prints what no life of a seed tells.
func (d summaryDoc) timeline(w io.Writer) {
	beats := d.beats()
	fmt.Fprint(w, "\nrecord\tstep\twhat happened\n")
	for i, b := range beats {
		if left := len(beats) - 2*timelineEnds; left > 0 && i >= timelineEnds && i < timelineEnds+left {
			if i == timelineEnds {
				fmt.Fprintf(w, "  ...\t\t%d more; --json and --report have them all\n", left)
			}
			continue
		}
		fmt.Fprintf(w, "  %d\t%d\t%s\n", b.Seq, b.Step, b.Text)
	}
}

// beats are those that no life of a seed tells.
func (d summaryDoc) beats() []beat {
	return slices.DeleteFunc(slices.Clone(d.Timeline), func(b beat) bool { return b.Seed != "" })
}

func (d summaryDoc) commands(w io.Writer) {
	c := d.Commands
	fmt.Fprintf(w, "\ncommands\t%d accepted%s, %d rejected\n", c.Accepted, countWords(c.Operations), c.Rejected)
	fmt.Fprintf(w, "\t%s\n", c.answers())
	for _, x := range c.Rejections {
		fmt.Fprintf(w, "  rejected\t%s\n", x.words())
	}
	if more := c.Rejected - uint64(len(c.Rejections)); more > 0 {
		fmt.Fprintf(w, "  rejected\t%d more; `esper audit --verdict rejected` lists them\n", more)
	}
	for _, x := range c.Failures {
		fmt.Fprintf(w, "  failed\trecord %d: %s: %s\n", x.Seq, x.Command, printable(x.Reason))
	}
}

// answers says what became of the accepted commands.
func (c *commandStory) answers() string {
	var expired uint64
	for _, x := range c.Expired {
		expired += x.Count
	}
	return fmt.Sprintf("%d carried out by the trainer, %d could not be, %d expired%s", c.Answered-c.Failed, c.Failed, expired, countWords(c.Expired))
}

func (x *rejection) words() string {
	what := printable(string(x.Command))
	if x.Operation != leyline.OpUnknown {
		what = fmt.Sprintf("%s %s, %s", x.Operation, printable(string(x.Seed)), what)
	}
	s := fmt.Sprintf("record %d: %s: %s", x.Seq, x.Reason, what)
	if x.Issuer != "" {
		s += " of " + printable(x.Issuer)
	}
	if x.Detail != "" {
		s += ": " + printable(x.Detail)
	}
	return s
}

// countWords lists counts in brackets, or nothing.
func countWords(list []named) string {
	var parts []string
	for _, n := range list {
		parts = append(parts, fmt.Sprintf("%s %d", n.Name, n.Count))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func (d summaryDoc) telemetry(w io.Writer) {
	t := d.Telemetry
	fmt.Fprintf(w, "\ntelemetry\t%d packets: %d normal; emergency stream: %d high, %d critical; their events:\n", t.total(), t.Normal, t.High, t.Critical)
	for _, u := range t.urgentFirst() {
		fmt.Fprintf(w, "  %s\t%s x%d\n", u.Priority, u.Name, u.Count)
	}
	fmt.Fprintf(w, "  stream\t%s\n", d.Sink.words())
}

// urgentFirst lists CRITICAL events before HIGH ones.
func (t *telemetryStory) urgentFirst() []urgent {
	out := slices.Clone(t.Names)
	slices.SortStableFunc(out, func(a, b urgent) int { return int(b.Priority) - int(a.Priority) })
	return out
}

func (d summaryDoc) tail(w io.Writer) {
	fmt.Fprintf(w, "snapshots\t%d taken, %d kept, of steps %s\n", d.Snapshots, len(d.Kept), strings.Trim(fmt.Sprint(d.Kept), "[]"))
	fmt.Fprintf(w, "plane\t%s\n", d.Cost.words(d.Resumed))
	fmt.Fprintf(w, "log\t%s, %d records, this run's %d among them\n", d.Log, d.Last, d.Records)
	if d.Report != "" {
		fmt.Fprintf(w, "report\t%s\n", d.Report)
	}
	label := "\nnext"
	for _, n := range d.Next {
		fmt.Fprintf(w, "%s\t%s\t%s\n", label, n.Command, n.What)
		label = ""
	}
}

// words says what the plane cost.
func (c *costDoc) words(resumed bool) string {
	since := ""
	if resumed {
		since = " since it was resumed"
	}
	return fmt.Sprintf("the trainer waited %.2f s for it%s, %.0f%% of the time; %.0f bytes of log for each of %d observed steps",
		c.WaitedSeconds, since, 100*c.WaitedShare, c.BytesPerStep, c.Observed)
}
