package cli

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/guptarohit/asciigraph"
)

// The size of a plot in a terminal, without the figures at its left.
const (
	plotColumns = 64
	plotRows    = 8
	alphaRows   = 3
	minPlotted  = 10 // fewer points say more as numbers
	maxPlots    = 4  // slots whose alpha is plotted
)

// printPlots draws the loss and the alphas. Steps are in the order in which they
// were observed.
func printPlots(w io.Writer, o *observed) {
	if o.count < minPlotted {
		return
	}
	marks, legend := plotMarks(o)
	p := plot{
		title: "loss, mean over tasks, in the order of observation" + legend, values: o.loss.means(plotColumns), rows: plotRows,
		marks: marks, steps: o.steps.lasts(plotColumns),
	}
	p.lo, p.hi, p.log = scale(p.values)
	p.print(w)
	drawn := 0
	for i := range o.alphas {
		a := o.alphas[i].lasts(plotColumns)
		if _, hi, _ := scale(a); !(hi > 0) || drawn == maxPlots {
			continue
		}
		drawn++
		p := plot{title: "alpha of " + string(o.slots[i]), values: a, rows: alphaRows, lo: 0, hi: 1, steps: o.steps.lasts(plotColumns)}
		p.print(w)
	}
}

// plotMarks places the marks under the columns of a plot.
func plotMarks(o *observed) (row []rune, legend string) {
	row = []rune(strings.Repeat(" ", plotColumns))
	n := min(plotColumns, len(o.loss.buckets))
	seen := map[string]bool{}
	for _, kind := range []struct {
		name, text string
		sign       rune
	}{
		{markNonFinite, "! not finite", '!'}, {markResumed, "r resumed", 'r'}, {markRollback, "R rolled back", 'R'},
	} {
		for _, m := range o.marks {
			if m.Kind != kind.name {
				continue
			}
			row[min(m.At*n/max(o.count, 1), n-1)] = kind.sign
			if !seen[kind.name] {
				legend += "; " + kind.text
			}
			seen[kind.name] = true
		}
	}
	return row, legend
}

// plot is one figure over the columns of a terminal.
type plot struct {
	title  string
	values []float64 // one per column; what is not finite leaves a gap
	steps  []float64 // the step of each column
	marks  []rune    // under the columns
	rows   int
	lo, hi float64
	log    bool
}

// print draws the plot. The library gets values between 0 and the number of
// rows, whatever they are; the figures at the left are worked back.
func (p *plot) print(w io.Writer) {
	if !(p.hi >= p.lo) {
		return // nothing is finite
	}
	lo, hi := p.lo, p.hi
	if p.log {
		lo, hi = math.Log10(lo), math.Log10(hi)
	}
	unit := (hi - lo) / float64(p.rows)
	if unit == 0 {
		unit = 1
	}
	scaled := make([]float64, len(p.values))
	for i, v := range p.values {
		if p.log {
			v = math.Log10(v)
		}
		if scaled[i] = (v - lo) / unit; math.IsInf(scaled[i], 0) {
			scaled[i] = math.NaN()
		}
	}
	figure := func(y float64) string {
		v := lo + y*unit
		if p.log {
			v = math.Pow(10, v)
		}
		return fmt.Sprintf("%8.3g", v)
	}
	text := asciigraph.Plot(scaled, asciigraph.Height(p.rows), asciigraph.LowerBound(0), asciigraph.UpperBound((hi-lo)/unit),
		asciigraph.YAxisValueFormatter(figure))
	scaleWord := ""
	if p.log {
		scaleWord = " (log scale)"
	}
	fmt.Fprintf(w, "\n%s%s\n%s\n%s", p.title, scaleWord, text, p.foot(text))
}

// foot writes marks and steps under the columns.
func (p *plot) foot(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	axis := strings.IndexAny(first, "┤┼")
	pad := strings.Repeat(" ", len([]rune(first[:max(axis, 0)])))
	var b strings.Builder
	if marks := strings.TrimRight(string(p.marks), " "); marks != "" {
		fmt.Fprintf(&b, "%s%s\n", pad, marks)
	}
	row := []rune(strings.Repeat(" ", plotColumns+12))
	free := 0
	for i := range 5 {
		at := i * (len(p.steps) - 1) / 4
		if text := fmt.Sprintf("%.0f", p.steps[at]); at >= free {
			copy(row[at:], []rune(text))
			free = at + len(text) + 1
		}
	}
	fmt.Fprintf(&b, "%s%s  step\n", pad, strings.TrimRight(string(row), " "))
	return b.String()
}

// scale returns the smallest and the largest finite value, and whether they are
// so far apart that a logarithm shows more.
func scale(values []float64) (lo, hi float64, log bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	return lo, hi, lo > 0 && hi/lo > 50
}
