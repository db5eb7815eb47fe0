package datadir

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/plane"
)

func options(out *bytes.Buffer) Options {
	return Options{Rand: rand.Reader, Now: time.Now, Logger: hclog.New(&hclog.LoggerOptions{Output: out})}
}

// open opens a directory that must open.
func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path, options(&bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func shut(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// made is a data directory with a few records, closed.
func made(t *testing.T, records int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a", "data")
	d := open(t, path)
	for range records {
		next := d.Log().Next()
		if err := d.Log().Append(t.Context(), next, []plane.Entry{{Seq: next, At: leyline.Instant(time.Now().UnixNano()), Payload: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, d)
	return path
}

// filesOf is every file below a directory with its content.
func filesOf(t *testing.T, path string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenMakesAndFindsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "data")
	first := open(t, path)
	if !first.Created || !strings.HasPrefix(first.Origin().Name, "esper-") || len(first.Origin().Name) != len("esper-")+32 {
		t.Errorf("created %v, origin %q", first.Created, first.Origin().Name)
	}
	keys := first.Keys
	for _, name := range keyNames {
		info, err := os.Stat(filepath.Join(first.KeysPath(), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(first.KeysPath()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("keys: %v, %v", info.Mode(), err)
	}
	shut(t, first)
	shut(t, first)
	second := open(t, path)
	defer shut(t, second)
	if second.Created || second.Keys.Admin.KeyID() != keys.Admin.KeyID() || !second.Recovery().Clean {
		t.Errorf("created %v, key %s, was %s, recovery %+v", second.Created, second.Keys.Admin, keys.Admin, second.Recovery())
	}
}

func TestOneWriter(t *testing.T) {
	path := made(t, 3)
	d := open(t, path)
	defer shut(t, d)
	if _, err := Open(path, options(&bytes.Buffer{})); !errors.Is(err, ErrLocked) {
		t.Errorf("second writer: %v", err)
	}
	r, err := OpenReadOnly(path)
	if err != nil {
		t.Fatalf("reader beside a writer: %v", err)
	}
	var seqs []leyline.Seq
	for e, err := range r.Source().All(1) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, e.Seq)
	}
	if !slices.Equal(seqs, []leyline.Seq{2, 3, 4}) {
		t.Errorf("records %v; want transitions only", seqs)
	}
}

// TestDamagedProjectionsAreMovedAside damages the cache in two ways; the second
// file is kept beside the first.
func TestDamagedProjectionsAreMovedAside(t *testing.T) {
	path := made(t, 2)
	for n, text := range []string{"not a database at all", ""} {
		write(t, filepath.Join(path, projectedName), strings.Repeat(text, 1000)+"x")
		var out bytes.Buffer
		d, err := Open(path, options(&out))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "moved aside") {
			t.Errorf("no warning: %s", &out)
		}
		if _, _, _, ok, err := d.Store().Load(); ok || err != nil {
			t.Errorf("loaded %v, %v from a new store", ok, err)
		}
		shut(t, d)
		if found, _ := filepath.Glob(filepath.Join(path, asidePrefix+"*")); len(found) != n+1 {
			t.Errorf("kept %v", found)
		}
	}
}

func TestStoreRoundTrip(t *testing.T) {
	path := made(t, 2)
	d := open(t, path)
	want := plane.Anchor{Seq: 2, Leaf: leyline.Digest{1}, At: 7}
	if err := d.Store().Save(want, 5, []byte("state")); err != nil {
		t.Fatal(err)
	}
	shut(t, d)
	d = open(t, path)
	defer shut(t, d)
	got, schema, blob, ok, err := d.Store().Load()
	if got != want || schema != 5 || string(blob) != "state" || !ok || err != nil {
		t.Errorf("got %+v %d %q %v %v", got, schema, blob, ok, err)
	}
}

func TestReadOnly(t *testing.T) {
	if _, err := OpenReadOnly(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "thesis.tex"), "text")
	if _, err := OpenReadOnly(foreign); !errors.Is(err, ErrForeign) {
		t.Errorf("foreign: %v", err)
	}
	path := made(t, 2)
	before := filesOf(t, path)
	r, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Report().LastSeq != 4 || !r.Report().Clean {
		t.Errorf("report %+v", r.Report())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if after := filesOf(t, path); len(after) != len(before) {
		t.Errorf("reading changed the directory")
	}
}

func TestAppendAfterCloseFails(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "data"))
	log := d.Log()
	shut(t, d)
	if err := log.Append(context.Background(), 2, []plane.Entry{{Seq: 2, Payload: []byte("x")}}); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
