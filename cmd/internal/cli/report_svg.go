package cli

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// The size of a chart in its own units. It is drawn as wide as the page allows.
const (
	chartWidth  = 760.0
	chartLeft   = 64.0
	chartRight  = 12.0
	chartTop    = 18.0
	chartBottom = 24.0
)

// canvas builds one chart as inline SVG. Whatever is written into it as text is
// escaped.
type canvas struct {
	b      strings.Builder
	height float64
}

func (c *canvas) f(format string, args ...any) { fmt.Fprintf(&c.b, format, args...) }

func (c *canvas) text(x, y float64, class, text string) {
	c.f(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, html.EscapeString(text))
}

func (c *canvas) rule(x1, y1, x2, y2 float64, class string) {
	c.f(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

// finish wraps what was drawn. The title and the description are what a reader
// hears who does not see the chart.
func (c *canvas) finish(title, says string) template.HTML {
	body := fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" role="img"><title>%s</title><desc>%s</desc>%s</svg>`,
		chartWidth, c.height, html.EscapeString(title), html.EscapeString(says), c.b.String())
	return template.HTML(body) // every text in it went through EscapeString
}

// axes map observations and values to a canvas.
type axes struct {
	n           int // observations
	lo, hi      float64
	log         bool
	top, bottom float64 // in units of the canvas
}

// x is where an observation lies, given as how many came before it.
func (a *axes) x(before float64) float64 {
	return chartLeft + before/math.Max(float64(a.n), 1)*(chartWidth-chartLeft-chartRight)
}

func (a *axes) y(v float64) float64 {
	lo, hi := a.lo, a.hi
	if a.log {
		v, lo, hi = math.Log10(v), math.Log10(lo), math.Log10(hi)
	}
	return a.bottom - (v-lo)/(hi-lo)*(a.bottom-a.top)
}

// fit chooses a range that holds all finite values.
func (a *axes) fit(lines [][]float64) bool {
	a.lo, a.hi = math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		lo, hi, _ := scale(l)
		a.lo, a.hi = math.Min(a.lo, lo), math.Max(a.hi, hi)
	}
	if !(a.hi >= a.lo) {
		return false
	}
	if a.log = a.lo > 0 && a.hi/a.lo > 50; a.log {
		return true
	}
	if a.lo > 0 && a.lo < a.hi/2 {
		a.lo = 0
	}
	if a.hi == a.lo {
		a.hi = a.lo + math.Max(math.Abs(a.lo), 1)
	}
	return true
}

// ticks are round values within the range, about five of them.
func (a *axes) ticks() []float64 {
	var out []float64
	if a.log {
		for e := math.Floor(math.Log10(a.lo)); e <= math.Ceil(math.Log10(a.hi)); e++ {
			if v := math.Pow(10, e); v >= a.lo && v <= a.hi {
				out = append(out, v)
			}
		}
		return out
	}
	step := roundUp((a.hi - a.lo) / 5)
	for n := math.Ceil(a.lo / step); n*step <= a.hi; n++ {
		out = append(out, n*step)
	}
	return out
}

// roundUp returns the least of 1, 2 and 5 times a power of ten that is not below
// v, which is positive.
func roundUp(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= v {
			return m * unit
		}
	}
	return 10 * unit
}

// grid draws the horizontal lines with their values.
func (c *canvas) grid(a *axes) {
	for _, v := range a.ticks() {
		c.rule(chartLeft, a.y(v), chartWidth-chartRight, a.y(v), "grid")
		c.text(chartLeft-6, a.y(v)+4, "tick end", fmt.Sprintf("%.3g", v))
	}
}

// steps writes step numbers under the chart.
func (c *canvas) steps(a *axes, steps []float64) {
	const ticks = 6
	for i := range ticks + 1 {
		at := i * (len(steps) - 1) / ticks
		class := "tick mid"
		if i == ticks {
			class = "tick end"
		}
		c.text(a.x(float64(at)*float64(a.n)/float64(len(steps))), c.height-6, class, fmt.Sprintf("%.0f", steps[at]))
	}
}

// line draws a figure; what is not finite leaves a gap.
func (c *canvas) line(a *axes, values []float64, class string) {
	c.f(`<path class="%s" d="`, class)
	pen := "M"
	for i, v := range values {
		y := a.y(v)
		if math.IsNaN(y) || math.IsInf(y, 0) {
			pen = "M"
			continue
		}
		x := a.x((float64(i) + 0.5) * float64(a.n) / float64(len(values)))
		c.f("%s%.1f %.1f", pen, x, y)
		if pen == "M" {
			c.b.WriteString("h0") // a point alone is a dot
		}
		pen = "L"
	}
	c.b.WriteString(`"/>`)
}

// marks draws what happened on the axis of observations: rollbacks and resumes
// as lines with their number, steps that were not finite as crosses.
func (c *canvas) marks(a *axes, marks []mark) {
	n, free := 0, 0.0
	for _, m := range marks {
		x := a.x(float64(m.At) + 0.5)
		label := "resumed"
		switch m.Kind {
		case markNonFinite:
			c.f(`<path class="cross" d="M%.1f %.1fl8 8m0 -8l-8 8"/>`, x-4, a.top+1)
			continue
		case markRollback:
			n++
			label = fmt.Sprintf("R%d", n)
		}
		c.rule(x, a.top-2, x, a.bottom, "mark")
		if x >= free {
			c.text(x, a.top-6, "tick mid", label)
			free = x + 8*float64(len(label))
		}
	}
}

// legend names lines above a chart.
func (c *canvas) legend(names []string, classes []string) {
	x := chartLeft
	for i, name := range names {
		c.rule(x, 10, x+26, 10, classes[i])
		c.text(x+32, 14, "label", name)
		x += 44 + 7*float64(len([]rune(name)))
	}
}
