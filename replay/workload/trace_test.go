package workload

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// readTrace reads a trace as a viewer does, and refuses what one would not draw:
// complete events whose times run, nested in one thread.
func readTrace(t *testing.T, path string) (doc traceFile, names map[leyline.Step][]string) {
	t.Helper()
	b, err := os.ReadFile(path)
	ok(t, err)
	ok(t, json.Unmarshal(b, &doc))
	names = map[leyline.Step][]string{}
	var open []float64 // ends of the spans around the present one
	last := 0.0
	for _, e := range doc.Events {
		if e.Phase == "M" {
			continue
		}
		if e.Phase != "X" || e.Duration == nil || *e.Duration < 0 || e.Start < last {
			t.Fatalf("event %+v after %v us", e, last)
		}
		last = e.Start
		for len(open) > 0 && open[len(open)-1] < e.Start {
			open = open[:len(open)-1]
		}
		end := e.Start + *e.Duration
		if len(open) > 0 && end > open[len(open)-1]+1e-3 {
			t.Errorf("%s ends at %v us, what is around it at %v", e.Name, end, open[len(open)-1])
		}
		open = append(open, end)
		s := leyline.Step(e.Args["step"].(float64))
		names[s] = append(names[s], e.Name)
	}
	return doc, names
}

func TestProfileWindows(t *testing.T) {
	p := newFake(t)
	p.windows = 10
	o := p.options(25)
	dir := t.TempDir()
	o.Traces = snapstore.NewDir(filepath.Join(dir, "traces"), false)
	dir = filepath.Join(dir, "traces", "run-1")
	r, err := Train(t.Context(), p, o)
	ok(t, err)
	var got []string
	for _, x := range seen[leyline.ProfileReported](p) {
		if x.Outcome != leyline.OutcomeOK || x.TookNs == 0 {
			t.Errorf("reported %+v", x)
		}
		info, err := os.Stat(filepath.Join(dir, x.File))
		ok(t, err)
		if uint64(info.Size()) != x.Bytes {
			t.Errorf("%s has %d bytes, reported %d", x.File, info.Size(), x.Bytes)
		}
		doc, names := readTrace(t, filepath.Join(dir, x.File))
		if doc.Unit != "ms" || doc.Other["run"] != "run-1" || len(names) != 3 {
			t.Errorf("%s: %+v of %d steps", x.File, doc.Other, len(names))
		}
		for s := x.First; s <= x.Last; s++ {
			if want := []string{"step", "forward and backward", "plane", "update", "commands"}; !slices.Equal(names[s][:5], want) {
				t.Errorf("step %d: %v", s, names[s])
			}
		}
		got = append(got, x.File)
	}
	if d := cmp.Diff([]string{"run-1-1-1.trace.json", "run-1-1-11.trace.json", "run-1-1-21.trace.json"}, got); d != "" {
		t.Error(d)
	}
	p = newFake(t)
	if train(t, p, p.options(25)).Digest != r.Digest {
		t.Error("profiling has changed the weights")
	}
}

// A window that a rollback cuts is written with the steps that were run, and the
// steps that are run again get a trace of their own.
func TestProfileOfAWindowThatIsRolledBack(t *testing.T) {
	p := newFake(t)
	p.windows = 10
	o := p.options(14, Fault{FaultNaN, 12})
	dir := t.TempDir()
	o.Traces = snapstore.NewDir(dir, false)
	dir = filepath.Join(dir, "run-1")
	_, err := Train(t.Context(), p, o)
	ok(t, err)
	var got []string
	for _, x := range seen[leyline.ProfileReported](p) {
		got = append(got, x.File)
	}
	if d := cmp.Diff([]string{"run-1-1-1.trace.json", "run-1-1-11.trace.json", "run-1-2-11.trace.json"}, got); d != "" {
		t.Error(d)
	}
	_, names := readTrace(t, filepath.Join(dir, "run-1-1-11.trace.json"))
	if !slices.Contains(names[10], "restore") || len(names[12]) == 0 || len(names[13]) != 0 {
		t.Errorf("the window of the fault holds %v", names)
	}
}

// TestProfileThatCannotBeWritten: training goes on, every batch is trained on
// once, and the reason is reported.
func TestProfileThatCannotBeWritten(t *testing.T) {
	p := newFake(t)
	whole := train(t, p, p.options(12)).Digest
	occupied := filepath.Join(t.TempDir(), "traces")
	ok(t, os.WriteFile(occupied, nil, 0o600))
	for why, store := range map[string]snapstore.Store{"not a directory": snapstore.NewDir(occupied, false), "no directory for traces": nil} {
		p := newFake(t)
		p.windows = 5
		o := p.options(12)
		o.Traces = store
		r, err := Train(t.Context(), p, o)
		ok(t, err)
		if r.Digest != whole {
			t.Errorf("%s: the weights are others", why)
		}
		if n := len(seen[leyline.StepObserved](p)); n != 12 {
			t.Errorf("%s: %d steps were reported", why, n)
		}
		xs := seen[leyline.ProfileReported](p)
		if len(xs) != 3 {
			t.Fatalf("%s: %d reports", why, len(xs))
		}
		for _, x := range xs {
			if x.Outcome != leyline.OutcomeFailed || x.File != "" || !strings.Contains(x.Reason, why) {
				t.Errorf("%s: reported %+v", why, x)
			}
		}
	}
}
