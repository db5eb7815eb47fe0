package leyline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// constants reads every name from the source, so that one without a row fails.
func constants(t *testing.T) (metrics, events []string) {
	t.Helper()
	files, err := filepath.Glob("telemetry*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.ValueSpec)
			if !ok || s.Type == nil || len(s.Values) == 0 {
				return true
			}
			value := ""
			if lit, ok := s.Values[0].(*ast.BasicLit); ok {
				value, _ = strconv.Unquote(lit.Value)
			}
			switch kind, _ := s.Type.(*ast.Ident); {
			case kind == nil:
			case kind.Name == "MetricName":
				metrics = append(metrics, value)
			case kind.Name == "EventName":
				events = append(events, value)
			}
			return true
		})
	}
	return metrics, events
}

// TestEveryNameHasOneRow holds the tables to the constants.
func TestEveryNameHasOneRow(t *testing.T) {
	var metrics, events []string
	for _, m := range l.Metrics() {
		metrics = append(metrics, string(m.Name))
	}
	for _, e := range l.Events() {
		events = append(events, string(e.Name))
	}
	wantMetrics, wantEvents := constants(t)
	for _, c := range []struct {
		what      string
		got, want []string
	}{{"metrics", metrics, wantMetrics}, {"events", events, wantEvents}} {
		slices.Sort(c.got)
		slices.Sort(c.want)
		if len(c.want) < 50 || !slices.Equal(c.got, c.want) {
			t.Errorf("%s: rows for\n%v\nconstants\n%v", c.what, c.got, c.want)
		}
	}
}

// meaning checks what rows of metrics and of events have in common.
func meaning(t *testing.T, name, keys, means string, status l.NameStatus, owner l.Subsystem) {
	t.Helper()
	fields := strings.Fields(keys)
	if strings.Join(fields, " ") != keys || len(slices.Compact(slices.Sorted(slices.Values(fields)))) != len(fields) {
		t.Errorf("%s has keys %q", name, keys)
	}
	if means == "" || strings.HasSuffix(means, ".") || strings.ToUpper(means[:1]) != means[:1] {
		t.Errorf("%s means %q", name, means)
	}
	if status.Validate() != nil || (status == l.NameReserved) != (owner != l.SubsystemUnknown) {
		t.Errorf("%s has status %s and owner %s", name, status, owner)
	}
	if r, gone := l.DescribeRetired(name); gone {
		t.Errorf("%s is in the catalogue and retired by %s", name, r.Name)
	}
}

func TestRowsAreWhole(t *testing.T) {
	for _, m := range l.Metrics() {
		meaning(t, string(m.Name), m.Keys, m.Means, m.Status, m.Owner)
		if m.Unit == "" || m.Kind.Validate() != nil {
			t.Errorf("%s has unit %q and kind %s", m.Name, m.Unit, m.Kind)
		}
		if got, ok := l.DescribeMetric(m.Name); !ok || got != m {
			t.Errorf("%s is described as %+v", m.Name, got)
		}
	}
	for _, e := range l.Events() {
		meaning(t, string(e.Name), e.Keys, e.Means, e.Status, e.Owner)
		if len(e.Levels) == 0 || !slices.IsSorted(e.Levels) || e.Levels[0].Validate() != nil {
			t.Errorf("%s has levels %v", e.Name, e.Levels)
		}
		if got, ok := l.DescribeEvent(e.Name); !ok || got.Name != e.Name {
			t.Errorf("%s is described as %+v", e.Name, got)
		}
	}
	if _, ok := l.DescribeMetric("nobody.knows"); ok {
		t.Error("an unknown name is described")
	}
}

// TestCodesAndSettingsAreKnown: what holds the code of an enum names all codes, and
// no other metric does; every setting of a row is one.
func TestCodesAndSettingsAreKnown(t *testing.T) {
	keys := map[string]bool{}
	c := l.DefaultConfig()
	for _, s := range c.Settings() {
		keys[s.Key] = true
	}
	known := func(name, settings string) {
		for _, key := range strings.Fields(settings) {
			if !keys[key] {
				t.Errorf("%s is set by %s, which is no setting", name, key)
			}
		}
	}
	for _, m := range l.Metrics() {
		known(string(m.Name), m.Settings)
		if coded := m.Unit == l.UnitState || m.Unit == l.UnitEnum; coded != (m.Codes != "") {
			t.Errorf("%s has unit %s and codes %q", m.Name, m.Unit, m.Codes)
		}
	}
	for _, e := range l.Events() {
		known(string(e.Name), e.Settings)
	}
	for name, want := range map[l.MetricName]string{
		l.MetricEmergencyLevel: "Emergency level: 1 L1_NOTICE, 2 L2_ELEVATED, 3 L3_CONSERVATIVE, 4 L4_HALT.",
		l.MetricTrainingLoss:   "Mean loss over the tasks in the last step.",
	} {
		if m, _ := l.DescribeMetric(name); m.Help() != want {
			t.Errorf("the help of %s is %q", name, m.Help())
		}
	}
	if m, _ := l.DescribeMetric(l.MetricSeedStage); len(strings.Fields(m.Codes)) != len(l.StageUnknown.Members()) {
		t.Errorf("the stages are %q", m.Codes)
	}
}

// TestRetiredNamesSayWhy holds what stands in for a retired name to the
// catalogue.
func TestRetiredNamesSayWhy(t *testing.T) {
	for _, r := range l.Retired() {
		_, metric := l.DescribeMetric(l.MetricName(r.Instead))
		_, event := l.DescribeEvent(l.EventName(r.Instead))
		if r.Why == "" || r.Instead != "" && !metric && !event {
			t.Errorf("%s: instead %q, because %q", r.Name, r.Instead, r.Why)
		}
	}
	for name, want := range map[string]string{
		"oona.publish_total": "oona.*", "oona.emergency_published": "oona.emergency_published", "oonax": "", "tolaria.graph.a.b": "tolaria.graph.*",
	} {
		if r, _ := l.DescribeRetired(name); r.Name != want {
			t.Errorf("%s is retired by %q, want %q", name, r.Name, want)
		}
	}
}
