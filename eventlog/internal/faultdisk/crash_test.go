package faultdisk_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

const (
	killed = faultdisk.Killed
	strict = faultdisk.Strict
	torn   = faultdisk.Torn
	prefix = faultdisk.Prefix
)

func TestSyncedSurvives(t *testing.T) {
	b := newBench(t, files{"old": "before", "d/e/": ""})
	f := b.write("new", "content")
	must(t, f.Sync())
	b.syncDir(".")
	b.want(files{"old": "before", "new": "content", "d/": "", "d/e/": ""}, faultdisk.Modes...)
}

func TestUnsyncedContent(t *testing.T) {
	b := newBench(t, nil)
	b.write("f", "content")
	b.syncDir(".")
	b.want(files{"f": "content"}, killed)
	b.want(files{"f": ""}, strict)
	b.sometimes(torn, files{"f": ""}, files{"f": "content"}, files{"f": strings.Repeat("\x00", 7)})
	b.sometimes(prefix, files{"f": ""}, files{"f": "c"}, files{"f": "co"}, files{"f": "con"},
		files{"f": "cont"}, files{"f": "conte"}, files{"f": "conten"}, files{"f": "content"})
}

func TestUnsyncedName(t *testing.T) {
	b := newBench(t, nil)
	must(t, b.write("f", "content").Sync())
	b.want(files{"f": "content"}, killed)
	b.want(files{}, strict)
	b.sometimes(torn, files{}, files{"f": "content"})
	b.sometimes(prefix, files{}, files{"f": "content"})
}

// TestRenameWithoutSync is the usual mistake.
func TestRenameWithoutSync(t *testing.T) {
	b := newBench(t, files{"f": "old"})
	b.write("temp", "newer")
	b.rename("temp", "f")
	b.want(files{"f": "newer"}, killed)
	b.want(files{"f": "old"}, strict)
	b.syncDir(".")
	b.want(files{"f": "newer"}, killed)
	b.want(files{"f": ""}, strict)
	b.sometimes(torn, files{"f": ""}, files{"f": "\x00\x00\x00\x00\x00"}, files{"f": "newer"})
}

func TestRenameOverComesBack(t *testing.T) {
	b := newBench(t, files{"f": "old"})
	must(t, b.write("temp", "new").Sync())
	b.syncDir(".")
	b.rename("temp", "f")
	b.want(files{"f": "new"}, killed)
	b.want(files{"f": "old", "temp": "new"}, strict)
	b.sometimes(torn, files{"f": "old", "temp": "new"}, files{"f": "new"})
	b.syncDir(".")
	b.want(files{"f": "new"}, faultdisk.Modes...)
}

func TestRemovalComesBack(t *testing.T) {
	b := newBench(t, files{"f": "old", "g": "keep"})
	f := b.openFile("f", os.O_RDWR)
	must(t, b.Remove(b.path("f")))
	b.add(f, "new")
	b.want(files{"g": "keep"}, killed)
	b.want(files{"f": "old", "g": "keep"}, strict)
	must(t, f.Sync()) // content belongs to the file, not to its name
	b.want(files{"f": "new", "g": "keep"}, strict)
	b.sometimes(torn, files{"f": "new", "g": "keep"}, files{"g": "keep"})
	b.syncDir(".")
	b.want(files{"g": "keep"}, faultdisk.Modes...)
}

func TestDirectoriesNeedTheirParents(t *testing.T) {
	b := newBench(t, nil)
	must(t, b.Mkdir(b.path("d"), 0o750))
	must(t, b.Mkdir(b.path("d/e"), 0o750))
	must(t, b.write("d/e/f", "x").Sync())
	b.syncDir("d/e")
	b.syncDir("d")
	all := files{"d/": "", "d/e/": "", "d/e/f": "x"}
	b.want(all, killed)
	b.want(files{}, strict)
	b.sometimes(torn, files{}, all)
	b.syncDir(".")
	b.want(all, faultdisk.Modes...)
}

func TestRenameOfDirectory(t *testing.T) {
	b := newBench(t, nil)
	must(t, b.Mkdir(b.path("new"), 0o750))
	must(t, b.write("new/f", "x").Sync())
	b.syncDir("new")
	b.rename("new", "d")
	b.want(files{"d/": "", "d/f": "x"}, killed)
	b.want(files{}, strict)
	b.syncDir(".")
	b.want(files{"d/": "", "d/f": "x"}, faultdisk.Modes...)
}

