package faultdisk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/eventlog/internal/disk"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

// bench is a Disk and what tests do with it.
type bench struct {
	*faultdisk.Disk
	t    *testing.T
	root string
}

// files maps names to contents; a name that ends in a slash is a directory.
type files map[string]string

func newBench(t *testing.T, start files) bench {
	t.Helper()
	root := t.TempDir()
	for name, content := range start {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if name[len(name)-1] == '/' {
			must(t, os.MkdirAll(path, 0o750))
			continue
		}
		must(t, os.WriteFile(path, []byte(content), 0o640))
	}
	return bench{Disk: faultdisk.New(root), t: t, root: root}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b bench) path(name string) string { return filepath.Join(b.root, name) }

func (b bench) openFile(name string, flag int) disk.File {
	b.t.Helper()
	f, err := b.OpenFile(b.path(name), flag, 0o640)
	must(b.t, err)
	b.t.Cleanup(func() { f.Close() })
	return f
}

// write writes to a new or truncated file.
func (b bench) write(name, content string) disk.File {
	b.t.Helper()
	f := b.openFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR)
	b.add(f, content)
	return f
}

func (b bench) add(f disk.File, content string) {
	b.t.Helper()
	_, err := f.Write([]byte(content))
	must(b.t, err)
}

func (b bench) rename(from, to string) {
	b.t.Helper()
	must(b.t, b.Rename(b.path(from), b.path(to)))
}

func (b bench) syncDir(name string) {
	b.t.Helper()
	must(b.t, b.SyncDir(b.path(name)))
}

// appendTo appends as a library that uses package os.
func appendTo(path, content string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(content)
	return err
}

// image returns what a crash leaves.
func (b bench) image(m faultdisk.Mode, seed uint64) files {
	b.t.Helper()
	got, err := b.Look(m, seed)
	must(b.t, err)
	return got
}

// images returns what some crashes leave.
func (b bench) images(m faultdisk.Mode, seeds int) []files {
	b.t.Helper()
	var all []files
	for seed := range seeds {
		all = append(all, b.image(m, uint64(seed)))
	}
	return all
}

// want compares a mode's image, in Torn and Prefix for some seeds.
func (b bench) want(want files, modes ...faultdisk.Mode) {
	b.t.Helper()
	for _, m := range modes {
		seeds := 1
		if m == faultdisk.Torn || m == faultdisk.Prefix {
			seeds = 20
		}
		for seed, got := range b.images(m, seeds) {
			if !equal(got, want) {
				b.t.Errorf("%v, seed %d: got %q, want %q", m, seed, got, want)
			}
		}
	}
}

// sometimes wants each of some images to come for some seed, and no other.
func (b bench) sometimes(m faultdisk.Mode, want ...files) {
	b.t.Helper()
	counts := make([]int, len(want))
	for seed, got := range b.images(m, 100) {
		found := false
		for i := range want {
			if equal(got, want[i]) {
				counts[i]++
				found = true
			}
		}
		if !found {
			b.t.Errorf("%v, seed %d: got %q, want none such", m, seed, got)
		}
	}
	for i, n := range counts {
		if n == 0 {
			b.t.Errorf("%v: never got %q", m, want[i])
		}
	}
}

func equal(a, b files) bool {
	if len(a) != len(b) {
		return false
	}
	for name, content := range a {
		if other, ok := b[name]; !ok || other != content {
			return false
		}
	}
	return true
}

func load(t testing.TB, dir string) files {
	t.Helper()
	got := files{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			got[name+"/"] = ""
			return nil
		}
		content, err := os.ReadFile(path)
		got[name] = string(content)
		return err
	}))
	return got
}
