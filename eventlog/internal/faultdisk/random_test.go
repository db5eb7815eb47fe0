package faultdisk_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

// TestRandomOperations makes arbitrary operations on few names, and compares
// what the Disk thinks with the files.
func TestRandomOperations(t *testing.T) {
	for seed := range uint64(20) {
		b := newBench(t, files{"a": "start", "d/b": "start", "d/e/": ""})
		rnd := rand.New(rand.NewPCG(seed, 0))
		for range 40 {
			randomOperation(b, rnd)
			if got, want := b.image(killed, 0), load(t, b.root); !equal(got, want) {
				t.Fatalf("seed %d: after %v got %q, want %q", seed, b.Ops()[len(b.Ops())-1], got, want)
			}
		}
		for _, m := range faultdisk.Modes {
			dir := t.TempDir()
			must(t, b.Image(dir, m, seed))
			if got, want := load(t, dir), b.image(m, seed); !equal(got, want) {
				t.Errorf("seed %d, %v: wrote %q, want %q", seed, m, got, want)
			}
		}
		b.syncAll()
		b.want(load(t, b.root), faultdisk.Modes...)
	}
}

func (b bench) syncAll() {
	b.t.Helper()
	must(b.t, b.ForeignSync(".", nil))
	b.syncDir(".")
	for name := range load(b.t, b.root) {
		if strings.HasSuffix(name, "/") {
			b.syncDir(name)
		}
	}
}

// randomOperation may fail, as a name may not exist, or be a directory.
func randomOperation(b bench, rnd *rand.Rand) {
	names := []string{"a", "c", "d", "d/b", "d/e", "d/e/a", "g"}
	pick := func() string { return b.path(names[rnd.IntN(len(names))]) }
	name := pick()
	switch rnd.IntN(8) {
	case 0:
		b.Mkdir(name, 0o750)
	case 1:
		b.Rename(name, pick())
	case 2:
		b.Remove(name)
	case 3:
		if rnd.IntN(4) == 0 {
			b.RemoveAll(name)
		}
	case 4:
		b.SyncDir(name)
	case 5:
		b.Foreign(name, func() error {
			other := pick()
			return errors.Join(os.Remove(other), appendTo(name, "foreign"), os.Rename(name, other))
		})
	default:
		randomWrites(b, rnd, name)
	}
}

func randomWrites(b bench, rnd *rand.Rand, name string) {
	flags := []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_TRUNC, os.O_WRONLY | os.O_CREATE | os.O_APPEND}
	f, err := b.OpenFile(name, flags[rnd.IntN(len(flags))], fs.FileMode(0o640))
	if err != nil {
		return
	}
	defer f.Close()
	for range rnd.IntN(4) {
		switch rnd.IntN(4) {
		case 0:
			f.WriteAt([]byte("at"), rnd.Int64N(1500))
		case 1:
			f.Truncate(rnd.Int64N(1500))
		case 2:
			f.Sync()
		default:
			f.Write([]byte(strings.Repeat("w", rnd.IntN(600))))
		}
	}
}
