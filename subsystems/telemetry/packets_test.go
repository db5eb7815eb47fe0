package telemetry

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	l "github.com/esper-plane/esper/leyline"
)

func TestPacketsArePure(t *testing.T) {
	for _, s := range stories {
		for i, r := range s.records() {
			t.Run(fmt.Sprintf("%s/%d", s.name, r.Seq), func(t *testing.T) { pure(t, s.scenes[i].what, r) })
		}
	}
}

// pure computes packets twice and scribbles over the first ones.
func pure(t *testing.T, what string, r l.Record) {
	record := fmt.Sprintf("%v", r)
	packets := Packets(r)
	first := fmt.Sprint(packets)
	for _, p := range packets {
		for j := range p.Metrics {
			p.Metrics[j].Value = -7
		}
	}
	if second := fmt.Sprint(Packets(r)); second != first {
		t.Errorf("%q: two calls differ", what)
	}
	if fmt.Sprintf("%v", r) != record {
		t.Errorf("%q: the record has changed", what)
	}
}

func TestOnePacketPerSubsystemInOrder(t *testing.T) {
	// Later subsystems first: the order of packets is not that of events.
	r := l.Record{Seq: 9, At: 5, Run: "r1", Input: l.StepObserved{Run: "r1"}, Events: []l.Event{
		l.CommandExpired{Run: "r1", Command: "c1"},
		l.ConservativeLeft{Run: "r1"},
		l.ConservativeEntered{Run: "r1"},
		l.RunEnded{Run: "r1"},
		l.PlaneBooted{Clean: true},
	}}
	type row struct {
		source   l.Subsystem
		level    l.Level
		priority l.Priority
		events   int
	}
	want := []row{
		{l.SubsystemPlane, l.LevelInfo, l.PriorityNormal, 1},
		{l.SubsystemTolaria, l.LevelInfo, l.PriorityNormal, 1},
		{l.SubsystemTamiyo, l.LevelWarning, l.PriorityHigh, 2}, // highest, not last
		{l.SubsystemKasmina, l.LevelCritical, l.PriorityCritical, 1},
	}
	var got []row
	for _, p := range Packets(r) {
		got = append(got, row{p.Source, p.Level, p.Priority, len(p.Events)})
		if p.Seq != 9 || p.At != 5 || p.Run != "r1" {
			t.Errorf("packet of %s is of record %d at %d, run %q", p.Source, p.Seq, p.At, p.Run)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestRunOfPacketWithoutRunOfRecord(t *testing.T) {
	lost := func(run l.RunID) l.Event { return l.EffectRecovered{Run: run, Kind: l.EffectCommand} }
	for _, c := range []struct {
		runs []l.RunID
		want l.RunID
	}{
		{[]l.RunID{"r1"}, "r1"},
		{[]l.RunID{"r1", "r1"}, "r1"},
		{[]l.RunID{"r1", "r2"}, ""},
		{[]l.RunID{"r1", "r2", "r2"}, ""},
		{[]l.RunID{"", "r1"}, ""},
	} {
		var events []l.Event
		for _, run := range c.runs {
			events = append(events, lost(run))
		}
		if got := Packets(l.Record{Seq: 2, Events: events})[0].Run; got != c.want {
			t.Errorf("runs %q give a packet of run %q, want %q", c.runs, got, c.want)
		}
	}
}

func TestEmergencyIsCriticalFromL3(t *testing.T) {
	want := []l.Level{l.LevelWarning, l.LevelWarning, l.LevelCritical, l.LevelCritical}
	for i, to := range l.EmergencyHalt.Members() {
		p := Packets(l.Record{Seq: 2, Events: []l.Event{l.EmergencyEscalated{Run: "r1", To: to}}})[0]
		if p.Level != want[i] {
			t.Errorf("escalation to %s is %s, want %s", to, p.Level, want[i])
		}
	}
}

// TestDeadlineCounter: what ended a rollback late counts, what failed for
// another reason does not.
func TestDeadlineCounter(t *testing.T) {
	for _, c := range []struct {
		outcome          l.Outcome
		within           bool
		exceeded, failed float64
	}{
		{l.OutcomeOK, true, 0, 0},
		{l.OutcomeOK, false, 1, 0},
		{l.OutcomeDeadline, false, 1, 1},
		{l.OutcomeFailed, false, 0, 1},
		{l.OutcomeSuperseded, false, 0, 1},
	} {
		var n Counters
		for _, p := range Packets(l.Record{Seq: 2, Events: []l.Event{l.RollbackFinished{Outcome: c.outcome, WithinSLA: c.within}}}) {
			n.Add(p)
		}
		if e, f := n.Value(l.MetricRollbackDeadline), n.Value(l.MetricRollbackFailures); e != c.exceeded || f != c.failed {
			t.Errorf("%s within SLA %v: %v exceeded and %v failed, want %v and %v", c.outcome, c.within, e, f, c.exceeded, c.failed)
		}
	}
}

func TestTextOfStrangersIsBounded(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"caf\xc3\xa9", "café"},
		{"bad\xff\xfebytes", "bad?bytes"},
		{strings.Repeat("x", l.MaxText) + "y", strings.Repeat("x", l.MaxText)},
		{strings.Repeat("x", l.MaxText-1) + "é", strings.Repeat("x", l.MaxText-1) + "?"}, // cut in two
	} {
		got := text(keyReason, c.in).Value
		if got != c.want || len(got) > l.MaxText || !utf8.ValidString(got) {
			t.Errorf("text(%.20q...) has %d bytes and ends in %q", c.in, len(got), got[max(0, len(got)-10):])
		}
	}
}

// TestStrangersCannotGrowCounters: whatever an unauthentic command claims, it
// is one row per reason.
func TestStrangersCannotGrowCounters(t *testing.T) {
	var n Counters
	for i := range 1000 {
		id := strconv.Itoa(i)
		for _, p := range Packets(l.Record{Seq: 2, Events: []l.Event{l.CommandRejected{
			Run: l.RunID("run" + id), Command: l.CommandID(id), Key: l.KeyID(id), Issuer: id, Reason: l.RejectInvalidSignature,
		}}}) {
			n.Add(p)
		}
	}
	if rows := n.All(); len(rows) != 1 || rows[0].Value != 1000 {
		t.Errorf("1000 forged commands make %d rows: %.200v", len(rows), rows)
	}
}

func TestRecordWithoutTransitionIsSilent(t *testing.T) {
	if got := Packets(l.Record{Seq: 1}); got != nil {
		t.Errorf("the origin gives %v", got)
	}
}

// TestPurityOfImports: telemetry can be computed anywhere, because nothing in
// it reaches outside, starts a goroutine or depends on the order of a map. Only
// a subscription waits: its channel wakes the reader.
func TestPurityOfImports(t *testing.T) {
	allowed := []string{
		"cmp", "context", "encoding/json", "errors", "fmt", "github.com/esper-plane/esper/leyline", "iter", "math", "slices", "strconv", "strings", "sync", "time",
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range tree.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", f, path)
			}
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt, *ast.MapType:
				t.Errorf("%s uses %T", f, n)
			case *ast.ChanType:
				if f != "subscription.go" {
					t.Errorf("%s uses %T", f, n)
				}
			}
			return true
		})
	}
}

func BenchmarkPackets(b *testing.B) {
	records := story{scenes: trainingStory}.records()
	b.ReportAllocs()
	for b.Loop() {
		Packets(records[2])
	}
}
