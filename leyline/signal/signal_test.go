package signal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/signal"
)

func writer(t testing.TB, path string) *signal.Writer {
	t.Helper()
	w, err := signal.OpenWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, w.Close()) })
	return w
}

func reader(t testing.TB, path string) *signal.Reader {
	t.Helper()
	r, err := signal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, r.Close()) })
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// pair is a writer and a reader of a new file.
func pair(t testing.TB) (*signal.Writer, *signal.Reader, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signal")
	return writer(t, path), reader(t, path), path
}

// TestLife follows a signal from a fresh file to a halt and back.
func TestLife(t *testing.T) {
	w, r, _ := pair(t)
	if s, err := r.Load(); err != nil || s != (signal.Signal{}) || r.Raised() {
		t.Errorf("a fresh file: %+v, %v", s, err)
	}
	long := strings.Repeat("a", 47) + "é"
	var last time.Duration
	for _, step := range []struct {
		level  leyline.EmergencyLevel
		reason string
		want   string
	}{
		{leyline.EmergencyNotice, "nothing is wrong", ""},
		{leyline.EmergencyElevated, "", ""},
		{leyline.EmergencyConservative, long, long[:47]},
		{leyline.EmergencyHalt, "storage failed", "storage failed"},
		{leyline.EmergencyHalt, "and\x00nul", "and\x00nul"},
	} {
		check(t, w.Set(step.level, step.reason))
		s, err := r.Load()
		if err != nil {
			t.Fatal(err)
		}
		if s.At < last || s.At == 0 || s.Age < 0 || s.Age > time.Minute {
			t.Errorf("%s: published at %v, after %v, %v ago", step.level, s.At, last, s.Age)
		}
		last = s.At
		raised := step.level > leyline.EmergencyNotice
		want := signal.Signal{Level: step.level, Flag: raised, Reason: step.want, At: s.At, Age: s.Age}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("%s: %s", step.level, diff)
		}
		if r.Raised() != raised {
			t.Errorf("%s: raised %v", step.level, r.Raised())
		}
		level, reason, err := w.Get()
		if err != nil || level != step.level || reason != step.want {
			t.Errorf("the writer gets %s, %q, %v", level, reason, err)
		}
	}
	check(t, w.Clear())
	s, err := r.Load()
	if err != nil || s.Level != leyline.EmergencyNotice || s.Flag || s.Reason != "" || s.At < last || r.Raised() {
		t.Errorf("after Clear: %+v, %v", s, err)
	}
}

// TestTimeIsOfTheMachine compares the stamp with the clock around it.
func TestTimeIsOfTheMachine(t *testing.T) {
	w, r, _ := pair(t)
	before, err := signal.Now()
	check(t, err)
	check(t, w.Set(leyline.EmergencyHalt, "now"))
	after, err := signal.Now()
	check(t, err)
	s, err := r.Load()
	check(t, err)
	if s.At < before.Truncate(time.Millisecond) || s.At > after {
		t.Errorf("stamped %v, between %v and %v", s.At, before, after)
	}
}

// TestUnknownLevels: what is no level is not published.
func TestUnknownLevels(t *testing.T) {
	w, r, _ := pair(t)
	check(t, w.Set(leyline.EmergencyElevated, "before"))
	for _, level := range []leyline.EmergencyLevel{leyline.EmergencyUnspecified, 5, 255} {
		if err := w.Set(level, "x"); err == nil {
			t.Errorf("%s is published", level)
		}
	}
	if s, err := r.Load(); err != nil || s.Reason != "before" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestStays closes and opens a writer: what is published stays, the file is the
// owner's alone, and Close may be called twice.
func TestStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signal")
	w := writer(t, path)
	check(t, w.Set(leyline.EmergencyHalt, "still here"))
	check(t, w.Close())
	check(t, w.Close())
	if err := w.Set(leyline.EmergencyHalt, ""); !errors.Is(err, signal.ErrClosed) {
		t.Errorf("Set after Close: %v", err)
	}
	if _, _, err := w.Get(); !errors.Is(err, signal.ErrClosed) {
		t.Errorf("Get after Close: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != signal.Size {
		t.Errorf("%v, %v", info, err)
	}
	if level, reason, err := writer(t, path).Get(); err != nil || level != leyline.EmergencyHalt || reason != "still here" {
		t.Errorf("found %s, %q, %v", level, reason, err)
	}
	r := reader(t, path)
	check(t, r.Close())
	if _, err := r.Load(); !errors.Is(err, signal.ErrClosed) {
		t.Errorf("Load after Close: %v", err)
	}
}

// TestOneWriter: the second is refused, until the first has closed.
func TestOneWriter(t *testing.T) {
	w, _, path := pair(t)
	if _, err := signal.OpenWriter(path); !errors.Is(err, signal.ErrInUse) {
		t.Errorf("a second writer: %v", err)
	}
	check(t, w.Close())
	writer(t, path)
}

// TestFilesThatAreNone lists what neither a writer nor a reader opens.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	check(t, os.WriteFile(at("short"), make([]byte, 63), 0o600))
	check(t, os.WriteFile(at("long"), make([]byte, 65), 0o600))
	check(t, os.WriteFile(at("good"), make([]byte, 64), 0o600))
	check(t, os.WriteFile(at("empty"), nil, 0o600))
	check(t, os.Symlink(at("good"), at("link")))
	check(t, os.Mkdir(at("folder"), 0o700))
	check(t, syscall.Mkfifo(at("fifo"), 0o600))
	for name, want := range map[string]error{
		"short": signal.ErrFile, "long": signal.ErrFile, "folder": nil, "fifo": signal.ErrFile, "link": syscall.ELOOP,
	} {
		_, err := signal.OpenWriter(at(name))
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("a writer of %s: %v", name, err)
		}
		if found := signal.Check(at(name)); found == nil || found.Error() != err.Error() {
			t.Errorf("the check of %s: %v, the writer says %v", name, found, err)
		}
	}
	for name, want := range map[string]error{
		"short": signal.ErrFile, "long": signal.ErrFile, "folder": signal.ErrFile, "fifo": signal.ErrFile,
		"empty": signal.ErrFile, "link": syscall.ELOOP, "missing": os.ErrNotExist,
	} {
		if _, err := signal.Open(at(name)); !errors.Is(err, want) {
			t.Errorf("a reader of %s: %v", name, err)
		}
	}
	for _, name := range []string{"good", "empty", "missing"} {
		check(t, signal.Check(at(name)))
	}
	if _, err := os.Stat(at("missing")); err == nil {
		t.Error("a check makes a file")
	}
	if b, err := os.ReadFile(at("long")); err != nil || len(b) != 65 {
		t.Errorf("the long file has %d bytes now, %v", len(b), err)
	}
	writer(t, at("empty"))
	reader(t, at("empty"))
}

