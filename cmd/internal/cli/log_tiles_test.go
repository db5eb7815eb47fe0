package cli

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

// TestExport exports a growing log into one directory: no tile that was written
// changes, and each export is checked without the log.
func TestExport(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 300)
	dest, key, old := filepath.Join(t.TempDir(), "tiles"), s.vkey(t), s.keep(t)
	says(t, 0, []string{"the tree of 301 records of the log plane-7"}, "log", "export", s.dir, dest)
	before := under(t, dest)
	s.grow(t, "record", 500)
	fork := s.fork(t)
	esper(t, 0, "log", "export", "--json", s.dir, dest)
	after := under(t, dest)
	for name, b := range before {
		if name != "checkpoint" && !bytes.Equal(after[name], b) {
			t.Errorf("%s was changed", name)
		}
	}
	if len(after) <= len(before) {
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
	says(t, 0, []string{"802 leaf hashes in the export", "continues the one of 301"}, "log", "check", dest, "--key", key, "--checkpoint", old)
	says(t, 0, []string{"is that of the checkpoint that you kept"}, "log", "check", dest, "--key", key, "--checkpoint", s.keep(t))

	// A log that is behind its export, or another one, adds nothing to it.
	s.grow(t, "record", 10)
	esper(t, 0, "log", "export", s.dir, dest)
	says(t, 4, []string{"not a continuation of this checkpoint"}, "log", "export", fork.dir, dest)
	fork.grow(t, "other", 50)
	says(t, 4, []string{"inconsistent with the checkpoint"}, "log", "export", fork.dir, dest)
	says(t, 4, nil, "log", "export", newSigned(t, "plane-8", "record", 900).dir, dest)
	esper(t, 0, "log", "check", dest, "--key", key)
	says(t, 2, []string{"cannot be compared"}, "log", "check", dest, "--key", key, "--checkpoint", fork.keep(t))
}

// TestExportForked: an export that is sound in itself and no continuation of what
// the auditor has kept.
func TestExportForked(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 100)
	fork, dest, key := s.fork(t), filepath.Join(t.TempDir(), "tiles"), s.vkey(t)
	s.grow(t, "record", 300)
	fork.grow(t, "other", 400)
	esper(t, 0, "log", "export", fork.dir, dest)
	says(t, 4, []string{"two different trees of 402 records"}, "log", "check", dest, "--key", key, "--checkpoint", s.keep(t))
}

// TestExportBytes changes every file of an export.
func TestExportBytes(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 300)
	dest, key := filepath.Join(t.TempDir(), "tiles"), s.vkey(t)
	esper(t, 0, "log", "export", s.dir, dest)
	for name, b := range under(t, dest) {
		damage(t, filepath.Join(dest, name), len(b)/2)
		says(t, 4, nil, "log", "check", dest, "--key", key)
		damage(t, filepath.Join(dest, name), len(b)/2)
	}
	says(t, 0, []string{"holds"}, "log", "check", dest, "--key", key)
	says(t, 2, []string{"is a log, not an export"}, "log", "check", s.dir, "--key", key)
	says(t, 2, []string{"holds no file checkpoint"}, "log", "check", t.TempDir(), "--key", key)
}

// TestPruned: a log without its first records proves growth and the records that
// are left, and says of the others that they are gone.
func TestPruned(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 300)
	old, key := s.keep(t), s.vkey(t)
	s.grow(t, "record", 10)
	if r, err := eventlog.Prune(s.dir, eventlog.PruneOptions{Before: 200}); err != nil || r.First < 100 {
		t.Fatalf("%+v, %v", r, err)
	}
	dest := filepath.Join(t.TempDir(), "tiles")
	says(t, 1, []string{"pruned", "export a log before it is pruned"}, "log", "export", s.dir, dest)
	says(t, 1, []string{"pruned", "record 5"}, "log", "prove", "--record", "5", s.dir)
	says(t, 1, []string{`"kind":"pruned"`}, "log", "prove", "--record", "5", "--json", s.dir)
	for _, args := range [][]string{{"--record", "250"}, {"--since", old}} {
		text := esper(t, 0, append(append([]string{"log", "prove"}, args...), s.dir)...)
		esper(t, 0, "log", "check", kept(t, text), "--key", key)
	}
	if _, err := os.Lstat(dest); err == nil {
		t.Error("something was exported")
	}
}

// under reads all files below a directory.
func under(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestEntriesPath compares the names of tiles with those of the specification.
func TestEntriesPath(t *testing.T) {
	for _, c := range []struct {
		n, size int64
		want    string
	}{
		{0, 1, "tile/entries/000.p/1"},
		{0, 256, "tile/entries/000"},
		{999, 256 * 1000, "tile/entries/999"},
		{1000, 256*1000 + 7, "tile/entries/x001/000.p/7"},
		{1234067, 1 << 40, "tile/entries/x001/x234/067"},
	} {
		if got := entriesPath(c.n, c.size); got != filepath.FromSlash(c.want) {
			t.Errorf("tile %d of %d: %s, want %s", c.n, c.size, got, c.want)
		}
	}
}

// TestRootOfTiles computes the root of every smaller tree of an export.
func TestRootOfTiles(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 600)
	dest := filepath.Join(t.TempDir(), "tiles")
	esper(t, 0, "log", "export", s.dir, dest)
	var f tree.Frontier
	for _, leaf := range leavesOf(t, s.dir)[:601] {
		f.Append(nil, tree.LeafHash(leaf))
		if f.Size()%37 != 0 && f.Size()%256 > 1 {
			continue
		}
		got, err := rootOfTiles(dest, f.Size(), 601)
		if err != nil || got != f.Root() {
			t.Errorf("size %d: %v, %v", f.Size(), got, err)
		}
	}
}
