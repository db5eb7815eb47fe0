package faultdisk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/esper-plane/esper/eventlog/internal/disk"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

func (b bench) wantOps(want ...string) {
	b.t.Helper()
	var got []string
	for _, op := range b.Ops() {
		got = append(got, op.String())
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("got operations\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOps(t *testing.T) {
	b := newBench(t, files{"old": "x", "d/e/f": "", "d/g": ""})
	b.openFile("old", os.O_RDWR)
	b.openFile("old", os.O_CREATE|os.O_RDWR)
	if _, err := b.OpenFile(b.path("old"), os.O_CREATE|os.O_EXCL|os.O_TRUNC|os.O_RDWR, 0o640); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if _, err := b.OpenFile(b.path("none"), os.O_RDWR, 0o640); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	b.wantOps()
	b.openFile("old", os.O_TRUNC|os.O_RDWR)
	f := b.write("new", "abc")
	must(t, f.Truncate(1))
	_, err := f.WriteAt([]byte("xy"), 4)
	must(t, err)
	must(t, f.Sync())
	b.rename("new", "d/new")
	must(t, b.Mkdir(b.path("m"), 0o750))
	must(t, b.Remove(b.path("m")))
	must(t, b.RemoveAll(b.path("d")))
	must(t, b.RemoveAll(b.path("d")))
	b.syncDir(".")
	must(t, b.Foreign(b.path("old"), func() error { return appendTo(b.path("old"), "1234") }))
	must(t, b.ForeignSync("old", nil))
	b.wantOps("1: create old", "2: create new", "3: write new (3 bytes)", "4: truncate new (1 bytes)",
		"5: write new (2 bytes)", "6: sync new", "7: rename new to d/new", "8: mkdir m", "9: remove m",
		"10: removeall d/e/f", "11: removeall d/e", "12: removeall d/g", "13: removeall d/new", "14: removeall d",
		"15: removeall d", "16: syncdir .", "17: foreign old (4 bytes)", "18: sync old")
}

func TestOutsideIsNotCounted(t *testing.T) {
	b := newBench(t, nil)
	other := t.TempDir()
	must(t, b.Mkdir(other+"/d", 0o750))
	f, err := b.OpenFile(other+"/d/f", os.O_CREATE|os.O_RDWR, 0o640)
	must(t, err)
	b.add(f, "x")
	must(t, f.Close())
	must(t, b.Rename(other+"/d/f", other+"/d/g"))
	must(t, b.SyncDir(filepath.Dir(b.root)))
	must(t, b.Remove(other+"/d/g"))
	must(t, b.RemoveAll(other+"/d"))
	if err := b.Rename(b.path("x"), other+"/x"); err == nil {
		t.Error("a rename across the root is allowed")
	}
	b.wantOps()
}

func TestAppendingHandle(t *testing.T) {
	b := newBench(t, files{"f": "one"})
	f := b.openFile("f", os.O_APPEND|os.O_WRONLY)
	b.add(f, "two")
	must(t, f.Sync())
	b.want(files{"f": "onetwo"}, faultdisk.Modes...)
}

func TestFaults(t *testing.T) {
	all := func(faultdisk.Op) bool { return true }
	for _, stored := range []bool{false, true} {
		b := newBench(t, files{"a": "abc", "d/": "", "gone": ""})
		f := b.openFile("a", os.O_RDWR)
		b.FailEvery(all, faultdisk.Fault{Err: syscall.ENOSPC, Stored: stored})
		n, err := f.WriteAt([]byte("x"), 3)
		if n != 0 {
			t.Errorf("a failed write returns %d", n)
		}
		errs := []error{err, f.Truncate(2), b.Mkdir(b.path("m"), 0o750), b.Remove(b.path("gone")), b.RemoveAll(b.path("d")), b.Rename(b.path("a"), b.path("b"))}
		_, err = b.OpenFile(b.path("new"), os.O_CREATE|os.O_RDWR, 0o640)
		for i, err := range append(errs, err) {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("operation %d returned %v", i+1, err)
			}
		}
		if got := b.Open(); !slices.Equal(got, []string{b.path("a")}) {
			t.Errorf("open: %q", got)
		}
		want := files{"a": "abc", "d/": "", "gone": ""}
		if stored {
			want = files{"b": "ab", "new": "", "m/": ""}
		}
		b.want(want, killed)
		b.Heal()
		must(t, f.Truncate(0))
	}
}

func TestFaultsAreUsedOnce(t *testing.T) {
	b := newBench(t, files{"f": ""})
	f := b.openFile("f", os.O_RDWR)
	isSync := func(op faultdisk.Op) bool { return op.Kind == faultdisk.Sync && op.Name == "f" }
	b.FailOn(isSync, faultdisk.Fault{Err: syscall.EIO})
	b.FailOn(isSync, faultdisk.Fault{Err: syscall.ENOSPC})
	b.add(f, "x")
	wantErr(t, f.Sync(), syscall.EIO)
	wantErr(t, f.Sync(), syscall.ENOSPC)
	must(t, f.Sync())
}

func TestShortWrite(t *testing.T) {
	b := newBench(t, files{"f": ""})
	f := b.openFile("f", os.O_RDWR)
	b.FailAt(1, faultdisk.Fault{Err: syscall.ENOSPC, Short: 0.5})
	n, err := f.Write([]byte("12345678"))
	wantErr(t, err, syscall.ENOSPC)
	if n != 4 {
		t.Errorf("%d bytes were written, want 4", n)
	}
	b.want(files{"f": "1234"}, killed)
	b.want(files{"f": ""}, strict)
	must(t, f.Sync())
	b.want(files{"f": "1234"}, faultdisk.Modes...)
}

func TestStop(t *testing.T) {
	for before, want := range map[bool]files{true: {"f": "1", "d/": ""}, false: {"f": "12", "d/": ""}} {
		b := newBench(t, files{"f": "", "d/": ""})
		f := b.openFile("f", os.O_RDWR)
		b.StopAt(2, before)
		b.add(f, "1")
		n, err := f.Write([]byte("2"))
		if done := err == nil; done == before || (n == 1) == before {
			t.Errorf("before %v: wrote %d bytes with %v", before, n, err)
		}
		b.wantDead(f)
		must(t, os.RemoveAll(b.path("f"))) // the images are of the moment of death
		b.want(want, killed)
		if got := len(b.Ops()); (got == 1) != before {
			t.Errorf("before %v: saw %d operations", before, got)
		}
	}
}

// wantDead tries everything on a stopped Disk, and on a file that is open.
func (b bench) wantDead(f disk.File) {
	b.t.Helper()
	if !b.Stopped() {
		b.t.Error("the process has not stopped")
	}
	_, openErr := b.OpenFile(b.path("f"), os.O_RDONLY, 0)
	_, readErr := f.ReadAt(make([]byte, 1), 0)
	_, statErr := f.Stat()
	_, writeErr := f.WriteAt([]byte("x"), 0)
	for i, err := range []error{
		openErr, readErr, statErr, writeErr, f.Truncate(0), f.Sync(), b.Mkdir(b.path("m"), 0o750),
		b.Rename(b.path("f"), b.path("g")), b.Remove(b.path("f")), b.RemoveAll(b.path("d")), b.SyncDir(b.root),
		b.SyncDir(os.TempDir()), b.ForeignSync("f", nil),
		b.Foreign("f", func() error { b.t.Error("the function runs"); return nil }), f.Close(),
	} {
		if !errors.Is(err, faultdisk.ErrStopped) {
			b.t.Errorf("operation %d returned %v", i, err)
		}
	}
	if open := b.Open(); len(open) != 0 {
		b.t.Errorf("Close left %q open", open)
	}
}

// TestStopIsAMoment keeps what nobody wraps apart: changes before the process
// stopped are in the images, later ones are not.
func TestStopIsAMoment(t *testing.T) {
	b := newBench(t, files{"f": "1"})
	must(t, appendTo(b.path("f"), "2"))
	b.Stop()
	must(t, appendTo(b.path("f"), "3"))
	b.want(files{"f": "12"}, killed)
	b.want(files{"f": "1"}, strict)
}

func TestImageRefuses(t *testing.T) {
	b := newBench(t, files{"f": "1"})
	if err := b.Image(b.root, killed, 0); err == nil {
		t.Error("an image was written into a directory that is not empty")
	}
	if err := b.Image(t.TempDir(), 7, 0); err == nil {
		t.Error("there is a mode 7")
	}
	must(t, os.Symlink("f", b.path("link")))
	if err := b.Image(t.TempDir(), killed, 0); err == nil {
		t.Error("symbolic links are copied")
	}
	for name, root := range map[string]string{"relative": ".", "missing": b.path("none"), "file": b.path("f"), "link": b.root} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New accepts %s", name)
				}
			}()
			faultdisk.New(root)
		}()
	}
}

func TestConcurrentUse(t *testing.T) {
	b := newBench(t, nil)
	var wg sync.WaitGroup
	want := files{"shared": strings.Repeat("x", 20)}
	for i := range 4 {
		name := fmt.Sprintf("f%d", i)
		f := b.openFile(name, os.O_CREATE|os.O_RDWR)
		want[name] = strings.Repeat("ab", 10)
		wg.Go(func() {
			for range 10 {
				_, err := f.Write([]byte("ab"))
				_, statErr := f.Stat()
				if err := errors.Join(err, statErr, f.Sync(), b.SyncDir(b.root)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			err := b.Foreign("shared", func() error { return appendTo(b.path("shared"), "x") })
			if err := errors.Join(err, b.ForeignSync("shared", nil)); err != nil {
				t.Error(err)
			}
			b.Ops()
			b.Open()
		}
	})
	wg.Wait()
	b.syncDir(".")
	b.want(want, faultdisk.Modes...)
}
