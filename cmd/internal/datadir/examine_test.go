package datadir

import (
	"crypto/sha256"
	"errors"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/signal"
	"github.com/esper-plane/esper/subsystems/plane"
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

// TestExamineParts: what the start or the run would trip over later is found before.
func TestExamineParts(t *testing.T) {
	for _, c := range []struct {
		spoil func(path string) error
		want  string // "": nothing is wrong
	}{
		{func(string) error { return nil }, ""},
		{func(p string) error { return os.Truncate(filepath.Join(p, signalName), 0) }, ""},
		{func(p string) error { return os.Truncate(filepath.Join(p, signalName), 10) }, "has 10 bytes; want 64; remove it"},
		{func(p string) error { return os.Truncate(filepath.Join(p, signalName), 128) }, "has 128 bytes; want 64; remove it"},
		{func(p string) error { return replace(filepath.Join(p, signalName), "") }, "is a directory"},
		{func(p string) error { return replace(filepath.Join(p, signalName), filepath.Join(p, lockName)) }, "too many levels of symbolic links"},
		{func(p string) error {
			return errors.Join(os.RemoveAll(filepath.Join(p, telemetryName)), os.WriteFile(filepath.Join(p, telemetryName), nil, 0o600))
		}, "is no folder"},
	} {
		path := made(t, 1)
		if err := c.spoil(path); err != nil {
			t.Fatal(err)
		}
		before := filesOf(t, path)
		got := errors.Join(Examine(path).Parts...)
		if (got == nil) != (c.want == "") || got != nil && !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v, want %q", got, c.want)
		}
		if d := cmp.Diff(before, filesOf(t, path)); d != "" {
			t.Error(d)
		}
	}
}

// replace puts a folder, or a link to something, in the place of a file.
func replace(path, target string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	if target == "" {
		return os.Mkdir(path, 0o700)
	}
	return os.Symlink(target, path)
}

// TestExamineReadOnlyParts: as root every folder can be written to, unless its file
// system is mounted for reading only.
func TestExamineReadOnlyParts(t *testing.T) {
	path := made(t, 1)
	for _, name := range []string{logName, snapshotsName} {
		at := filepath.Join(path, name)
		if os.Geteuid() != 0 {
			if err := os.Chmod(at, 0o500); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(at, 0o700) })
			continue
		}
		if err := errors.Join(unix.Mount(at, at, "", unix.MS_BIND, ""), unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")); err != nil {
			t.Skipf("a read-only folder cannot be had here: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, 0) })
	}
	if got := errors.Join(Examine(path).Parts...); got == nil || strings.Count(got.Error(), "cannot be written to") < 2 {
		t.Errorf("%v", got)
	}
}

// TestPoisonedAtTheEnd: the plane has ended when the log is closed, so a write that
// fails then is told to other processes by the directory.
func TestPoisonedAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := open(t, path)
	next := d.Log().Next()
	if err := d.Log().Append(t.Context(), next, []plane.Entry{{Seq: next, At: leyline.Instant(time.Now().UnixNano()), Payload: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Signal.Clear(); err != nil {
		t.Fatal(err)
	}
	full(t, 64)
	err := d.Close()
	full(t, unix.RLIM_INFINITY)
	if !errors.Is(err, eventlog.ErrPoisoned) {
		t.Fatalf("the log is not poisoned: %v", err)
	}
	r, err := signal.Open(filepath.Join(path, signalName))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if s, err := r.Load(); err != nil || s.Level != leyline.EmergencyHalt || s.Reason != "storage failed" {
		t.Errorf("%+v, %v", s, err)
	}
}

// full lets files grow to a number of bytes, as on a disk that has filled.
func full(t *testing.T, most uint64) {
	t.Helper()
	ossignal.Ignore(unix.SIGXFSZ)
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = min(most, l.Max)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
}
