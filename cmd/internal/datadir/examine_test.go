package datadir

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
)

// TestExamineChangesNothing: neither where there is nothing yet nor where there is a
// log.
func TestExamineChangesNothing(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), "a", "b")
	x := Examine(fresh)
	if err := errors.Join(append(x.Keys, x.Usage, x.Held, x.Disk, x.Ends)...); err != nil || x.Log || x.Total == 0 {
		t.Errorf("%+v", x)
	}
	if left, err := os.ReadDir(filepath.Dir(filepath.Dir(fresh))); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	path := made(t, 3)
	before := filesOf(t, path)
	x = Examine(path)
	if err := errors.Join(append(x.Keys, x.Usage, x.Held, x.Disk, x.Ends)...); err != nil || !x.Log || x.Free == 0 {
		t.Errorf("%+v", x)
	}
	if age := time.Since(x.Last); age < 0 || age > time.Minute {
		t.Errorf("the last record is of %v", x.Last)
	}
	if d := cmp.Diff(before, filesOf(t, path)); d != "" {
		t.Error(d)
	}
	shut(t, open(t, path))
}

// TestExamineFindsEverything that is wrong, each beside the others.
func TestExamineFindsEverything(t *testing.T) {
	path, other := made(t, 3), made(t, 3)
	admin := filepath.Join(path, keysName, adminKeyName)
	b, err := os.ReadFile(filepath.Join(other, keysName, adminKeyName))
	if err != nil {
		t.Fatal(err)
	}
	write(t, admin, string(b))
	if x := Examine(path); len(x.Keys) != 1 || !errors.Is(x.Keys[0], ErrKeys) || !strings.Contains(x.Keys[0].Error(), "trusts key") {
		t.Errorf("another key: %v", x.Keys)
	}
	if err := os.Chmod(admin, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(path, keysName, tamiyoKeyName)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, logName, "FORMAT"), "esper-log 9\n")
	x := Examine(path)
	if len(x.Keys) != 2 || !strings.Contains(x.Keys[0].Error(), "chmod 600") || !strings.Contains(x.Keys[1].Error(), "is missing") {
		t.Errorf("keys: %v", x.Keys)
	}
	if !errors.Is(x.Ends, eventlog.ErrVersion) {
		t.Errorf("log: %v", x.Ends)
	}
}

// TestExamineOfAHeldDirectory asks and takes no lock, writes nothing and does not
// read the log.
func TestExamineOfAHeldDirectory(t *testing.T) {
	path := made(t, 3)
	d := open(t, path)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	x := Examine(path)
	if !errors.Is(x.Held, ErrLocked) || !strings.Contains(x.Held.Error(), "process ") || x.Ends != nil || !x.Last.IsZero() {
		t.Errorf("%+v", x)
	}
	if after, err := os.Stat(path); err != nil || after.ModTime() != before.ModTime() {
		t.Errorf("something was made in it: %v", err)
	}
	shut(t, d)
	if x := Examine(path); x.Held != nil {
		t.Error(x.Held)
	}
}

// TestExamineLeavesOthersAlone: a directory that is not ours is not written to, not
// even for a moment.
func TestExamineLeavesOthersAlone(t *testing.T) {
	path := t.TempDir()
	write(t, filepath.Join(path, "thesis.tex"), "text")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if x := Examine(path); !errors.Is(x.Usage, ErrForeign) {
		t.Errorf("%+v", x)
	}
	if after, err := os.Stat(path); err != nil || after.ModTime() != before.ModTime() {
		t.Errorf("something was made in it: %v", err)
	}
}

// TestProbeLeftBehind by a process that was killed does no harm.
func TestProbeLeftBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	write(t, filepath.Join(path, probePrefix+"123"), "probe")
	if x := Examine(path); x.Usage != nil {
		t.Error(x.Usage)
	}
	shut(t, open(t, path))
}

// TestProbeDisk fails where nothing can be written.
func TestProbeDisk(t *testing.T) {
	if err := probeDisk("/proc"); err == nil || !strings.Contains(err.Error(), "cannot write to /proc as a data directory must be") {
		t.Error(err)
	}
}

func TestCheckKernel(t *testing.T) {
	path := t.TempDir()
	digest := leyline.Digest(sha256.Sum256([]byte("kernel")))
	if err := CheckKernel(path, "k", digest); err != nil {
		t.Errorf("missing: %v", err)
	}
	write(t, filepath.Join(path, kernelsName, "k"), "kernel")
	if err := CheckKernel(path, "k", digest); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(path, kernelsName, "k"), "colonel")
	if err := CheckKernel(path, "k", digest); err == nil || !strings.Contains(err.Error(), "the registered one is "+digest.Short()) {
		t.Error(err)
	}
}

func TestCheckExport(t *testing.T) {
	dir := t.TempDir()
	if err := CheckExport(leyline.LogConfig{CheckpointDir: dir, CheckpointCommand: []string{"true"}}); err != nil {
		t.Error(err)
	}
	err := CheckExport(leyline.LogConfig{CheckpointDir: filepath.Join(dir, "none"), CheckpointCommand: []string{"/no/such/program"}})
	bad := (*leyline.ConfigError)(nil)
	if !errors.As(err, &bad) || len(bad.Problems) != 2 || bad.Problems[0].Key != "log.checkpoint_dir" || bad.Problems[1].Key != "log.checkpoint_command" {
		t.Error(err)
	}
}
