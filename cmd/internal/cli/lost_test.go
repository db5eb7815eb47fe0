package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLostRecordsAreNeverVouchedFor cuts acknowledged records off a log that was
// not closed. Neither audit nor replay may pass over that.
func TestLostRecordsAreNeverVouchedFor(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	esper(t, exitOK, "run", "--data", data, "--steps", "60")
	esper(t, exitOK, "audit", data)
	if err := os.Remove(filepath.Join(data, "log", "CLEAN")); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(data, "log", "segments", "00000000000000000001")
	info, err := os.Stat(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segment, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"audit", "replay", "run"} {
		args := []string{command, data}
		if command == "run" {
			args = []string{"run", "--data", data, "--steps", "60"}
		}
		esper(t, exitDamaged, args...)
	}
}
