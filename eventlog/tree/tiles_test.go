package tree_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

// export writes the tree of the first size records into a directory.
func (l *testLog) export(dir string, size int) error {
	return tree.WriteTiles(dir, l.checkpoint(size), l.verifier, l.stored, l.yield(size))
}

// exported returns a directory with exports of growing size.
func (l *testLog) exported(sizes ...int) string {
	l.t.Helper()
	dir := filepath.Join(l.t.TempDir(), "tiles")
	for _, size := range sizes {
		if err := l.export(dir, size); err != nil {
			l.t.Fatalf("size %d: %v", size, err)
		}
	}
	return dir
}

// files returns the content of a directory.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func writeFile(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The files of a tree of 600 leaves, by name, beside those of smaller trees.
func TestTileNames(t *testing.T) {
	l := newLog(t, 600)
	want := []string{
		"checkpoint",
		"tile/0/000", "tile/0/000.p/1", "tile/0/000.p/255", "tile/0/001", "tile/0/001.p/1", "tile/0/002.p/88",
		"tile/1/000.p/1", "tile/1/000.p/2",
		"tile/entries/000", "tile/entries/000.p/1", "tile/entries/000.p/255",
		"tile/entries/001", "tile/entries/001.p/1", "tile/entries/002.p/88",
	}
	if got := slices.Sorted(maps.Keys(files(t, l.exported(0, 1, 255, 256, 257, 600)))); !slices.Equal(got, want) {
		t.Errorf("%q\nnot\n%q", got, want)
	}
}

// The specification counts the tiles of a tree of 70,000 leaves. Each holds what
// package tlog puts there.
func TestTilesOf70000(t *testing.T) {
	const size = 70000
	l := newLog(t, size)
	dir := l.exported(size)
	if c, err := tree.CheckTiles(dir, l.verifier); err != nil || c.Size != size {
		t.Fatalf("%+v, %v", c, err)
	}
	all := files(t, dir)
	tiles := tlog.NewTiles(8, 0, size)
	if want := 273 + 1 + 1 + 1 + 1; len(tiles) != want || len(all) != 1+want+274 {
		t.Errorf("%d tiles, %d files", len(tiles), len(all))
	}
	for _, tile := range tiles {
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		want, err := tlog.ReadTileData(tile, l.stored)
		if err != nil {
			t.Fatal(err)
		}
		if all[name] != string(want) {
			t.Errorf("%s has %d bytes, not what tlog puts there", name, len(all[name]))
		}
	}
	for _, name := range []string{"tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"} {
		if _, ok := all[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for i, leaf := range l.leaves[:256] {
		if got := all["tile/entries/000"][i*34:][:34]; got != "\x00\x20"+string(leaf[:]) {
			t.Errorf("entry %d is %x", i, got)
		}
	}
}

// A reader of tiles that shares no code with the exporter finds in them proofs
// that verify.
func TestTilesServeProofs(t *testing.T) {
	const size = 600
	l := newLog(t, size)
	dir := l.exported(300, size)
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: l.roots[size]}, tileReader{dir})
	for seq := uint64(1); seq <= size; seq += 7 {
		p, err := tree.ProveRecord(l.checkpoint(size), l.verifier, seq, l.leaves[seq-1], hashes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Verify(l.verifier); err != nil {
			t.Fatal(err)
		}
	}
}

// tileReader is a tlog.TileReader of a directory.
type tileReader struct{ dir string }

func (tileReader) Height() int                     { return 8 }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		b, err := os.ReadFile(filepath.Join(r.dir, strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	return data, nil
}

// After every export the directory is complete, and what was there is as it was.
func TestTilesGrow(t *testing.T) {
	l := newLog(t, 1100)
	dir := filepath.Join(t.TempDir(), "a", "b")
	var before map[string]string
	for _, size := range []int{0, 0, 1, 2, 2, 3, 255, 256, 257, 500, 511, 512, 513, 900, 1100} {
		if err := l.export(dir, size); err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		c, err := tree.CheckTiles(dir, l.verifier)
		if err != nil || c.Size != int64(size) || c.Root != l.roots[size] {
			t.Fatalf("size %d: %+v, %v", size, c, err)
		}
		now := files(t, dir)
		for name, b := range before {
			if name != "checkpoint" && now[name] != b {
				t.Errorf("size %d: %s was changed", size, name)
			}
		}
		before = now
	}
}

// Tiles that are there already are not written again.
func TestTilesAreLeftAlone(t *testing.T) {
	l := newLog(t, 600)
	dir := l.exported(600)
	inode := func(name string) os.FileInfo {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := map[string]os.FileInfo{}
	for name := range files(t, dir) {
		before[name] = inode(name)
	}
	if err := l.export(dir, 600); err != nil {
		t.Fatal(err)
	}
	for name, info := range before {
		if !os.SameFile(info, inode(name)) {
			t.Errorf("%s was written again", name)
		}
	}
}
