package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/projections"
)

var update = flag.Bool("update", false, "record the golden log and incident again")

const goldenDir = "../../../testdata/golden/v1"

// TestMakeGolden records the golden log of this format version and the incident
// in it, from a real run with one injected fault, when asked to with -update.
// Otherwise it checks that they are there; package replay replays them.
func TestMakeGolden(t *testing.T) {
	incident := filepath.Join(goldenDir, "nan-at-120.esper")
	if !*update {
		if _, err := os.Stat(incident); err != nil {
			t.Fatal(err)
		}
		return
	}
	data := filepath.Join(t.TempDir(), "data")
	esper(t, exitOK, "run", "--data", data, "--set", "tamiyo.policy_inline=false", "--set", "tamiyo.policy_budget_ms=250",
		"--fault", "nan@120", "--fault", "policy-timeout@150", "--fault", "loss-spike@205", "--fault", "replayed-command@250")
	if err := os.RemoveAll(filepath.Join(goldenDir, "log")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(goldenDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(goldenDir, "log"), os.DirFS(filepath.Join(data, "log"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(goldenDir, "log", "LOCK")); err != nil {
		t.Fatal(err) // it holds a process id
	}
	esper(t, exitOK, "replay", "bundle", "--rollback", "--force", "-o", incident, data)
	var rep struct{ Digests []projections.Named }
	if err := json.Unmarshal([]byte(esper(t, exitOK, "--json", "replay", data)), &rep); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range rep.Digests {
		fmt.Fprintf(&b, "%s %s\n", d.Name, d.Digest)
	}
	if len(rep.Digests) == 0 {
		t.Fatal("the replay printed no digests")
	}
	if err := os.WriteFile(filepath.Join(goldenDir, "digests.txt"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
