package cli

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/esper-plane/esper/leyline"
)

// plotOf draws a run whose mean loss was as given.
func plotOf(t *testing.T, losses []float64) string {
	t.Helper()
	s := newTale(t)
	for i, l := range losses {
		s.step(leyline.Step(i+1), l, leyline.HealthHealthy)
	}
	var b bytes.Buffer
	printPlots(&b, &s.Series)
	return b.String()
}

func repeat(n int, f func(int) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

// TestPlots draws what a run can come to. Nothing is too wide, too high, or
// makes the library stumble.
func TestPlots(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, losses := range map[string][]float64{
		"falling":         repeat(3000, func(i int) float64 { return 2 / (1 + float64(i)/100) }),
		"a few":           repeat(minPlotted, func(i int) float64 { return float64(i) }),
		"constant":        repeat(100, func(int) float64 { return 0.5 }),
		"zero":            repeat(100, func(int) float64 { return 0 }),
		"large and close": repeat(100, func(i int) float64 { return 1e15 + float64(i%2) }),
		"huge":            repeat(100, func(i int) float64 { return math.Pow(10, float64(3*i)) }),
		"negative":        repeat(100, func(i int) float64 { return -float64(i) }),
		"gap":             repeat(100, func(i int) float64 { return map[bool]float64{true: nan, false: 1 / float64(i+1)}[i > 40 && i < 60] }),
		"one number":      repeat(60, func(i int) float64 { return map[bool]float64{true: 1, false: nan}[i == 7] }),
		"begins infinite": repeat(60, func(i int) float64 { return map[bool]float64{true: 1, false: inf}[i > 7] }),
	} {
		text := plotOf(t, losses)
		lines := strings.Split(strings.Trim(text, "\n"), "\n")
		if len(lines) < 3 || len(lines) > plotRows+6 {
			t.Errorf("%s: %d lines\n%s", name, len(lines), text)
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) > 90 {
				t.Errorf("%s: too wide: %q", name, l)
			}
		}
	}
	var b bytes.Buffer
	raw := plot{values: []float64{inf, 1, nan, -inf, 0}, steps: []float64{1, 2, 3, 4, 5}, rows: 3, hi: 1}
	if raw.print(&b); strings.Count(b.String(), "\n") > 8 {
		t.Errorf("raw values:\n%s", &b)
	}
	for name, losses := range map[string][]float64{
		"nothing finite": repeat(100, func(int) float64 { return nan }),
		"too few":        repeat(minPlotted-1, func(i int) float64 { return float64(i) }),
		"nothing":        nil,
	} {
		if text := plotOf(t, losses); text != "" {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// TestPlotShowsTheRollback puts marks under the columns where things happened,
// and uses a logarithm when a spike would flatten all else.
func TestPlotShowsTheRollback(t *testing.T) {
	s := newTale(t)
	for i := range 64 {
		switch i {
		case 20:
			s.step(21, math.NaN(), leyline.HealthNonFinite)
		case 40:
			s.step(41, 1000, leyline.HealthDiverged, leyline.RollbackStarted{Run: "run-1", Rollback: "rb-1", FaultStep: 41})
		default:
			s.step(leyline.Step(i+1), 1, leyline.HealthHealthy)
		}
	}
	s.tell(leyline.RunResumed{Run: "run-1"})
	var b bytes.Buffer
	printPlots(&b, &s.Series)
	text := b.String()
	marks := ""
	for line := range strings.Lines(text) {
		if strings.Trim(line, " !Rr\n") == "" && strings.Contains(line, "!") {
			marks = strings.TrimRight(line, "\n")
		}
	}
	pad := strings.Index(marks, "!") - 20
	if pad < 8 || strings.Index(marks, "R") != pad+40 || strings.Index(marks, "r") != pad+63 {
		t.Errorf("marks %q in\n%s", marks, text)
	}
	if !strings.Contains(text, "log scale") || !strings.Contains(text, "R rolled back") || !strings.Contains(text, "! not finite") {
		t.Errorf("the title says\n%s", text)
	}
	spike := strings.Split(text, "\n")[2]
	if at := strings.IndexAny(spike, "╭╮"); at < 0 || !strings.Contains(spike, "1e+03") {
		t.Errorf("the spike is not in the top row: %q", spike)
	}
}
