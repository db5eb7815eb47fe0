package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// filing is a record that files a report.
func filing(seq leyline.Seq, id leyline.CommandID, change func(*leyline.FieldReport)) leyline.Record {
	r := leyline.FieldReport{
		Report: id, Command: "cmd-" + id, Run: "run-1", Seed: "seed-a", Outcome: leyline.ReportSuccess, WindowEpochs: 1,
		IssuedAt: leyline.Instant(eventlogtest.Start), Policy: "rules/1", Kind: leyline.CommandSeed, Operation: leyline.OpGerminate, Closure: leyline.ReportByEpochs,
	}
	if change != nil {
		change(&r)
	}
	return leyline.Record{
		Seq: seq, At: leyline.Instant(eventlogtest.Start) + leyline.Instant(seq), Run: r.Run, Input: leyline.EpochObserved{Run: r.Run, Incarnation: 1, Epoch: 1, Losses: []float64{1}, Accuracies: []float64{1}, Samples: 1},
		Events: []leyline.Event{leyline.FieldReportFiled{Run: r.Run, Report: r, Deliver: true, Fill: leyline.ReportFill{Pending: 1}}},
	}
}

// logged appends records to a log.
func logged(t *testing.T, l *eventlog.Log, rs ...leyline.Record) {
	t.Helper()
	for _, r := range rs {
		b, err := wire.AppendRecord(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(t.Context(), uint64(r.Seq), []eventlog.Entry{{Seq: uint64(r.Seq), At: int64(r.At), Kind: eventlog.KindTransition, Payload: b}}); err != nil {
			t.Fatal(err)
		}
	}
}

// spoil changes a byte of the text in the only segment.
func spoil(t *testing.T, dir, text string) {
	t.Helper()
	path := filepath.Join(dir, "segments", "00000000000000000001")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{'X'}, int64(bytes.Index(b, []byte(text)))); err != nil {
		t.Fatal(err)
	}
}

// exported runs the export and returns the reports that it writes.
func exported(t *testing.T, want int, args ...string) (ids []string, told string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(append([]string{"report", "export"}, args...), &app{out: &out, err: &errs}); code != want {
		t.Fatalf("the export of %v exits with %d, want %d\n%s%s", args, code, want, &out, &errs)
	}
	for line := range strings.Lines(out.String()) {
		var doc struct{ Report, Delivery string }
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		ids = append(ids, doc.Report+" "+doc.Delivery)
	}
	return ids, errs.String()
}

// TestDamagedReportHidesNoNeighbour: of three reports the first is damaged under a
// log that is being written. Two survive, and so does what is appended later, before
// and after the writer is gone.
func TestDamagedReportHidesNoNeighbour(t *testing.T) {
	dir := t.TempDir()
	l, err := eventlog.Create(dir, eventlogtest.Origin, eventlogtest.Start, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	logged(t, l, filing(2, "fr-1", nil), filing(3, "fr-2", nil), filing(4, "fr-3", nil))
	if ids, told := exported(t, 0, dir); !slices.Equal(ids, []string{"fr-1 sending", "fr-2 sending", "fr-3 sending"}) || told != "" {
		t.Fatalf("whole: %v, told %s", ids, told)
	}
	spoil(t, dir, "fr-1")
	done := leyline.Record{
		Seq: 5, At: leyline.Instant(eventlogtest.Start) + 5, Run: "run-1", Input: leyline.ReportDelivered{Request: leyline.EffectID{Seq: 3}, Run: "run-1", Report: "fr-2"},
		Events: []leyline.Event{leyline.FieldReportDelivered{Run: "run-1", Report: "fr-2", Attempts: 1}},
	}
	logged(t, l, done, filing(6, "fr-4", nil))
	left := []string{"fr-2 delivered", "fr-3 sending", "fr-4 sending"}
	if ids, told := exported(t, 4, dir); !slices.Equal(ids, left) || !strings.Contains(told, "damage in segments/00000000000000000001 at offset") ||
		!strings.Contains(told, "record 2: ") || !strings.Contains(told, "record 3 is the next that is whole") {
		t.Fatalf("damaged: %v, told %s", ids, told)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if ids, _ := exported(t, 4, dir); !slices.Equal(ids, left) {
		t.Fatalf("after the end of the writer: %v", ids)
	}
}

// TestReportFilters: each filter lets through what it names.
func TestReportFilters(t *testing.T) {
	dir := t.TempDir()
	l, err := eventlog.Create(dir, eventlogtest.Origin, eventlogtest.Start, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	logged(t, l, filing(2, "fr-1", nil), filing(3, "fr-2", func(r *leyline.FieldReport) { r.Run = "run-2" }),
		filing(4, "fr-3", func(r *leyline.FieldReport) { r.Outcome = leyline.ReportAborted }),
		filing(5, "fr-4", func(r *leyline.FieldReport) { r.Policy = "net/2" }),
		filing(6, "fr-5", func(r *leyline.FieldReport) { r.IssuedAt += 3600e9 }))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ args, want string }{
		{"--run run-2", "fr-2"}, {"--outcome aborted", "fr-3"}, {"--policy net/2", "fr-4"},
		{"--since " + (leyline.Instant(eventlogtest.Start) + 1800e9).String(), "fr-5"}, {"--run run-9", ""},
	} {
		ids, _ := exported(t, 0, append(strings.Fields(x.args), dir)...)
		if got := strings.ReplaceAll(strings.Join(ids, ","), " sending", ""); got != x.want {
			t.Errorf("%s lets through %q, want %q", x.args, got, x.want)
		}
	}
	for _, args := range [][]string{
		{"export", "--outcome", "nonsense", dir}, {"export", "--since", "yesterday", dir}, {"show", dir, "fr-9"}, {"list", filepath.Join(dir, "none")},
	} {
		esper(t, 2, append([]string{"report"}, args...)...)
	}
	if out := esper(t, 0, "report", "show", dir, "cmd-fr-3"); !strings.Contains(out, `"outcome": "aborted"`) || !strings.Contains(out, `"record": 4`) {
		t.Errorf("shown as %s", out)
	}
	if out := esper(t, 0, "report", "list", dir); !strings.Contains(out, "GERMINATE") || !strings.Contains(out, "5 field reports") {
		t.Errorf("listed as %s", out)
	}
}
