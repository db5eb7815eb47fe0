package telemetry

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// TestWhatBecameOfEveryName says of each metric and event that SPEC.md names, those
// included that its prototype has promised and never emitted (D-A22), what it is
// here: which events of the log it is told of, measured in the process, kept for a
// subsystem that cannot tell it yet, told under another name, or not told, and why.
// The list is rewritten by
//
//	go test ./subsystems/telemetry -run TestWhatBecameOfEveryName -update
//
// A name that is told no longer shows as a difference.
func TestWhatBecameOfEveryName(t *testing.T) {
	b, err := os.ReadFile("testdata/spec-names.txt")
	if err != nil {
		t.Fatal(err)
	}
	told := toldOf()
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if _, name, named := strings.Cut(line, " "); named && !strings.HasPrefix(line, "#") {
			line += ": " + became(t, name, told)
		}
		out.WriteString(line + "\n")
	}
	compare(t, "testdata/spec-status.txt", out.String())
}

// became is what became of a name, in words.
func became(t *testing.T, name string, told map[string][]string) string {
	t.Helper()
	if r, gone := l.DescribeRetired(name); gone {
		if r.Instead == "" {
			return "not here: " + r.Why
		}
		return fmt.Sprintf("%s instead: %s", r.Instead, r.Why)
	}
	status, owner := l.NameStatusUnspecified, l.SubsystemUnknown
	if m, ok := l.DescribeMetric(l.MetricName(name)); ok {
		status, owner = m.Status, m.Owner
	} else if e, ok := l.DescribeEvent(l.EventName(name)); ok {
		status, owner = e.Status, e.Owner
	}
	switch status {
	case l.NameEmitted:
		return "told of " + strings.Join(told[name], ", ")
	case l.NameProcess:
		return "measured in the process"
	case l.NameReserved:
		return fmt.Sprintf("kept for %s, which cannot tell it yet", owner)
	}
	t.Errorf("%s is neither in the catalogue nor retired", name)
	return ""
}

// toldOf lists the kinds of event, and of input, by which each name is told in the
// stories.
func toldOf() map[string][]string {
	told := map[string][]string{}
	note := func(kind string, names, but []string) {
		for _, name := range names {
			if !slices.Contains(but, name) {
				told[name] = append(told[name], kind)
			}
		}
	}
	for _, s := range stories {
		for _, r := range s.records() {
			alone := namesIn(l.Record{Seq: r.Seq, Run: r.Run, Input: r.Input})
			if r.Input != nil {
				note(r.Input.InputKind().String(), alone, nil)
			}
			for _, e := range r.Events {
				note(e.EventKind().String(), namesIn(l.Record{Seq: r.Seq, Run: r.Run, Input: r.Input, Events: []l.Event{e}}), alone)
			}
		}
	}
	for name, kinds := range told {
		slices.Sort(kinds)
		told[name] = slices.Compact(kinds)
	}
	return told
}

// namesIn lists the names in the packets of a record.
func namesIn(r l.Record) (names []string) {
	for _, p := range Packets(r) {
		for _, m := range p.Metrics {
			names = append(names, string(m.Name))
		}
		for _, e := range p.Events {
			names = append(names, string(e.Name))
		}
	}
	return names
}
