package cli

import (
	"encoding/json"
	"os"
	"testing"
)

// TestBenchServe measures a little of everything: every way has figures that can be,
// and nothing is left behind.
func TestBenchServe(t *testing.T) {
	dir := shortDir(t)
	var doc struct {
		Python string
		Ways   []struct {
			Name string
			P50  struct{ Median float64 } `json:"p50_us"`
			P99  struct{ Median float64 } `json:"p99_us"`
		}
		Memory []struct {
			Runs int
			RSS  float64 `json:"rss_mib"`
		}
		Load struct {
			PerSecond float64 `json:"steps_per_second"`
		}
	}
	text := esper(t, exitOK, "bench", "serve", "--dir", dir, "--rounds", "1", "--steps", "10", "--seconds", "0.5", "--json")
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	want := []string{wayFsync, wayNull, wayNear, "http-json", "http-msgpack", "framed-json", "framed-msgpack", wayAhead}
	if doc.Python != "" {
		want = append(want, "python-http", "python-framed")
	}
	if len(doc.Ways) != len(want) {
		t.Fatalf("%s", text)
	}
	for i, w := range doc.Ways {
		if w.Name != want[i] || w.P50.Median <= 0 || w.P99.Median < w.P50.Median {
			t.Errorf("%d: %+v, want %s", i, w, want[i])
		}
	}
	if len(doc.Memory) != 2 || doc.Memory[0].Runs != 1 || doc.Memory[1].Runs != manyRuns || doc.Memory[0].RSS <= 0 || doc.Load.PerSecond <= 0 {
		t.Errorf("%+v %+v", doc.Memory, doc.Load)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	for _, wrong := range [][]string{{"--steps", "1"}, {"--rounds", "0"}, {"--seconds", "0"}, {"--dir", dir + "/none"}} {
		esper(t, exitUsage, append([]string{"bench", "serve"}, wrong...)...)
	}
}
