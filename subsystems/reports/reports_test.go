package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
)

func example(id string, at leyline.Instant) *leyline.FieldReport {
	return &leyline.FieldReport{
		Report: leyline.CommandID(id), Command: "c-1", Run: "run-1", Seed: "seed-a", Blueprint: "bp-1", Outcome: leyline.ReportSuccess,
		Delta:        leyline.FieldReportDelta{Loss: -0.5, Extra: []leyline.Extra{{Name: "accuracy", Value: 0.25}}},
		WindowEpochs: 1, IssuedAt: at, Policy: "rules/1", Kind: leyline.CommandSeed, Operation: leyline.OpGerminate, Closure: leyline.ReportByEpochs,
		Epochs: 1, HeldOut: true, From: 3, To: 9, FollowUps: []leyline.Mitigation{{Kind: leyline.EventSeedMoved, Record: 8, Why: "x"}},
	}
}

const start = leyline.Instant(1_700_000_000_000_000_000)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func open(t *testing.T, dir string) (*Dir, *[]string) {
	t.Helper()
	var told []string
	d, err := OpenDir(dir, func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) })
	if err != nil {
		t.Fatal(err)
	}
	return d, &told
}

// TestLateReportIsThere: a report that is older than what is kept is not deleted by the
// delivery that says it was handed over.
func TestLateReportIsThere(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir)
	if err := d.Deliver(t.Context(), example("fr-1", start), start+1); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"fr-1.json"}) {
		t.Errorf("the directory holds %q", got)
	}
}

func TestReportIsOneFile(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir)
	r := example("fr-1", start)
	for range 2 { // the second time as after a restart
		if err := d.Deliver(t.Context(), r, 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"fr-1.json"}) {
		t.Fatalf("the directory holds %q", got)
	}
	b, err := os.ReadFile(filepath.Join(dir, "fr-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc Document
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Outcome != "success" || doc.IssuedAt != start.String() || doc.Delta.Loss != -0.5 || doc.FollowUps[0].Kind != "seed.moved" ||
		doc.Operation != "GERMINATE" || doc.Extra[0].Name != "accuracy" {
		t.Errorf("written as %s", b)
	}
}

// TestOldReportsAreDeleted: retention is counted from the time of the command, also
// of reports that an earlier process has written.
func TestOldReportsAreDeleted(t *testing.T) {
	dir := t.TempDir()
	hour := leyline.Instant(time.Hour)
	first, _ := open(t, dir)
	for i := range leyline.Instant(3) {
		if err := first.Deliver(t.Context(), example(fmt.Sprintf("fr-%d", i), start+i*hour), 0); err != nil {
			t.Fatal(err)
		}
	}
	d, told := open(t, dir)
	if err := d.Deliver(t.Context(), example("fr-3", start+3*hour), start+2*hour); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"fr-2.json", "fr-3.json"}) || len(*told) > 0 {
		t.Errorf("the directory holds %q; told %q", got, *told)
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	undated, err := json.Marshal(Document{Report: "fr-9"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"notes.txt": "x", "fr-7.json": "{", "fr-8.json": `{"report":"other"}`, "fr-9.json": string(undated), unfinished + "123": "half",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, told := open(t, dir)
	if err := d.Deliver(t.Context(), example("fr-1", start), start); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"fr-1.json", "fr-7.json", "fr-8.json", "fr-9.json", "notes.txt"}) {
		t.Errorf("the directory holds %q", got)
	}
	if len(*told) != 4 || !strings.Contains(strings.Join(*told, "\n"), "fr-9.json in the directory of field reports is left alone: it does not say when") {
		t.Errorf("told %q", *told)
	}
}

func TestWhatCannotBeDeliveredIsRefused(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir)
	undated, hidden, infinite := example("fr-1", 0), example(".fr", start), example("fr-2", start)
	infinite.Delta.Loss = math.Inf(1)
	for what, r := range map[string]*leyline.FieldReport{"issued_at": undated, "hidden": hidden, "loss": infinite} {
		if err := d.Deliver(t.Context(), r, 0); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Deliver(gone, example("fr-3", start), 0); err == nil {
		t.Error("a report was written after its deadline")
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("the directory holds %q", got)
	}
	if _, err := OpenDir(filepath.Join(dir, "nowhere"), t.Logf); err == nil {
		t.Error("a directory that is not there was opened")
	}
}

// FuzzReadReport: whatever lies in the directory is either a report with a time or
// left alone.
func FuzzReadReport(f *testing.F) {
	b, err := Encode(example("fr-1", start))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"report":"fr-1","issued_at":"yesterday"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "fr-1.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if at, err := issuedAt(dir, "fr-1.json"); err == nil && at.IsZero() && !strings.Contains(string(b), "0001-01-01") {
			t.Errorf("a report without a time was taken: %s", b)
		}
	})
}
