package cli

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Bounds that keep a report small whatever the run was.
const (
	chartPoints = 750 // of one line
	chartLines  = 6   // tasks, slots: more cannot be told apart
	chartProbes = 40  // bars of one chart
)

// chart is a figure with its words.
type chart struct {
	Title string
	Says  string // in words what the figure shows
	SVG   template.HTML
}

// lossChart shows the loss of every task, and the limit over which a step is
// anomalous.
func lossChart(o *observed, tasks []string) (chart, bool) {
	lines, names, classes := [][]float64{}, []string{}, []string{}
	for i := range min(len(o.tasks), len(tasks), chartLines) {
		lines = append(lines, o.tasks[i].means(chartPoints))
		names, classes = append(names, tasks[i]), append(classes, fmt.Sprintf("line s%d", i))
	}
	a := axes{n: o.count, top: 44, bottom: 240}
	if !a.fit(lines) {
		return chart{}, false
	}
	c := canvas{height: 264}
	limit := o.limit.means(chartPoints)
	if lo, _, _ := scale(limit); lo <= 1.2*a.hi { // one far above tells nothing
		a.fit(append(lines, limit))
		lines, names, classes = append(lines, limit), append(names, "limit"), append(classes, "line limit")
	}
	c.legend(names, classes)
	c.grid(&a)
	c.steps(&a, o.steps.lasts(chartPoints))
	for i, l := range lines {
		c.line(&a, l, classes[i])
	}
	c.marks(&a, o.marks)
	title := "Training loss per task" + logWord(&a)
	mean := o.loss.means(chartPoints)
	says := fmt.Sprintf("%d observed steps. Mean over tasks: %.3g first, %.3g last, %.3g at most. %s",
		o.count, firstFinite(mean), at(mean, len(mean)-1), o.loss.most(), markWords(o.marks))
	return chart{title, says, c.finish(title, says)}, true
}

func logWord(a *axes) string {
	if a.log {
		return ", logarithmic"
	}
	return ""
}

