package cli

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// splitLog gives the log of a closed data directory segments of n records, as if
// it had been written with small ones. Records and their hashes stay as they are.
func splitLog(t *testing.T, data string, n int) {
	t.Helper()
	dir := filepath.Join(data, "log")
	for _, name := range []string{"CLEAN", "seals", "hashes"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	whole := filepath.Join(dir, "segments", fmt.Sprintf("%020d", 1))
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for first := 1; len(b) > 0; first += n {
		at := 0
		for i := 0; i < n && at < len(b); i++ {
			size, prefix := binary.Uvarint(b[at:])
			at += prefix + int(size)
		}
		if err := os.WriteFile(filepath.Join(dir, "segments", fmt.Sprintf("%020d", first)), b[:at], 0o640); err != nil {
			t.Fatal(err)
		}
		b = b[at:]
	}
}

func filesLike(t *testing.T, pattern string) int {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestKeepingALog compresses and removes what is old, and runs a plane on what is
// left.
func TestKeepingALog(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	esper(t, exitOK, "run", "--data", data, "--steps", "60")
	splitLog(t, data, 20)
	esper(t, exitOK, "run", "--data", data, "--steps", "20") // seals them

	if out := esper(t, exitOK, "log", "archive", data); !strings.HasPrefix(out, "compressed ") {
		t.Errorf("archive: %s", out)
	}
	packed := filesLike(t, filepath.Join(data, "log/archive/*.zst"))
	if packed < 2 {
		t.Errorf("%d compressed segments", packed)
	}
	if out := esper(t, exitOK, "replay", data); !strings.Contains(out, "identical") {
		t.Errorf("replay of a compressed log: %s", out)
	}
	esper(t, exitOK, "log", "verify", data)
	esper(t, exitOK, "audit", data)
	esper(t, exitOK, "run", "--data", data, "--steps", "20")
	kept := filepath.Join(t.TempDir(), "kept")
	esper(t, exitOK, "log", "backup", data, kept)

	// Without a stored projection every record is needed.
	aside := filepath.Join(data, "projections.db")
	if err := os.Rename(aside, aside+".aside"); err != nil {
		t.Fatal(err)
	}
	before := filesLike(t, filepath.Join(data, "log/archive/*"))
	if out := esper(t, exitFailed, "log", "prune", "--json", "--before", "45", data); !strings.Contains(out, "still needed") {
		t.Errorf("prune without a projection: %s", out)
	}
	if n := filesLike(t, filepath.Join(data, "log/archive/*")); n != before {
		t.Errorf("the refusal left %d of %d files", n, before)
	}
	if err := os.Rename(aside+".aside", aside); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if out := esper(t, exitOK, "log", "prune", "--before", "45", "--to", moved, data); !strings.HasPrefix(out, "moved to ") {
		t.Errorf("prune: %s", out)
	}
	if n := filesLike(t, filepath.Join(moved, "*/*")); n != 2 {
		t.Errorf("%d segments were moved", n)
	}
	esper(t, exitOK, "log", "verify", data)
	esper(t, exitOK, "log", "backup", data, kept)
	for _, args := range [][]string{{"replay", "--json", data}, {"audit", "--json", data}} {
		if out := esper(t, exitFailed, args...); !strings.Contains(out, `"kind":"pruned"`) {
			t.Errorf("%v: %s", args, out)
		}
	}

	if out := esper(t, exitFailed, "log", "cat", "--json", "--from", "1", "--to", "2", data); !strings.Contains(out, `"kind":"pruned"`) {
		t.Errorf("cat of a pruned record: %s", out)
	}

	// The backup has all of it.
	restored := filepath.Join(t.TempDir(), "restored")
	esper(t, exitOK, "log", "restore", "--keys", filepath.Join(data, "keys"), kept, restored)
	if out := esper(t, exitOK, "replay", restored); !strings.Contains(out, "identical") {
		t.Errorf("replay of the restored log: %s", out)
	}
}
