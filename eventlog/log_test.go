package eventlog_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

func TestAcceptance(t *testing.T) {
	inMemory(t)
	for name, opts := range map[string]eventlog.Options{
		"segments=large": {}, "segments=small": small, "segments=one-record": {SegmentSize: 1},
	} {
		t.Run(name, func(t *testing.T) { acceptance(t, opts) })
	}
}

func acceptance(t *testing.T, opts eventlog.Options) {
	dirs := make(map[eventlogtest.Log]string)
	reopen := func(t *testing.T, dir string) eventlogtest.Log {
		l, err := eventlog.Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		dirs[l] = dir
		return l
	}
	eventlogtest.Test(t, func(t *testing.T) eventlogtest.Log {
		dir := t.TempDir()
		l := create(t, dir, opts)
		dirs[l] = dir
		return l
	}, eventlogtest.Hooks{
		Reopen: func(t *testing.T, l eventlogtest.Log) eventlogtest.Log { return reopen(t, dirs[l]) },
		Crash: func(t *testing.T, l eventlogtest.Log) eventlogtest.Log {
			return reopen(t, readTree(t, dirs[l]).write(t))
		},
		Fail: map[string]func(*testing.T, eventlogtest.Log, error){
			"write": func(t *testing.T, l eventlogtest.Log, cause error) { l.(*eventlog.Log).FailNextWrite(cause) },
		},
		Own: func(t *testing.T) (eventlogtest.Log, func()) {
			l := createSigned(t, t.TempDir(), opts)
			return l, func() {
				if err := l.SignNow(); err != nil {
					t.Fatal(err)
				}
			}
		},
		OpenAt: func(t *testing.T, at int64) eventlogtest.Log {
			l, err := eventlog.Create(t.TempDir(), eventlogtest.Origin, at, opts)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return l
		},
	})
}

func TestCreateMakesParentsAndRefusesAnExistingLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "log")
	if _, err := eventlog.Open(dir, eventlog.Options{}); !errors.Is(err, eventlog.ErrNotFound) {
		t.Errorf("Open of nothing: %v", err)
	}
	if _, err := eventlog.OpenReader(dir); !errors.Is(err, eventlog.ErrNotFound) {
		t.Errorf("OpenReader of nothing: %v", err)
	}
	l := create(t, dir, eventlog.Options{})
	if _, err := eventlog.Create(dir, eventlogtest.Origin, 0, eventlog.Options{}); !errors.Is(err, eventlog.ErrLocked) {
		t.Errorf("Create beside a writer: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := readTree(t, dir)
	if _, err := eventlog.Create(dir, eventlogtest.Origin, 0, eventlog.Options{}); !errors.Is(err, eventlog.ErrExists) {
		t.Errorf("Create over a log: %v", err)
	}
	if diff := cmp.Diff(before, readTree(t, dir)); diff != "" {
		t.Errorf("the refused Create changed (-before +after):\n%s", diff)
	}
}

func TestCreateThatStoppedHalfWayCanBeRepeated(t *testing.T) {
	whole := closedLog(t)
	segment := whole["segments/00000000000000000001"]
	for name, files := range map[string]dirTree{
		"nothing":      {},
		"temp format":  {"FORMAT.new": "esper"},
		"format":       {"FORMAT": whole["FORMAT"]},
		"part segment": {"FORMAT": whole["FORMAT"], "segments.new/00000000000000000001": segment[:20]},
		"all segment":  {"FORMAT": whole["FORMAT"], "segments.new/00000000000000000001": segment},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files.write(t)
			if _, err := eventlog.Open(dir, small); !errors.Is(err, eventlog.ErrNotFound) {
				t.Errorf("Open: %v", err)
			}
			if _, err := eventlog.OpenReader(dir); !errors.Is(err, eventlog.ErrNotFound) {
				t.Errorf("OpenReader: %v", err)
			}
			l := create(t, dir, small)
			grow(t, l, 3)
		})
	}
}

