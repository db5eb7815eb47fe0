package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// display shows a run while it goes on. record is called by the plane's loop, say
// by anyone, the rest by the trainer.
type display interface {
	begin(run leyline.RunID, steps leyline.Step)
	record(r leyline.Record)
	progress(p workload.Progress)
	say(format string, args ...any)
	done()
}

func newDisplay(a *app) display {
	switch {
	case a.json:
		return &jsonDisplay{app: a}
	case a.terminal():
		return &textDisplay{app: a, bar: true}
	}
	return &textDisplay{app: a}
}

// every is how many steps lie between two progress lines without a terminal.
const every = 25

// redraw is how long a bar stays: a slow terminal must not slow the training.
const redraw = 50 * time.Millisecond

// textDisplay writes for people: a line for every beat of the story, and either
// a progress bar that is drawn over or a plain line now and then.
type textDisplay struct {
	app   *app
	bar   bool
	mu    sync.Mutex
	story *story
	began time.Time
	first leyline.Step
	last  time.Time // the bar was drawn
	drawn bool
}

func (d *textDisplay) begin(run leyline.RunID, _ leyline.Step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.story, d.began = newStory(run), time.Now()
}

func (d *textDisplay) record(r leyline.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.story == nil {
		return
	}
	for _, b := range d.story.add(r) {
		d.clear()
		fmt.Fprintf(d.app.err, "step %4d  %s\n", b.Step, printable(b.Text))
	}
}

func (d *textDisplay) progress(p workload.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first == 0 {
		d.first = p.Step - 1
	}
	if d.bar && p.Step != p.Steps && time.Since(d.last) < redraw {
		return
	}
	d.last = time.Now()
	rate := float64(p.Step-min(d.first, p.Step)) / time.Since(d.began).Seconds()
	line := fmt.Sprintf("step %d/%d  %.0f step/s  losses %s  conflicts %.0f%%%s", p.Step, p.Steps, max(rate, 0), numbers(p.Losses), 100*d.ratio(), seedWords(p.Seeds))
	if d.bar {
		const width = 12
		full := int(p.Step) * width / int(p.Steps)
		bar := fmt.Sprintf("[%s%s] %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), line)
		fmt.Fprint(d.app.err, "\r\x1b[K"+clip(bar, d.app.columns()-1)) // a line that wraps cannot be drawn over
		d.drawn = true
	} else if p.Step%every == 0 {
		fmt.Fprintln(d.app.err, line)
	}
}

// clip keeps the first n bytes of a line of ASCII.
func clip(s string, n int) string { return s[:min(len(s), max(n, 0))] }

// ratio is the conflict ratio of the last step.
func (d *textDisplay) ratio() float64 {
	if d.story == nil {
		return 0
	}
	return d.story.ratio
}

// say writes a notice between the lines.
func (d *textDisplay) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	d.app.notice(format, args...)
}

func (d *textDisplay) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
}

// clear removes the progress bar so that a line can be written.
func (d *textDisplay) clear() {
	if d.drawn {
		fmt.Fprint(d.app.err, "\r\x1b[K")
		d.drawn = false
	}
}

func numbers(xs []float64) string {
	parts := make([]string, len(xs))
	for i, x := range xs {
		parts[i] = fmt.Sprintf("%.3f", x)
	}
	return strings.Join(parts, " ")
}

func seedWords(seeds []leyline.SeedView) string {
	var b strings.Builder
	for _, s := range seeds {
		fmt.Fprintf(&b, "  %s %s", s.Seed, s.Stage)
		if s.Alpha > 0 {
			fmt.Fprintf(&b, " alpha %.3f", s.Alpha)
		}
	}
	return b.String()
}

// jsonDisplay writes JSON lines for machines.
type jsonDisplay struct {
	app   *app
	mu    sync.Mutex
	story *story
}

func (d *jsonDisplay) begin(run leyline.RunID, _ leyline.Step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.story = newStory(run)
}

func (d *jsonDisplay) record(r leyline.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.story == nil {
		return
	}
	for _, b := range d.story.add(r) {
		d.line(map[string]any{"event": b})
	}
}

func (d *jsonDisplay) progress(p workload.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.Step%every == 0 || p.Step == p.Steps {
		d.line(map[string]any{"progress": map[string]any{
			"step": p.Step, "steps": p.Steps, "losses": p.Losses, "seeds": p.Seeds, "step_ms": ms(uint64(p.StepTime)), "waited_ms": ms(uint64(p.Waited)),
		}})
	}
}

func (d *jsonDisplay) line(v any) {
	if err := d.app.line(v); err != nil {
		d.app.notice("esper: stdout cannot be written: %v", err)
	}
}

func (d *jsonDisplay) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.app.notice(format, args...)
}

func (d *jsonDisplay) done() {}
