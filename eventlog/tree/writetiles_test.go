package tree_test

import (
	"bytes"
	"errors"
	"fmt"
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

// An export that stops at any leaf leaves the directory as good as it was, and
// one that is repeated succeeds.
func TestWriteTilesInterrupted(t *testing.T) {
	l := newLog(t, 700)
	stop := errors.New("stop")
	for _, at := range []int{0, 1, 255, 256, 257, 512, 699} {
		dir := l.exported(300)
		broken := func(yield func([32]byte, error) bool) {
			for _, leaf := range l.leaves[:at] {
				if !yield(leaf, nil) {
					return
				}
			}
			yield([32]byte{}, stop)
		}
		err := tree.WriteTiles(dir, l.checkpoint(700), l.verifier, l.stored, broken)
		if !errors.Is(err, stop) || !strings.Contains(err.Error(), fmt.Sprintf("record %d:", at+1)) {
			t.Errorf("stopped at %d: %v", at, err)
		}
		writeFile(t, filepath.Join(dir, "export.new"), []byte("half a file"))
		if c, err := tree.CheckTiles(dir, l.verifier); err != nil || c.Size != 300 {
			t.Errorf("stopped at %d: %+v, %v", at, c, err)
		}
		if err := l.export(dir, 700); err != nil {
			t.Errorf("repeated after %d: %v", at, err)
		}
		if c, err := tree.CheckTiles(dir, l.verifier); err != nil || c.Size != 700 {
			t.Errorf("repeated after %d: %+v, %v", at, c, err)
		}
		if _, ok := files(t, dir)["export.new"]; ok {
			t.Errorf("repeated after %d: the half file is still there", at)
		}
	}
}

// What is refused leaves no file behind that is not one of the log.
func TestWriteTilesRefuses(t *testing.T) {
	l := newLog(t, 700)
	other := newNamedLog(t, "plane-8", 700)
	forked := l.fork(280)
	swapped := slices.Clone(l.leaves)
	swapped[400], swapped[401] = swapped[401], swapped[400]
	for name, test := range map[string]struct {
		log    *testLog
		size   int
		hashes tlog.HashReader
		leaves [][32]byte
		want   error
	}{
		"one leaf less":     {l, 700, l.stored, l.leaves[:699], tree.ErrInvalid},
		"256 leaves less":   {l, 600, l.stored, l.leaves[:344], tree.ErrInvalid},
		"one leaf more":     {l, 600, l.stored, l.leaves[:601], tree.ErrInvalid},
		"a whole tile more": {l, 512, l.stored, l.leaves[:700], tree.ErrInvalid},
		"leaves swapped":    {l, 700, l.stored, swapped, tree.ErrInconsistent},
		"leaves of a fork":  {l, 700, l.stored, forked.leaves, tree.ErrInconsistent},
		"hashes of a fork":  {l, 700, forked.stored, l.leaves, tree.ErrInconsistent},
		"fork":              {forked, 700, forked.stored, forked.leaves, tree.ErrInconsistent},
		"fork of that size": {forked, 300, forked.stored, forked.leaves[:300], tree.ErrInconsistent},
		"wrong stored hash": {l, 700, l.stored.flip(1000), l.leaves, tree.ErrInconsistent},
		"few stored hashes": {l, 700, l.stored[:1000], l.leaves, nil},
		"shorter":           {l, 299, l.stored, l.leaves[:299], tree.ErrInvalid},
		"another log":       {other, 700, other.stored, other.leaves, tree.ErrCheckpoint},
	} {
		dir := l.exported(300)
		err := tree.WriteTiles(dir, test.log.checkpoint(test.size), test.log.verifier, test.hashes, (&testLog{leaves: test.leaves}).yield(len(test.leaves)))
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := tree.CheckTiles(dir, l.verifier); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.export(dir, 700); err != nil {
			t.Errorf("%s: an export after it: %v", name, err)
		}
	}
	if err := tree.WriteTiles(t.TempDir(), other.checkpoint(7), l.verifier, other.stored, other.yield(7)); !errors.Is(err, tree.ErrCheckpoint) {
		t.Errorf("checkpoint of another log: %v", err)
	}
}

// A tile that holds something else is never overwritten, whatever its width.
func TestWriteTilesNeverOverwrites(t *testing.T) {
	l := newLog(t, 600)
	for _, name := range []string{"tile/0/000", "tile/entries/001", "tile/0/002.p/88", "tile/entries/002.p/88", "tile/1/000.p/2"} {
		for _, content := range []string{"", "something else", strings.Repeat("x", 8192), strings.Repeat("x", 1<<20)} {
			dir := t.TempDir()
			file := filepath.Join(dir, filepath.FromSlash(name))
			writeFile(t, file, []byte(content))
			if err := l.export(dir, 600); !errors.Is(err, tree.ErrInconsistent) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s of %d bytes: %v", name, len(content), err)
			}
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, []byte(content)) {
				t.Errorf("%s of %d bytes was overwritten: %v", name, len(content), err)
			}
			if _, err := os.Stat(filepath.Join(dir, "checkpoint")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s of %d bytes: there is a checkpoint, %v", name, len(content), err)
			}
		}
	}
}

// A directory leads nowhere else.
func TestWriteTilesStaysInside(t *testing.T) {
	l := newLog(t, 3)
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "tile")); err != nil {
		t.Fatal(err)
	}
	if err := l.export(dir, 3); err == nil {
		t.Error("written through a link")
	}
	if got := files(t, outside); len(got) != 0 {
		t.Errorf("%q outside", slices.Sorted(maps.Keys(got)))
	}
}