func TestOptionsAndOriginAreChecked(t *testing.T) {
	for _, size := range []int{-1, 1<<30 + 1} {
		if _, err := eventlog.Create(t.TempDir(), eventlogtest.Origin, 0, eventlog.Options{SegmentSize: size}); !errors.Is(err, eventlog.ErrInvalid) {
			t.Errorf("segment size %d: %v", size, err)
		}
	}
	if _, err := eventlog.Create(t.TempDir(), eventlog.Origin{}, 0, eventlog.Options{}); !errors.Is(err, eventlog.ErrInvalid) {
		t.Errorf("empty origin: %v", err)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir, small)
	_, err := eventlog.Open(dir, small)
	if !errors.Is(err, eventlog.ErrLocked) {
		t.Fatalf("second handle: %v", err)
	}
	if out := otherProcess(t, dir); !strings.Contains(out, eventlog.ErrLocked.Error()) {
		t.Errorf("another process says %q", out)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if out := otherProcess(t, dir); !strings.Contains(out, "opened") {
		t.Errorf("after Close another process says %q", out)
	}
}

// otherProcess opens a log in a child process, which ends without closing it.
func otherProcess(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "EVENTLOG_CHILD_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	return string(out)
}

func TestChild(t *testing.T) {
	dir := os.Getenv("EVENTLOG_CHILD_DIR")
	if dir == "" {
		t.Skip("this is the other process of TestOneWriter")
	}
	if _, err := eventlog.Open(dir, small); err != nil {
		t.Log(err)
		return
	}
	t.Log("opened")
}

func TestSegmentsBeginWhereTheLogExpects(t *testing.T) {
	for _, size := range []int{1, 60, 100, 400, 1000} {
		t.Run(fmt.Sprintf("size=%d", size), func(t *testing.T) { segmentsBegin(t, size) })
	}
}

func segmentsBegin(t *testing.T, size int) {
	dir := t.TempDir()
	l := create(t, dir, eventlog.Options{SegmentSize: size})
	syncs := 0
	l.OnDirSync(func() { syncs++ })
	before := len(readTree(t, dir).segments())
	for i := range 25 {
		grow(t, l, 1+i%7)
		files := readTree(t, dir)
		list := files.segments()
		tail := list[len(list)-1]
		name, n := l.Tail()
		if filepath.Base(tail) != name || strings.Trim(files[tail][n:], "\x00") != "" || n > 0 && files[tail][n-1] == 0 {
			t.Fatalf("tail is %s with %d bytes, the log believes %s with %d and zeros", tail, len(files[tail]), name, n)
		}
		for _, full := range list[:len(list)-1] {
			if strings.HasSuffix(files[full], "\x00") {
				t.Fatalf("%s is full and ends in zeros", full)
			}
		}
		if len(list)-before != syncs {
			t.Fatalf("%d segments begun, directory synced %d times", len(list)-before, syncs)
		}
	}
	next := l.Next()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// Another size at the next opening, also one the tail is over already.
	for _, other := range []int{1, 300, 1 << 20} {
		l, err := eventlog.Open(dir, eventlog.Options{SegmentSize: other})
		if err != nil {
			t.Fatal(err)
		}
		grow(t, l, 2, 3)
		next += 5
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := open(t, dir, small); !sameRecords(got.records, history(int(next-1))) {
		t.Errorf("damage %v, %d records, want %d", got.damage, len(got.records), next-1)
	}
}

func TestFullDiskPoisons(t *testing.T) {
	t.Run("write", func(t *testing.T) {
		fullDisk(t, func(l *eventlog.Log) { l.FailNextWrite(unix.ENOSPC) })
	})
	t.Run("directory sync", func(t *testing.T) {
		fullDisk(t, func(l *eventlog.Log) { l.FailNextDirSync(unix.ENOSPC) })
	})
}

func fullDisk(t *testing.T, fail func(*eventlog.Log)) {
	dir := t.TempDir()
	l := create(t, dir, eventlog.Options{SegmentSize: 1})
	grow(t, l, 2)
	fail(l)
	for range 2 {
		err := l.Append(t.Context(), 4, eventlogtest.Group(4, 3))
		if !errors.Is(err, eventlog.ErrPoisoned) || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got error %v", err)
		}
	}
	if err := l.Close(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	got := open(t, dir, small)
	if got.report.Clean || len(got.records) < 3 || !sameRecords(got.records, history(len(got.records))) {
		t.Errorf("after reopening: damage %v, report %+v", got.damage, got.report)
	}
}

// TestRealFullDisk fills a file system of 256 KiB, so that the write comes
// from tidwall/wal and the kernel.
func TestRealFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	l := create(t, filepath.Join(dir, "log"), eventlog.Options{SegmentSize: 50 << 10})
	var err error
	acked := uint64(1)
	for err == nil {
		e := eventlog.Entry{Seq: l.Next(), At: 1 << 40, Kind: eventlog.KindTransition, Payload: make([]byte, 3000)}
		if err = l.Append(t.Context(), l.Next(), []eventlog.Entry{e}); err == nil {
			acked = e.Seq
		}
	}
	if !errors.Is(err, eventlog.ErrPoisoned) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("a full disk gives %v", err)
	}
	list, err := collect(l.All(1))
	if err != nil || uint64(len(list)) != acked {
		t.Errorf("the poisoned log reads %d of %d acknowledged records, %v", len(list), acked, err)
	}
	if err := l.Close(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	elsewhere := readTree(t, filepath.Join(dir, "log")).write(t)
	if got := open(t, elsewhere, eventlog.Options{}); got.damage != nil || uint64(len(got.records)) < acked {
		t.Errorf("after reopening %d of %d acknowledged records, damage %v", len(got.records), acked, got.damage)
	}
}
