package cli

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// rows makes the outcomes of n rows of which the first k are right.
func rows(n, k int) []bool {
	out := make([]bool, n)
	for i := range k {
		out[i] = true
	}
	return out
}

func TestPair(t *testing.T) {
	even := make([]bool, 1000) // right where the other is wrong
	for i := range even {
		even[i] = i%2 == 0
	}
	odd := make([]bool, len(even))
	for i := range odd {
		odd[i] = !even[i]
	}
	for _, x := range []struct {
		name         string
		with, minus  []bool
		points, half float64
		b, c         int
		shown        bool
	}{
		{"the same", rows(1000, 400), rows(1000, 400), 0, 0, 0, 0, false},
		{"40 rows better", rows(1000, 440), rows(1000, 400), 4, 196 * math.Sqrt(40-1.6) / 1000, 40, 0, true},
		{"3 rows better", rows(1000, 403), rows(1000, 400), 0.3, 196 * math.Sqrt(3-0.009) / 1000, 3, 0, false},
		{"3 rows worse", rows(1000, 400), rows(1000, 403), -0.3, 196 * math.Sqrt(3-0.009) / 1000, 0, 3, false},
		{"as good, on other rows", even, odd, 0, 196 * math.Sqrt(1000) / 1000, 500, 500, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			e := pair("left", x.with, x.minus)
			if math.Abs(e.Points-x.points) > 1e-9 || e.OnlyWith != x.b || e.OnlyMinus != x.c || e.Shown != x.shown {
				t.Errorf("got %+v", e)
			}
			if math.Abs(e.High-e.Points-x.half) > 1e-9 || math.Abs(e.Points-e.Low-x.half) > 1e-9 {
				t.Errorf("the interval is %v to %v around %v, want %v to each side", e.Low, e.High, e.Points, x.half)
			}
		})
	}
}

func TestEffectSaysWhenNothingIsShown(t *testing.T) {
	e := effectOf{Tasks: []taskEffect{pair("left", rows(1000, 403), rows(1000, 400)), pair("right", rows(1000, 400), rows(1000, 401))}}
	if s := e.words(); !strings.Contains(s, "too little to tell") {
		t.Errorf("%q", s)
	}
	e.Tasks[1] = pair("right", rows(1000, 500), rows(1000, 400))
	if s := e.words(); strings.Contains(s, "too little to tell") {
		t.Errorf("%q", s)
	}
}

// TestControlsAreRunsOfTheirOwn compares a run with a fault and looks at what
// it was compared with.
func TestControlsAreRunsOfTheirOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	out := esper(t, 0, "run", "--json", "--data", dir, "--steps", "80", "--fault", "nan@60", "--compare")
	var doc struct {
		Summary struct{ Comparison comparison }
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &doc); err != nil {
		t.Fatal(err)
	}
	c := doc.Summary.Comparison
	if len(c.Runs) != 4 || len(c.Effects) != 3 || c.Rows != 66 {
		t.Fatalf("compared %+v", c)
	}
	plain := digestOf(t, []byte(esper(t, 0, "run", "--json", "--data", filepath.Join(t.TempDir(), "plain"), "--steps", "80")))
	for i, want := range []struct {
		name    string
		redoes  bool // the same weights as a run without the fault
		seeds   bool
		combine leyline.Aggregation
	}{
		{theRun, false, true, leyline.AggregationPCGrad}, {faultless, true, true, leyline.AggregationPCGrad},
		{"sum", false, true, leyline.AggregationSum}, {"no-seeds", false, false, leyline.AggregationPCGrad},
	} {
		r := c.Runs[i]
		if r.Name != want.name || (r.Digest == plain) != want.redoes {
			t.Errorf("run %d is %s with weights %s; without the fault they are %s", i, r.Name, r.Digest.Short(), plain.Short())
		}
		if !strings.Contains(esper(t, 0, "replay", r.Data), "identical") {
			t.Errorf("%s cannot be replayed", r.Name)
		}
		moved, method := 0, leyline.AggregationUnspecified
		for _, rec := range records(t, r.Data) {
			for _, e := range rec.Events {
				switch x := e.(type) {
				case leyline.SeedMoved:
					if x.From != leyline.StageUnknown { // which opens the slot
						moved++
					}
				case leyline.GradientsCombined:
					method = x.Method
				}
			}
		}
		if (moved > 0) != want.seeds || method != want.combine {
			t.Errorf("%s: %d moves of seeds, gradients combined by %s", r.Name, moved, method)
		}
	}
}