func firstFinite(values []float64) float64 {
	for _, v := range values {
		if !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

// markWords says marks in words.
func markWords(marks []mark) string {
	var words []string
	n := 0
	for _, m := range marks {
		switch m.Kind {
		case markRollback:
			n++
			words = append(words, fmt.Sprintf("R%d: rolled back for step %d.", n, m.Step))
		case markResumed:
			words = append(words, fmt.Sprintf("Resumed from step %d.", m.Step))
		case markNonFinite:
			words = append(words, fmt.Sprintf("Step %d was not finite (cross).", m.Step))
		}
		if len(words) == 12 {
			return strings.Join(words, " ") + fmt.Sprintf(" %d marks in all.", len(marks))
		}
	}
	return strings.Join(words, " ")
}

// ratioChart shows how many pairs of task gradients were in conflict.
func ratioChart(o *observed) (chart, bool) {
	values := o.ratio.means(chartPoints / 6) // single steps jump between a few values
	if lo, _, _ := scale(values); math.IsInf(lo, 1) {
		return chart{}, false
	}
	a := axes{n: o.count, lo: 0, hi: 1, top: chartTop, bottom: 140}
	c := canvas{height: 164}
	c.grid(&a)
	c.steps(&a, o.steps.lasts(chartPoints))
	c.line(&a, values, "line s0")
	c.marks(&a, o.marks)
	title := "Share of task pairs whose gradients conflict"
	lo, hi, _ := scale(values)
	says := fmt.Sprintf("Means over neighbouring steps, between %.2f and %.2f.", lo, hi)
	return chart{title, says, c.finish(title, says)}, true
}

// alphaChart shows the alpha of one slot over the stages of its seeds.
func alphaChart(o *observed, i int) (chart, bool) {
	if len(o.stages[i]) == 0 {
		return chart{}, false
	}
	a := axes{n: o.count, lo: 0, hi: 1, top: chartTop, bottom: 118}
	c := canvas{height: 182}
	c.grid(&a)
	c.steps(&a, o.steps.lasts(chartPoints))
	c.line(&a, o.alphas[i].lasts(chartPoints), "line s0")
	c.marks(&a, o.marks)
	words := c.lane(&a, o.stages[i], 130)
	title := fmt.Sprintf("Alpha and stages of %s", o.slots[i])
	return chart{title, words, c.finish(title, words)}, true
}

// lane draws the stages of a slot as boxes with the gates that let it in, and
// says them in words.
func (c *canvas) lane(a *axes, stages []stageChange, y float64) string {
	var words []string
	for i, s := range stages {
		from, to := a.x(float64(s.At)), a.x(float64(a.n))
		if i+1 < len(stages) {
			to = a.x(float64(stages[i+1].At))
		}
		word := fmt.Sprintf("%s at step %d%s", s.Stage, s.Step, gateWords(s.Gates))
		if s.Undo != "" {
			word = fmt.Sprintf("back to %s by %s", s.Stage, s.Undo)
		}
		words = append(words, word)
		c.f(`<rect x="%.1f" y="%.1f" width="%.1f" height="20" class="stage g%d"><title>%s</title></rect>`,
			from, y, math.Max(to-from, 0.8), int(s.Stage), html.EscapeString(word))
		c.text(from+3, y+14, "lane", stageLabel(s.Stage, to-from))
		c.gateMark(from, y, s.Gates)
	}
	return strings.Join(words, "; ") + "."
}

// stageLabel is a stage in small letters, its first one where there is no room
// for more, or nothing.
func stageLabel(s leyline.Stage, room float64) string {
	label := strings.ToLower(s.String())
	switch {
	case room > 6.4*float64(len(label)):
		return label
	case room > 12:
		return label[:1]
	}
	return ""
}

// gateMark draws a tick where gates were passed, and a cross where one failed.
func (c *canvas) gateMark(x, y float64, gates []gateVerdict) {
	for _, g := range gates {
		if g.Passed {
			c.f(`<path class="gate" d="M%.1f %.1fl3 4l5 -8"/>`, x-1, y-5)
		} else {
			c.f(`<path class="cross" d="M%.1f %.1fl8 8m0 -8l-8 8"/>`, x-4, y-10)
		}
	}
}

func gateWords(gates []gateVerdict) string {
	var b strings.Builder
	for _, g := range gates {
		verdict := "passed"
		if !g.Passed {
			verdict = "FAILED on " + g.Reason
		}
		fmt.Fprintf(&b, " (%s %s)", g.Gate, verdict)
	}
	return b.String()
}

// probeChart shows what the probes of one life measured.
func probeChart(l *seedLife) (chart, bool) {
	ps := l.Probes[max(len(l.Probes)-chartProbes, 0):]
	if len(ps) == 0 {
		return chart{}, false
	}
	var points []float64
	for _, p := range ps {
		points = append(points, p.Points)
	}
	lo, hi, _ := scale(points)
	a := axes{n: len(ps), lo: math.Min(lo, 0), hi: math.Max(hi, 0), top: chartTop, bottom: 130}
	if a.lo == a.hi || math.IsInf(a.hi-a.lo, 0) {
		a.lo, a.hi = -1, 1
	}
	c := canvas{height: 164}
	c.grid(&a)
	wide := math.Min((a.x(1)-a.x(0))*0.6, 48)
	for i, p := range ps {
		mid := a.x(float64(i) + 0.5)
		c.bar(&a, mid, wide, p)
		c.text(mid, c.height-6, "tick mid", fmt.Sprintf("%d", p.Step))
	}
	c.rule(chartLeft, a.y(0), chartWidth-chartRight, a.y(0), "zero")
	title := fmt.Sprintf("Measured gain of %s (%s) by step, in points of accuracy", l.Seed, l.Blueprint)
	says := strings.Join(l.gains(), ", ") + ". " + l.standing()
	return chart{title, says, c.finish(title, says)}, true
}

func (c *canvas) bar(a *axes, mid, wide float64, p probe) {
	if math.IsNaN(p.Points) || math.IsInf(p.Points, 0) {
		c.text(mid, a.y(0)-4, "tick mid", "not finite")
		return
	}
	class := "bar"
	if p.Undone != "" {
		class = "bar undone"
	}
	top, bottom := a.y(math.Max(p.Points, 0)), a.y(math.Min(p.Points, 0))
	c.f(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"/>`, mid-wide/2, top, wide, math.Max(bottom-top, 0.5), class)
	c.text(mid, top-4, "tick mid", fmt.Sprintf("%+.2f", p.Points))
}

func signed(v float64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%+.2g", v)
}

// effectChart shows differences with their intervals.
func effectChart(k *comparison) (chart, bool) {
	if k == nil || len(k.Effects) == 0 {
		return chart{}, false
	}
	most, rows := 0.0, 0
	for _, e := range k.Effects {
		for _, t := range e.Tasks {
			most = math.Max(most, math.Max(math.Abs(t.Low), math.Abs(t.High)))
			rows++
		}
	}
	most = roundUp(math.Max(most, 0.1))
	const left, row = 210.0, 22.0
	x := func(v float64) float64 { return left + (v/most+1)/2*(chartWidth-left-20) }
	c := canvas{height: float64(rows)*row + 34}
	y := 16.0
	for _, v := range []float64{-most, -most / 2, 0, most / 2, most} {
		class := "grid"
		if v == 0 {
			class = "zero"
		}
		c.rule(x(v), 4, x(v), c.height-20, class)
		c.text(x(v), c.height-6, "tick mid", signed(v))
	}
	var says []string
	for _, e := range k.Effects {
		says = append(says, e.Of+": "+e.words())
		for _, t := range e.Tasks {
			c.text(left-8, y+4, "label end", fmt.Sprintf("%s: %s", e.Of, t.Task))
			c.rule(x(t.Low), y, x(t.High), y, "interval")
			c.f(`<circle cx="%.1f" cy="%.1f" r="4" class="%s"/>`, x(t.Points), y, map[bool]string{true: "dot", false: "dot hollow"}[t.Shown])
			y += row
		}
	}
	title := "What each difference changed, in points of held-out accuracy with 95% intervals"
	return chart{title, "A filled dot: the interval excludes 0.", c.finish(title, strings.Join(says, ". "))}, true
}