func TestRenameAcrossDirectories(t *testing.T) {
	b := newBench(t, files{"a/f": "x", "b/": ""})
	before, after := files{"a/": "", "a/f": "x", "b/": ""}, files{"a/": "", "b/": "", "b/f": "x"}
	b.rename("a/f", "b/f")
	b.want(before, strict)
	b.sometimes(torn, before, after)
	b.sometimes(prefix, before, after)
	b.syncDir("b")
	both := files{"a/": "", "a/f": "x", "b/": "", "b/f": "x"}
	b.want(both, strict)
	b.sometimes(torn, both, after)
	b.syncDir("a")
	b.want(after, faultdisk.Modes...)
}

// TestBothNamesAreOneFile writes to one of the two names that half of a rename
// leaves.
func TestBothNamesAreOneFile(t *testing.T) {
	b := newBench(t, files{"a/f": "x", "b/": ""})
	b.rename("a/f", "b/f")
	b.syncDir("b")
	dir := t.TempDir()
	must(t, b.Image(dir, strict, 0))
	must(t, appendTo(dir+"/a/f", "y"))
	if got := load(t, dir)["b/f"]; got != "xy" {
		t.Errorf("b/f has %q, a/f has xy", got)
	}
}

// TestReusedInode has file systems give the inode of a removed file to a new
// one, which must not get the durable content with it.
func TestReusedInode(t *testing.T) {
	for name, replace := range map[string]func(b bench){
		"Foreign": func(b bench) {
			must(b.t, b.Foreign("old", func() error {
				must(b.t, os.Remove(b.path("old")))
				return os.WriteFile(b.path("new"), nil, 0o640)
			}))
		},
		"Foreign removal": func(b bench) {
			must(b.t, b.Foreign("old", func() error { return os.Remove(b.path("old")) }))
			b.openFile("new", os.O_CREATE|os.O_RDWR)
		},
		"Remove": func(b bench) {
			must(b.t, b.Remove(b.path("old")))
			b.openFile("new", os.O_CREATE|os.O_RDWR)
		},
		"RemoveAll": func(b bench) {
			must(b.t, b.RemoveAll(b.path("old")))
			b.openFile("new", os.O_CREATE|os.O_RDWR)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, files{"old": "durable"})
			replace(b)
			b.want(files{"old": "durable"}, strict)
			b.sometimes(torn, files{"old": "durable"}, files{}, files{"old": "durable", "new": ""}, files{"new": ""})
			b.syncDir(".")
			b.want(files{"new": ""}, faultdisk.Modes...)
		})
	}
}

// TestFailedSync is what Linux does: the failed sync forgets what to store.
func TestFailedSync(t *testing.T) {
	first, second := strings.Repeat("1", 600), strings.Repeat("2", 600)
	b := newBench(t, files{"f": ""})
	f := b.openFile("f", os.O_RDWR)
	b.add(f, first)
	b.FailOn(func(op faultdisk.Op) bool { return op.Kind == faultdisk.Sync }, faultdisk.Fault{Err: syscall.EIO})
	wantErr(t, f.Sync(), syscall.EIO)
	b.want(files{"f": ""}, strict)
	must(t, f.Sync())
	b.want(files{"f": first}, killed)
	b.want(files{"f": ""}, strict, torn, prefix)

	// The next sync stores only what was written since, by whole sectors.
	b.add(f, second)
	must(t, f.Sync())
	b.want(files{"f": first + second}, killed)
	b.want(files{"f": strings.Repeat("\x00", 512) + (first + second)[512:]}, strict, torn, prefix)
	_, err := f.WriteAt([]byte(first), 0)
	must(t, err)
	must(t, f.Sync())
	b.want(files{"f": first + second}, faultdisk.Modes...)
}

func TestFailedButStoredSync(t *testing.T) {
	b := newBench(t, files{"f": ""})
	f := b.openFile("f", os.O_RDWR)
	b.add(f, "x")
	b.FailAt(2, faultdisk.Fault{Err: syscall.EIO, Stored: true})
	wantErr(t, f.Sync(), syscall.EIO)
	b.want(files{"f": "x"}, faultdisk.Modes...)
}

func TestFailedSyncDir(t *testing.T) {
	b := newBench(t, nil)
	must(t, b.write("f", "x").Sync())
	b.FailAt(4, faultdisk.Fault{})
	b.FailAt(5, faultdisk.Fault{Stored: true})
	wantErr(t, b.SyncDir(b.root), syscall.EIO)
	b.want(files{}, strict)
	wantErr(t, b.SyncDir(b.root), syscall.EIO)
	b.want(files{"f": "x"}, faultdisk.Modes...)
}
