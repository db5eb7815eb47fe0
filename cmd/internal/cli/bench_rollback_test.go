package cli

import (
	"encoding/json"
	"testing"
)

// TestBenchRollback restores small snapshots from both tiers; what it took is not
// judged here.
func TestBenchRollback(t *testing.T) {
	out := esper(t, 0, "bench", "rollback", "--json", "--rounds", "2", "--mib", "1,5", "--dir", t.TempDir(), "--fast-dir", t.TempDir())
	var doc struct {
		Rounds   int
		Restores []struct {
			Tier    string
			MiB     int
			Bytes   uint64
			Same    bool                `json:"bytes_restored_equal_saved"`
			Restore struct{ Count int } `json:"restore_ms"`
			Copy    struct{ Count int } `json:"copy_ms"`
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Restores) != 4 {
		t.Fatalf("%d restores: %s", len(doc.Restores), out)
	}
	for _, r := range doc.Restores {
		if !r.Same || r.Restore.Count != 2 || r.Copy.Count != 2 || r.Bytes <= uint64(r.MiB)<<20 {
			t.Errorf("%+v", r)
		}
	}
	for _, bad := range [][]string{{"--mib", "0"}, {"--tier", "middle"}, {"--fast-dir", "/no/such/directory"}, {"--rounds", "0"}} {
		esper(t, exitUsage, append([]string{"bench", "rollback"}, bad...)...)
	}
}
