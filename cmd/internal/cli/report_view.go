package cli

import (
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/workload"
)

// reportView is what the page shows, in its order.
type reportView struct {
	*summaryDoc
	Version  string
	Tiles    []tile
	Losses   []chart
	Lives    []lifeView
	Alphas   []chart
	Effects  []chart
	Falls    []fallView
	Weighed  []*weighing
	Beats    []beat
	Hidden   hidden
	Urgent   []urgent
	Answers  string
	CostText string
	Stream   string
}

// tile is one figure at the top of the page.
type tile struct{ Name, Value, Note string }

// lifeView is the life of one seed.
type lifeView struct {
	*seedLife
	Standing string
	Charts   []chart
}

// fallView is one rollback.
type fallView struct {
	Number int
	Head   string
	Tries  []string
	Parts  []part
	SLA    string
	Bytes  string
}

// weighing is a window in which risk changed the decision.
type weighing struct {
	Seq leyline.Seq
	*replay.Weighing
}

// What a page shows at most. The newest lives and rollbacks stay, the oldest
// entries of the timeline.
const (
	maxReportBeats = 1000
	maxReportLives = 40
	maxReportFalls = 40

	maxReportWeighed = 40
)

// hidden counts what a page leaves out; --json has it.
type hidden struct{ Beats, Lives, Falls int }

func newReportView(d *summaryDoc) *reportView {
	v := &reportView{
		summaryDoc: d, Version: Version, Tiles: d.tiles(), Urgent: d.Telemetry.urgentFirst(), Answers: d.Commands.answers(),
		CostText: d.Cost.words(d.Resumed), Stream: d.Sink.words(),
		Weighed: d.weighed,
		Beats:   d.Timeline[:min(len(d.Timeline), maxReportBeats)],
		Hidden:  hidden{max(len(d.Timeline)-maxReportBeats, 0), max(len(d.Seeds)-maxReportLives, 0), max(len(d.Rollbacks)-maxReportFalls, 0)},
	}
	o := &d.observed
	if o.count > 0 {
		v.Losses = charts(v.Losses)(lossChart(o, taskNames(d.Tasks)))
		v.Losses = charts(v.Losses)(ratioChart(o))
		for i := range min(len(o.slots), chartLines) {
			v.Alphas = charts(v.Alphas)(alphaChart(o, i))
		}
	}
	v.Effects = charts(nil)(effectChart(d.Comparison))
	for i := v.Hidden.Lives; i < len(d.Seeds); i++ {
		l := &d.Seeds[i]
		v.Lives = append(v.Lives, lifeView{l, strings.ReplaceAll(l.standing(), "  ", ", "), charts(nil)(probeChart(l))})
	}
	for i := v.Hidden.Falls; i < len(d.Rollbacks); i++ {
		v.Falls = append(v.Falls, (*fall)(&d.Rollbacks[i]).view(i+1))
	}
	return v
}

// charts appends a chart if there is one.
func charts(list []chart) func(chart, bool) []chart {
	return func(c chart, ok bool) []chart {
		if !ok {
			return list
		}
		return append(list, c)
	}
}

func taskNames(tasks []workload.TaskResult) []string {
	var out []string
	for _, t := range tasks {
		out = append(out, string(t.Task))
	}
	return out
}

func (b *fall) view(number int) fallView {
	v := fallView{Number: number, Head: b.head(), Parts: b.parts(), SLA: b.sla(), Bytes: b.digests()}
	for i, a := range b.Attempts {
		if len(b.Attempts) > 1 {
			v.Tries = append(v.Tries, fmt.Sprintf("attempt %d: %s", i+1, attemptWords(&a)))
		}
	}
	return v
}

func (d *summaryDoc) tiles() []tile {
	mean := 0.0
	for _, t := range d.Tasks {
		mean += 100 * t.Accuracy / float64(len(d.Tasks))
	}
	met := 0
	for i := range d.Rollbacks {
		if d.Rollbacks[i].WithinSLA && !d.Rollbacks[i].Resumed {
			met++
		}
	}
	kept := 0
	for i := range d.Seeds {
		if v := d.Seeds[i].Verdict; v != nil && v.kept() {
			kept++
		}
	}
	resumed := ""
	if d.Resumed {
		resumed = " since it was resumed"
	}
	return []tile{
		{"Steps", fmt.Sprint(d.Steps), fmt.Sprintf("in %.1f s%s", d.Seconds, resumed)},
		{"Held-out accuracy", fmt.Sprintf("%.2f%%", mean), fmt.Sprintf("mean over %d tasks", len(d.Tasks))},
		{"Seeds", fmt.Sprintf("%d kept", kept), fmt.Sprintf("of %d germinated", len(d.Seeds))},
		{"Rollbacks", fmt.Sprint(len(d.Rollbacks)), fmt.Sprintf("%d within their SLA", met)},
		{"Commands", fmt.Sprint(d.Commands.Accepted), fmt.Sprintf("accepted, %d rejected", d.Commands.Rejected)},
		{"Waiting for the plane", fmt.Sprintf("%.0f%%", 100*d.Cost.WaitedShare), "of the time"},
	}
}

// kept reports whether the seed stayed.
func (v *seedVerdict) kept() bool { return v.Operation == leyline.OpFossilize }

// Percent writes a share as a percentage.
func (v *reportView) Percent(x float64) string { return fmt.Sprintf("%.2f%%", 100*x) }

// Points writes a difference of two shares.
func (v *reportView) Points(a, b float64) string { return fmt.Sprintf("%+.2f", 100*(a-b)) }

// Number writes a number shortly.
func (v *reportView) Number(x float64) string { return fmt.Sprintf("%.3g", x) }

// Gain says what one seed of the network adds.
func (v *reportView) Gain(g workload.SeedResult) string { return grownWords(g) }

// Rejected says why a command was declined.
func (v *reportView) Rejected(x rejection) string { return x.words() }

// Move says a stage with its gates.
func (v *reportView) Move(m seedMove) string { return m.words() }

// Took says how long a part of a rollback took.
func (v *reportView) Took(p part) string { return p.took() }

// Effect says what a difference changed.
func (v *reportView) Effect(e effectOf) string { return e.words() }

// Printable keeps control characters out of the page.
func (v *reportView) Printable(s string) string { return printable(s) }