// TestWriterDied leaves pages as a writer would that died after its first store:
// the flag is up if it was or was to be, Load gives up, and the next writer goes
// on as if nothing had been.
func TestWriterDied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signal")
	w := writer(t, path)
	check(t, w.Set(leyline.EmergencyHalt, "was being cleared"))
	check(t, w.Close())
	b, err := os.ReadFile(path)
	check(t, err)
	b[0]++
	check(t, os.WriteFile(path, b, 0o600))
	r := reader(t, path)
	if _, err := r.Load(); !errors.Is(err, signal.ErrHalfWritten) || !r.Raised() {
		t.Errorf("half-written: %v, raised %v", err, r.Raised())
	}
	next := writer(t, path)
	if _, _, err := next.Get(); !errors.Is(err, signal.ErrHalfWritten) {
		t.Errorf("the next writer: %v", err)
	}
	for _, want := range []string{"first", "second"} {
		check(t, next.Set(leyline.EmergencyElevated, want))
		if s, err := r.Load(); err != nil || s.Reason != want {
			t.Errorf("after %s: %+v, %v", want, s, err)
		}
	}
}

// TestFileCutShort takes the file away under both: an error, not the end of the
// process.
func TestFileCutShort(t *testing.T) {
	w, r, path := pair(t)
	check(t, os.Truncate(path, 0))
	if err := w.Set(leyline.EmergencyHalt, "x"); !errors.Is(err, signal.ErrFault) || strings.Contains(err.Error(), "pointer") {
		t.Errorf("Set: %v", err)
	}
	if _, err := r.Load(); !errors.Is(err, signal.ErrFault) {
		t.Errorf("Load: %v", err)
	}
	check(t, os.Truncate(path, signal.Size))
	check(t, w.Set(leyline.EmergencyHalt, "back"))
	if s, err := r.Load(); err != nil || s.Reason != "back" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestGoroutines lets many read, and two write, under the race detector.
func TestGoroutines(t *testing.T) {
	w, r, _ := pair(t)
	check(t, w.Set(leyline.EmergencyElevated, "L2_ELEVATED"))
	var all sync.WaitGroup
	for _, level := range []leyline.EmergencyLevel{leyline.EmergencyElevated, leyline.EmergencyHalt} {
		all.Go(func() {
			for range 2000 {
				check(t, w.Set(level, level.String()))
			}
		})
		all.Go(func() {
			for range 2000 {
				s, err := r.Load()
				if err == nil && s.Reason != s.Level.String() || err != nil && !errors.Is(err, signal.ErrHalfWritten) || !r.Raised() {
					t.Errorf("%+v, %v", s, err)
				}
			}
		})
	}
	all.Wait()
}

// TestRaisedAllocatesNothing: nothing may be left to collect in a training step.
func TestRaisedAllocatesNothing(t *testing.T) {
	_, r, _ := pair(t)
	if n := testing.AllocsPerRun(1000, func() { r.Raised() }); n != 0 {
		t.Errorf("Raised allocates %v times", n)
	}
}

func BenchmarkRaised(b *testing.B) {
	_, r, _ := pair(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Raised()
	}
}

func BenchmarkLoad(b *testing.B) {
	w, r, _ := pair(b)
	check(b, w.Set(leyline.EmergencyHalt, strings.Repeat("x", signal.MaxReason)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Load(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	w, _, _ := pair(b)
	reason := strings.Repeat("x", signal.MaxReason)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Set(leyline.EmergencyHalt, reason); err != nil {
			b.Fatal(err)
		}
	}
}
