package faultdisk_test

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

func TestForeign(t *testing.T) {
	b := newBench(t, files{"f": "one", "gone": "x"})
	must(t, b.Foreign("f", func() error {
		must(t, appendTo(b.path("f"), "two"))
		must(t, os.Rename(b.path("gone"), b.path("moved")))
		return appendTo(b.path("new"), "three")
	}))
	b.want(files{"f": "onetwo", "moved": "x", "new": "three"}, killed)
	b.want(files{"f": "one", "gone": "x"}, strict)
	b.syncDir(".")
	b.want(files{"f": "one", "moved": "x", "new": ""}, strict)
	must(t, b.openFile("new", os.O_RDWR).Sync())
	b.want(files{"f": "one", "moved": "x", "new": "three"}, strict)
	b.sometimes(torn, files{"f": "one", "moved": "x", "new": "three"}, files{"f": "onetwo", "moved": "x", "new": "three"},
		files{"f": "one\x00\x00\x00", "moved": "x", "new": "three"})
	must(t, b.ForeignSync(".", nil))
	b.want(files{"f": "onetwo", "moved": "x", "new": "three"}, faultdisk.Modes...)
}

func TestForeignAppendIsTorn(t *testing.T) {
	b := newBench(t, files{"f": "one"})
	must(t, b.Foreign("f", func() error { return appendTo(b.path("f"), "23") }))
	b.want(files{"f": "one"}, strict)
	b.sometimes(prefix, files{"f": "one"}, files{"f": "one2"}, files{"f": "one23"})
}

func TestForeignFaults(t *testing.T) {
	errOwn := errors.New("own")
	b := newBench(t, files{"a": "a", "b": "b"})
	write := func() error {
		must(t, appendTo(b.path("a"), "1234"))
		must(t, appendTo(b.path("b"), "5678"))
		return errOwn
	}
	wantErr(t, b.Foreign("a", write), errOwn)
	must(t, appendTo(b.path("a"), "-")) // is not part of the next one
	b.FailAt(2, faultdisk.Fault{Err: syscall.ENOSPC, Short: 0.75})
	wantErr(t, b.Foreign("a", write), syscall.ENOSPC)
	b.want(files{"a": "a1234-1234", "b": "b567856"}, killed)
	b.FailAt(3, faultdisk.Fault{Err: syscall.EIO})
	wantErr(t, b.Foreign("a", func() error { t.Error("the function runs"); return nil }), syscall.EIO)
	b.FailAt(4, faultdisk.Fault{Err: syscall.EIO, Stored: true})
	wantErr(t, b.Foreign("a", write), syscall.EIO)
	b.want(files{"a": "a1234-12341234", "b": "b5678565678"}, killed)
	b.want(files{"a": "a", "b": "b"}, strict)
	b.wantOps("1: foreign a (8 bytes)", "2: foreign a (8 bytes)", "3: foreign a (0 bytes)", "4: foreign a (8 bytes)")
}

func TestForeignSyncFaults(t *testing.T) {
	b := newBench(t, files{"d/f": ""})
	ran := 0
	run := func() error { ran++; return nil }
	must(t, b.Foreign("d/f", func() error { return appendTo(b.path("d/f"), "x") }))
	b.FailAt(2, faultdisk.Fault{})
	wantErr(t, b.ForeignSync("d", run), syscall.EIO)
	must(t, b.ForeignSync("d", run))
	b.want(files{"d/": "", "d/f": ""}, strict)
	must(t, b.Foreign("d/f", func() error { return appendTo(b.path("d/f"), "y") }))
	b.FailAt(5, faultdisk.Fault{Stored: true})
	wantErr(t, b.ForeignSync(b.path("d/f"), run), syscall.EIO)
	b.want(files{"d/": "", "d/f": "xy"}, strict)
	if ran != 2 {
		t.Errorf("the function ran %d times, want 2", ran)
	}
	wantErr(t, b.ForeignSync("none", nil), fs.ErrNotExist)
}

// TestUnwrappedChanges has the kernel sync what others wrote.
func TestUnwrappedChanges(t *testing.T) {
	b := newBench(t, files{"f": "1"})
	f := b.openFile("f", os.O_RDWR)
	must(t, appendTo(b.path("f"), "2"))
	must(t, os.MkdirAll(b.path("d/e"), 0o750))
	b.want(files{"f": "1"}, strict)
	must(t, appendTo(b.path("f"), "3")) // is not seen by an image before it is synced
	must(t, f.Sync())
	b.syncDir(".")
	b.want(files{"f": "123", "d/": ""}, strict)
	must(t, os.WriteFile(b.path("d/e/g"), []byte("4"), 0o640))
	must(t, b.openFile("d/e/g", os.O_RDONLY).Sync())
	b.syncDir("d/e")
	b.syncDir("d")
	all := files{"f": "123", "d/": "", "d/e/": "", "d/e/g": "4"}
	b.want(all, faultdisk.Modes...)

	must(t, os.WriteFile(b.path("temp"), []byte("new"), 0o640))
	must(t, os.Rename(b.path("temp"), b.path("f")))
	must(t, b.openFile("f", os.O_RDWR).Sync())
	b.want(all, strict)
	b.syncDir(".")
	all["f"] = "new"
	b.want(all, faultdisk.Modes...)
}
