package telemetry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// constant is a metric or event name of leyline/telemetry.go with its comment.
type constant struct{ ident, kind, value, comment string }

// contract reads the constants from the source, so that a name added there and
// emitted nowhere fails a test here.
func contract(t *testing.T) []constant {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../leyline/telemetry.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var out []constant
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.ValueSpec); ok {
			kind, typed := s.Type.(*ast.Ident)
			lit, literal := s.Values[0].(*ast.BasicLit)
			if !typed || !literal {
				t.Fatalf("cannot read constant %s", s.Names[0].Name)
			}
			value, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, constant{s.Names[0].Name, kind.Name, value, s.Comment.Text()})
		}
		return true
	})
	if len(out) < 70 {
		t.Fatalf("found only %d constants in leyline/telemetry.go", len(out))
	}
	return out
}

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

// TestEveryConstantIsReached fails when no story leads to a metric or an event,
// and when one is emitted that is not a constant.
func TestEveryConstantIsReached(t *testing.T) {
	var known []string
	for _, c := range contract(t) {
		known = append(known, c.kind+" "+c.value)
		switch c.kind {
		case "MetricName":
			if !slices.ContainsFunc(allMetrics(), func(m l.Metric) bool { return string(m.Name) == c.value }) {
				t.Errorf("leyline.%s (%s) is never emitted", c.ident, c.value)
			}
		case "EventName":
			if !slices.ContainsFunc(allEvents(), func(e l.TelemetryEvent) bool { return string(e.Name) == c.value }) {
				t.Errorf("leyline.%s (%s) is never emitted", c.ident, c.value)
			}
		default:
			t.Errorf("leyline.%s is of type %s", c.ident, c.kind)
		}
	}
	for _, m := range allMetrics() {
		if !slices.Contains(known, "MetricName "+string(m.Name)) {
			t.Errorf("metric %s is not a constant of leyline", m.Name)
		}
	}
	for _, e := range allEvents() {
		if !slices.Contains(known, "EventName "+string(e.Name)) {
			t.Errorf("event %s is not a constant of leyline", e.Name)
		}
	}
}

// TestLevelsAreThoseOfTheComments holds each event to the levels that the
// comment of its constant names: no other is emitted, and each of them is.
func TestLevelsAreThoseOfTheComments(t *testing.T) {
	for _, c := range contract(t) {
		if c.kind != "EventName" {
			continue
		}
		for _, level := range l.LevelInfo.Members() {
			want := strings.Contains(c.comment, level.String())
			got := slices.ContainsFunc(allEvents(), func(e l.TelemetryEvent) bool {
				return string(e.Name) == c.value && e.Level == level
			})
			if got != want {
				t.Errorf("%s at level %s: emitted %v; its comment says %q", c.value, level, got, strings.TrimSpace(c.comment))
			}
		}
	}
}

// TestEveryKindOfEventIsTold fails when a kind of event has no source or is in
// no story, and keeps the list of silent kinds in the package comment true.
func TestEveryKindOfEventIsTold(t *testing.T) {
	silent := []string{
		"config.adopted", "key.enrolled", "blueprint.admitted", "action.none", "policy.asked",
		"isolation.assessed", "snapshot.evicted", "rollback.advanced",
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

// TestNamesKeepTheirShape holds every name to one list of keys and one unit.
func TestNamesKeepTheirShape(t *testing.T) {
	var names, shapes []string
	check := func(name, unit string, attrs []l.Attr) {
		shape := unit
		for _, a := range attrs {
			shape += " " + a.Key
		}
		if i := slices.Index(names, name); i < 0 {
			names, shapes = append(names, name), append(shapes, shape)
		} else if shapes[i] != shape {
			t.Errorf("%s has unit and keys %q and also %q", name, shapes[i], shape)
		}
	}
	for _, m := range allMetrics() {
		check("metric "+string(m.Name), m.Unit, m.Attrs)
	}
	for _, e := range allEvents() {
		check("event "+string(e.Name), "", e.Attrs)
	}
}

// TestMetricsKeepTheirPlace holds every metric to the packet of the subsystem
// in its name, to the units of leyline.Metric, and counters to increments of 1.
func TestMetricsKeepTheirPlace(t *testing.T) {
	units := []string{"ms", "ratio", "count", "loss", "bool", "grad", "state"}
	check := func(source l.Subsystem, m l.Metric) {
		if !slices.Contains(units, m.Unit) {
			t.Errorf("%s has unit %q, which leyline.Metric does not list", m.Name, m.Unit)
		}
		if owner, _, _ := strings.Cut(string(m.Name), "."); owner != source.String() {
			t.Errorf("%s is in a packet of %s", m.Name, source)
		}
		if IsCounter(m.Name) && m.Value != 1 {
			t.Errorf("%s counts %v in one packet", m.Name, m.Value)
		}
	}
	for _, p := range allPackets() {
		for _, m := range p.Metrics {
			check(p.Source, m)
		}
	}
}
