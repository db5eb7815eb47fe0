package telemetry

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

func allPackets() []l.Packet {
	var out []l.Packet
	for _, s := range stories {
		for _, r := range s.records() {
			out = append(out, Packets(r)...)
		}
	}
	return out
}

func allStoryEvents() []l.Event {
	var out []l.Event
	for _, s := range stories {
		for _, r := range s.records() {
			out = append(out, r.Events...)
		}
	}
	return out
}

func allMetrics() []l.Metric {
	var out []l.Metric
	for _, p := range allPackets() {
		out = append(out, p.Metrics...)
	}
	return out
}

func allEvents() []l.TelemetryEvent {
	var out []l.TelemetryEvent
	for _, p := range allPackets() {
		out = append(out, p.Events...)
	}
	return out
}

// TestEmittedNamesAreThoseOfTheCatalogue fails when no story leads to a name of
// the catalogue that is emitted, and when a story leads to any other.
func TestEmittedNamesAreThoseOfTheCatalogue(t *testing.T) {
	for _, row := range l.Metrics() {
		got := slices.ContainsFunc(allMetrics(), func(m l.Metric) bool { return m.Name == row.Name })
		if want := row.Status == l.NameEmitted; got != want {
			t.Errorf("metric %s is %s; emitted %v", row.Name, row.Status, got)
		}
	}
	for _, row := range l.Events() {
		got := slices.ContainsFunc(allEvents(), func(e l.TelemetryEvent) bool { return e.Name == row.Name })
		if want := row.Status == l.NameEmitted; got != want {
			t.Errorf("event %s is %s; emitted %v", row.Name, row.Status, got)
		}
	}
	for _, m := range allMetrics() {
		if _, known := l.DescribeMetric(m.Name); !known {
			t.Errorf("metric %s is not in the catalogue", m.Name)
		}
	}
	for _, e := range allEvents() {
		if _, known := l.DescribeEvent(e.Name); !known {
			t.Errorf("event %s is not in the catalogue", e.Name)
		}
	}
}

// TestSpecNamesAreInTheCatalogue looks up every name of SPEC.md: it has a
// meaning here or is retired with a reason, and never both.
func TestSpecNamesAreInTheCatalogue(t *testing.T) {
	b, err := os.ReadFile("testdata/spec-names.txt")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for line := range strings.Lines(string(b)) {
		kind, name, named := strings.Cut(strings.TrimSpace(line), " ")
		if !named || kind == "#" {
			continue
		}
		looked++
		_, known := l.DescribeMetric(l.MetricName(name))
		if kind == "event" {
			_, known = l.DescribeEvent(l.EventName(name))
		}
		if _, gone := l.DescribeRetired(name); known == gone {
			t.Errorf("%s %s: in the catalogue %v, retired %v; want one of them", kind, name, known, gone)
		}
	}
	if looked < 290 {
		t.Errorf("looked up %d names only", looked)
	}
}

// TestLevelsAreThoseOfTheCatalogue holds each event to the levels of its row: no
// other is emitted, and each of them is.
func TestLevelsAreThoseOfTheCatalogue(t *testing.T) {
	for _, row := range l.Events() {
		if row.Status != l.NameEmitted {
			continue
		}
		for _, level := range l.LevelInfo.Members() {
			got := slices.ContainsFunc(allEvents(), func(e l.TelemetryEvent) bool { return e.Name == row.Name && e.Level == level })
			if want := slices.Contains(row.Levels, level); got != want {
				t.Errorf("%s at level %s: emitted %v; its row says %v", row.Name, level, got, row.Levels)
			}
		}
	}
}

