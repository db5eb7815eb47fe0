package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/replay/harness"
)

// TestHarness runs every scenario as a user does and holds its documents, and what
// can be told from the data directories that it leaves, against its claim.
func TestHarness(t *testing.T) {
	out := filepath.Join(t.TempDir(), "results")
	text := esper(t, 0, "harness", "all", "--out", out, "--json")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != len(harness.All()) {
		t.Fatalf("%d documents for %d scenarios", len(lines), len(harness.All()))
	}
	for i, s := range harness.All() {
		var doc harness.Result
		b, err := os.ReadFile(filepath.Join(out, s.Name+".json"))
		if err == nil {
			err = json.Unmarshal(b, &doc)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !doc.Held || doc.Scenario != s.Name || len(doc.Checks) == 0 || len(doc.Data) == 0 {
			t.Errorf("%s says %s", s.Name, lines[i])
		}
	}
	late := esper(t, exitDiverged, "replay", "--sla", filepath.Join(out, "rollback-deadline-late-in-commit"))
	for _, want := range []string{"MISSED, in phase commit", "0 met, 1 MISSED"} {
		if !strings.Contains(late, want) {
			t.Errorf("--sla does not say %q:\n%s", want, late)
		}
	}
	var doc struct {
		Met       bool
		Rollbacks []struct{ Overran string }
	}
	if err := json.Unmarshal([]byte(esper(t, exitDiverged, "replay", "--sla", "--json", filepath.Join(out, "rollback-deadline-late-in-prepare"))), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Met || len(doc.Rollbacks) != 1 || doc.Rollbacks[0].Overran != "prepare" {
		t.Errorf("--sla --json says %+v", doc)
	}
	esper(t, 0, "replay", "--sla", filepath.Join(out, "rollback-deadline-in-time"))
}

// TestHarnessSteadyEpoch: one steady epoch over the socket of a served plane has one row
// in the summary, and a second run of it a second one.
func TestHarnessSteadyEpoch(t *testing.T) {
	out := filepath.Join(t.TempDir(), "results")
	for n := 1; n <= 2; n++ {
		esper(t, 0, "harness", "steady-train", "--out", out)
		b, err := os.ReadFile(filepath.Join(out, "summary.csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil || len(rows) != 1+n {
			t.Fatalf("%v, %d rows:\n%s", err, len(rows), b)
		}
		row := rows[n]
		if row[0] != "steady-train" || row[1] != "true" || row[3] != "0" || !strings.HasPrefix(row[4], "epochs=1 count; latency_mean_ms=") {
			t.Errorf("row %q", row)
		}
		esper(t, 0, "replay", filepath.Join(out, "steady-train"))
		if err := errors.Join(os.RemoveAll(filepath.Join(out, "steady-train")), os.RemoveAll(filepath.Join(out, "steady-train-in-process"))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHarnessUsage(t *testing.T) {
	if list := esper(t, 0, "harness", "list"); !strings.Contains(list, "rollback-deadline") {
		t.Errorf("the list is %q", list)
	}
	esper(t, exitUsage, "harness", "no-such-scenario")
	esper(t, exitUsage, "replay", "--sla", "--explain", "2", t.TempDir())
	esper(t, exitUsage, "replay", "--sla", "--set", "tolaria.fast_percent=1", t.TempDir())
}
