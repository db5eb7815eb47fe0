package datadir

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/eventlog"
)

// TestRefusals lists what is not opened, and checks that it is not touched.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T) string
		want error
	}{
		"a file": {func(t *testing.T) string {
			p := filepath.Join(t.TempDir(), "file")
			write(t, p, "text")
			return p
		}, ErrForeign},
		"someone's folder": {func(t *testing.T) string {
			p := t.TempDir()
			write(t, filepath.Join(p, "thesis.tex"), "text")
			return p
		}, ErrForeign},
		"someone's log folder": {func(t *testing.T) string {
			p := t.TempDir()
			write(t, filepath.Join(p, "log", "syslog"), "text")
			return p
		}, ErrForeign},
		"someone's keys": {func(t *testing.T) string {
			p := t.TempDir()
			write(t, filepath.Join(p, "keys", "id_ed25519"), "text")
			return p
		}, ErrForeign},
		"log removed": {func(t *testing.T) string {
			p := made(t, 1)
			if err := os.RemoveAll(filepath.Join(p, "log")); err != nil {
				t.Fatal(err)
			}
			return p
		}, ErrLogLost},
		"admin key removed": {func(t *testing.T) string {
			p := made(t, 1)
			if err := os.Remove(filepath.Join(p, "keys", adminKeyName)); err != nil {
				t.Fatal(err)
			}
			return p
		}, ErrKeys},
		"admin key of another log": {func(t *testing.T) string {
			p, other := made(t, 1), made(t, 0)
			if err := os.Rename(filepath.Join(other, "keys", adminKeyName), filepath.Join(p, "keys", adminKeyName)); err != nil {
				t.Fatal(err)
			}
			return p
		}, ErrKeys},
		"key that is none": {func(t *testing.T) string {
			p := made(t, 1)
			write(t, filepath.Join(p, "keys", tamiyoKeyName), "text")
			return p
		}, ErrKeys},
		"another version": {func(t *testing.T) string {
			p := made(t, 1)
			write(t, filepath.Join(p, "log", "FORMAT"), "esper-log 9\n")
			return p
		}, eventlog.ErrVersion},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.make(t)
			before := filesOf(t, path)
			if _, err := Open(path, options(&bytes.Buffer{})); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			untouched(t, before, filesOf(t, path))
		})
	}
}

// untouched compares two trees. The number in a lock may change.
func untouched(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, text := range before {
		if filepath.Base(name) != lockName && after[name] != text {
			t.Errorf("%s was changed", name)
		}
	}
	if len(after) > len(before) {
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
}

// TestCreationStopped stops the creation after every durable step; the next
// start completes it.
func TestCreationStopped(t *testing.T) {
	whole := made(t, 0)
	steps := []string{lockName, "keys/log.key", "keys/admin.key", "keys/tamiyo.key", "log/FORMAT", "log/LOCK", "log/segments"}
	for n := range steps {
		last, complete := steps[n], steps[n] == "log/segments"
		path := filepath.Join(t.TempDir(), "data")
		for _, name := range steps[:n+1] {
			carry(t, whole, path, name)
		}
		write(t, filepath.Join(path, "keys", adminKeyName+tempSuffix), "half a k")
		if _, err := OpenReadOnly(path); (err == nil) != complete {
			t.Errorf("stopped after %s: reading it: %v", last, err)
		}
		d := open(t, path)
		if d.Created == complete {
			t.Errorf("stopped after %s: created %v", last, d.Created)
		}
		kept := pick(t, path, logKeyName) == pick(t, whole, logKeyName)
		if kept != (n > 0) {
			t.Errorf("stopped after %s: log key kept %v", last, kept)
		}
		shut(t, d)
		shut(t, open(t, path))
	}
}

// pick returns one key file.
func pick(t *testing.T, path, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path, "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// carry copies a file or a directory from one data directory to another.
func carry(t *testing.T, from, to, name string) {
	t.Helper()
	at := filepath.Join(from, name)
	info, err := os.Stat(at)
	if err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		if err := os.CopyFS(filepath.Join(to, name), os.DirFS(at)); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to, name), string(b))
}
