package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

const cataloguePage = "../../../leyline/METRICS.md"

// TestTelemetryReference holds the reference page in the source tree against the
// one that the program prints, or with -update writes it.
func TestTelemetryReference(t *testing.T) {
	page := esper(t, exitOK, "telemetry", "reference")
	if *update {
		if err := os.WriteFile(cataloguePage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(cataloguePage)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(b), page); d != "" {
		t.Errorf("leyline/METRICS.md is not what `esper telemetry reference` prints; `go test ./cmd/internal/cli -run TestTelemetryReference -update` writes it:\n%s", d)
	}
	var names []string
	for _, m := range leyline.Metrics() {
		names = append(names, string(m.Name))
	}
	for _, e := range leyline.Events() {
		names = append(names, string(e.Name))
	}
	for _, r := range leyline.Retired() {
		names = append(names, r.Name)
	}
	rows := map[string]int{} // a metric and an event may have the same name
	for _, name := range names {
		rows[name]++
	}
	for name, n := range rows {
		if got := strings.Count(page, "\n| `"+name+"` |"); got != n {
			t.Errorf("the page has %d lines for %s, want %d", got, name, n)
		}
	}
	for line := range strings.Lines(page) {
		if n := strings.Count(line, "|"); n != 0 && n != 4 && n != 6 && n != 7 {
			t.Errorf("a row has %d bars: %s", n, line)
		}
	}
}

// TestTelemetryReferenceTells picks one row of each kind and wants the same page
// for machines.
func TestTelemetryReferenceTells(t *testing.T) {
	page := esper(t, exitOK, "telemetry", "reference")
	for _, want := range []string{
		"| `tolaria.training.latency_ms` | `esper_tolaria_training_latency_seconds` | gauge, ms | `run` | The whole step before the last one as the trainer measured it. | emitted |\n",
		"| `tolaria.emergency.level` | `esper_tolaria_emergency_level` | gauge, state | `run` | Emergency level. Codes: 1 `L1_NOTICE`, 2 `L2_ELEVATED`, 3 `L3_CONSERVATIVE`, 4 `L4_HALT`. | emitted |\n",
		"| `tolaria.training.loss_limit` | `esper_tolaria_training_loss_limit` | gauge, loss | `run` | Loss above which a step is anomalous. Settings: `tolaria.diverge_mode`, `tolaria.diverge_loss`, ",
		"| `plane.disk_low` | CRITICAL | `free_bytes`, `total_bytes`, `threshold_bytes` | The disk is nearly full. Settings: `log.min_free_mib`, `log.free_every_ms`. | emitted |\n",
		" | reserved for kasmina |\n", " | process |\n",
		"| `tolaria.graph.*` | nothing | no trainer reports CUDA graphs |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	out := esper(t, exitOK, "telemetry", "reference", "--json")
	for _, want := range []string{
		`"prometheus": "esper_tolaria_training_latency_seconds"`, `"kind": "counter"`, `"code": 3,`, `"status": "reserved for tamiyo"`, `"instead": "telemetry.overflow"`,
		`"telemetry.emergency_per_min"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the document lacks %s", want)
		}
	}
}