// TestEveryKindOfEventIsTold fails when a kind of event has no source or is in
// no story, and keeps the list of silent kinds in the package comment true.
func TestEveryKindOfEventIsTold(t *testing.T) {
	silent := []string{
		"policy.requested", "policy.confirmed",
		"key.enrolled", "blueprint.admitted", "action.none", "window.ended",
		"emergency.dispatched", "field_report.opened", "field_report.measured",
	}
	told := make([]bool, len(l.EventUnspecified.Members())+1)
	seen := make([]bool, len(told))
	for _, e := range allStoryEvents() {
		seen[e.EventKind()] = true
		if Source(e).Validate() != nil {
			t.Errorf("%s has no source", e.EventKind())
		}
		if len(Packets(l.Record{Seq: 2, Events: []l.Event{e}})) > 0 {
			told[e.EventKind()] = true
		}
	}
	for _, k := range l.EventUnspecified.Members() {
		if !seen[k] {
			t.Errorf("%s is in no story", k)
		} else if told[k] == slices.Contains(silent, k.String()) {
			t.Errorf("%s: has telemetry %v; the silent kinds are %v", k, told[k], silent)
		}
	}
	if n := len(l.EventUnspecified.Members()) + 1; len(sources) != n {
		t.Errorf("sources has %d entries for %d kinds of event", len(sources), n)
	}
	if n := len(l.OutcomeOK.Members()) + 1; len(settlements) != n {
		t.Errorf("settlements has %d entries for %d outcomes", len(settlements), n)
	}
}

// TestEveryRefusalNamesItsDependency fails when a kind of refusal is added to
// leyline without saying what it is about.
func TestEveryRefusalNamesItsDependency(t *testing.T) {
	for _, k := range l.RefusalNone.Members() {
		if got := dependency(k); got == "" || got == "unknown" {
			t.Errorf("refusal %s is about %q", k, got)
		}
	}
}

// TestNamesKeepTheirShape holds every name to the keys and the unit of its row.
func TestNamesKeepTheirShape(t *testing.T) {
	keys := func(attrs []l.Attr) string {
		var out []string
		for _, a := range attrs {
			out = append(out, a.Key)
		}
		return strings.Join(out, " ")
	}
	for _, m := range allMetrics() {
		if row, _ := l.DescribeMetric(m.Name); m.Unit != row.Unit || keys(m.Attrs) != row.Keys {
			t.Errorf("%s has unit %q and keys %q; its row says %q and %q", m.Name, m.Unit, keys(m.Attrs), row.Unit, row.Keys)
		}
	}
	for _, e := range allEvents() {
		if row, _ := l.DescribeEvent(e.Name); keys(e.Attrs) != row.Keys {
			t.Errorf("%s has keys %q; its row says %q", e.Name, keys(e.Attrs), row.Keys)
		}
	}
}

// TestMetricsKeepTheirPlace holds every metric to the packet of the subsystem in
// its name, and counters to whole increments.
func TestMetricsKeepTheirPlace(t *testing.T) {
	for _, p := range allPackets() {
		for _, m := range p.Metrics {
			if owner, _, _ := strings.Cut(string(m.Name), "."); owner != p.Source.String() {
				t.Errorf("%s is in a packet of %s", m.Name, p.Source)
			}
			if IsCounter(m.Name) && (m.Value < 1 || m.Value != math.Trunc(m.Value)) {
				t.Errorf("%s counts %v in one packet", m.Name, m.Value)
			}
		}
	}
}

// TestCompactFormLeavesOneEventForEachSeed: what is told in the event is no metric.
func TestCompactFormLeavesOneEventForEachSeed(t *testing.T) {
	for _, compact := range []bool{false, true} {
		r := l.Record{Seq: 2, Run: "r1", Input: l.EpochObserved{Run: "r1"}, Events: []l.Event{l.EpochAssessed{Run: "r1", Epoch: 1, Shares: sharesOf(compact)}}}
		health, gone := 0, 0
		for _, p := range Packets(r) {
			for _, e := range p.Events {
				if e.Name == l.NameSeedHealth {
					health++
				}
			}
			for _, m := range p.Metrics {
				switch m.Name {
				case l.MetricAggWeight, l.MetricAggNorm, l.MetricAggShare, l.MetricAggAlpha, l.MetricAggConflicts, l.MetricAggLayerNorm:
					gone++
				}
			}
		}
		if compact && (health != 2 || gone != 0) || !compact && (health != 0 || gone == 0) {
			t.Errorf("compact %v: %d events of health, %d metrics of what they tell", compact, health, gone)
		}
	}
}
