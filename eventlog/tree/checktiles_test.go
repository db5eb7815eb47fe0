package tree_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog/tree"
)

// Whichever byte of whichever file is changed, also of those that only older
// checkpoints need, CheckTiles says so. In a short test it is every 17th byte.
func TestCheckTilesNoticesEveryByte(t *testing.T) {
	t.Parallel()
	l := newLog(t, 259)
	dir := l.exported(1, 3, 256, 257, 259)
	step := 1
	if testing.Short() {
		step = 17
	}
	for name, content := range files(t, dir) {
		file, err := os.OpenFile(filepath.Join(dir, filepath.FromSlash(name)), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for i := 0; i < len(content); i += step {
			setByte(t, file, i, content[i]^1<<(i%8))
			_, err := tree.CheckTiles(dir, l.verifier)
			if !errors.Is(err, tree.ErrInconsistent) && !(name == "checkpoint" && errors.Is(err, tree.ErrCheckpoint)) && !padding(name, content, i) {
				t.Errorf("%s, byte %d: %v", name, i, err)
			}
			setByte(t, file, i, content[i])
		}
	}
	if _, err := tree.CheckTiles(dir, l.verifier); err != nil {
		t.Errorf("with all bytes restored: %v", err)
	}
}

// setByte changes one byte of a file.
func setByte(t *testing.T, file *os.File, at int, b byte) {
	if _, err := file.WriteAt([]byte{b}, int64(at)); err != nil {
		t.Fatal(err)
	}
}

// padding reports whether byte i of the checkpoint is the last digit of its
// signature, some bits of which have no meaning.
func padding(name, content string, i int) bool {
	return name == "checkpoint" && i == len(content)-3
}

// Each change makes CheckTiles fail, with the given error and name.
func TestCheckTilesNotices(t *testing.T) {
	l := newLog(t, 600)
	other := newNamedLog(t, "plane-8", 600)
	path := func(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	remove := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(path(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(name string, content string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { writeFile(t, path(dir, name), []byte(content)) }
	}
	resize := func(name string, by int) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			b, err := os.ReadFile(path(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, path(dir, name), append(b, 0)[:len(b)+by])
		}
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, dir string)
		want   error
		names  string
	}{
		"no checkpoint":              {remove("checkpoint"), tree.ErrCheckpoint, "checkpoint"},
		"huge checkpoint":            {put("checkpoint", strings.Repeat("x", 1<<20)), tree.ErrCheckpoint, "checkpoint"},
		"another log":                {put("checkpoint", string(other.checkpoint(600))), tree.ErrCheckpoint, ""},
		"a later checkpoint":         {put("checkpoint", string(l.fork(601).withOneMore().checkpoint(601))), tree.ErrInconsistent, "tile/entries/002.p/89"},
		"a forked checkpoint":        {put("checkpoint", string(l.fork(300).checkpoint(600))), tree.ErrInconsistent, "root"},
		"an older forked checkpoint": {put("checkpoint", string(l.fork(200).checkpoint(300))), tree.ErrInconsistent, "root"},
		"no tile":                    {remove("tile/0/001"), tree.ErrInconsistent, "tile/0/001"},
		"no last tile":               {remove("tile/0/002.p/88"), tree.ErrInconsistent, "tile/0/002.p/88"},
		"no upper tile":              {remove("tile/1/000.p/2"), tree.ErrInconsistent, "tile/1/000.p/2"},
		"no entries":                 {remove("tile/entries/000"), tree.ErrInconsistent, "tile/entries/000"},
		"short tile":                 {resize("tile/0/001", -1), tree.ErrInconsistent, "tile/0/001"},
		"long tile":                  {resize("tile/0/001", 1), tree.ErrInconsistent, "tile/0/001"},
		"short entries":              {resize("tile/entries/001", -1), tree.ErrInconsistent, "tile/entries/001"},
		"long entries":               {resize("tile/entries/001", 1), tree.ErrInconsistent, "tile/entries/001"},
		"long last entries":          {resize("tile/entries/002.p/88", 1), tree.ErrInconsistent, "tile/entries/002.p/88"},
		"huge tile":                  {huge("tile/0/001"), tree.ErrInconsistent, "tile/0/001"},
		"short older tile":           {resize("tile/0/001.p/44", -1), tree.ErrInconsistent, "tile/0/001.p/44"},
		"long older tile":            {resize("tile/0/001.p/44", 1), tree.ErrInconsistent, "tile/0/001.p/44"},
		"foreign file":               {put("tile/0/README", "hello"), tree.ErrInconsistent, "tile/0/README"},
		"file with a name of tlog":   {put("tile/data/000", "hello"), tree.ErrInconsistent, "tile/data/000"},
		"height in a name":           {put("tile/8/0/000", "hello"), tree.ErrInconsistent, "tile/8/0/000"},
		"level that no tree has":     {put("tile/8/000", "hello"), tree.ErrInconsistent, "tile/8/000"},
		"level beyond a word":        {put("tile/1152921504606846976/000", "hello"), tree.ErrInconsistent, "tile/1152921504606846976/000"},
		"number beyond a word":       {put("tile/0/x999/x999/x999/x999/x999/x999/x999/999", "hello"), tree.ErrInconsistent, "tile/0/x999"},
		"number in another spelling": {put("tile/0/0000", "hello"), tree.ErrInconsistent, "tile/0/0000"},
		"a width that is full":       {put("tile/0/000.p/256", "hello"), tree.ErrInconsistent, "tile/0/000.p/256"},
		"a link":                     {link("checkpoint", "tile/0/001"), tree.ErrInconsistent, "tile/0/001"},
		"a directory":                {directory("tile/0/001"), tree.ErrInconsistent, "tile/0/001"},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			dir := l.exported(300, 600)
			test.change(t, dir)
			c, err := tree.CheckTiles(dir, l.verifier)
			if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.names) || c != (tree.Checkpoint{}) {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
	if _, err := tree.CheckTiles(filepath.Join(t.TempDir(), "none"), l.verifier); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// withOneMore appends a record.
func (l *testLog) withOneMore() *testLog {
	l.grow(1, "")
	return l
}

// link replaces a file by a link to another.
func link(to, name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.Remove(file), os.Symlink(filepath.Join(dir, to), file)); err != nil {
			t.Fatal(err)
		}
	}
}

// huge makes a file longer than there is memory.
func huge(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Truncate(filepath.Join(dir, filepath.FromSlash(name)), 1<<40); err != nil {
			t.Fatal(err)
		}
	}
}

// directory replaces a file by a directory.
func directory(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
}

// What is beside the tiles, or beyond the checkpoint, does not matter.
func TestCheckTilesPassesOver(t *testing.T) {
	l := newLog(t, 600)
	dir := l.exported(600)
	for name, content := range map[string]string{
		"vkey": "plane-7", "export.new": "half a f", "tile/0/003": "?", "tile/0/x001/000": "?",
		"tile/entries/002": "?", "tile/2/000.p/1": "?", "tile/1/000.p/3": "?", "tile/0/002.p/89": "?",
	} {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(content))
	}
	if c, err := tree.CheckTiles(dir, l.verifier); err != nil || c.Size != 600 {
		t.Errorf("%+v, %v", c, err)
	}
}
