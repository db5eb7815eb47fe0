package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFree(t *testing.T) {
	d := &Dir{Path: t.TempDir()}
	before, size, err := d.Free()
	if err != nil || before == 0 || before > size {
		t.Fatalf("%d of %d bytes, %v", before, size, err)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(d.Path, &s); err != nil {
		t.Fatal(err)
	}
	if want := s.Blocks * uint64(s.Frsize); size != want {
		t.Errorf("the disk has %d bytes, want %d", size, want)
	}
	missing := filepath.Join(d.Path, "missing")
	if _, _, err := (&Dir{Path: missing}).Free(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is gone: %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("looking made it")
	}
}
