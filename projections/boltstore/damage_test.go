package boltstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

const pageSize = 4096

// saved returns the bytes of a store's file after every save, copied while the
// store was open: what a process killed at that moment leaves behind.
func saved(t *testing.T, ns ...int) (copies [][]byte) {
	t.Helper()
	s := open(t, file(t))
	for _, n := range ns {
		save(t, s, n)
		copies = append(copies, readFile(t, s.path))
	}
	return copies
}

// reopened opens a file with the given bytes.
func reopened(t *testing.T, b []byte) *Store {
	t.Helper()
	path := file(t)
	writeFile(t, path, b)
	return open(t, path)
}

func TestCopiesOfAnOpenStoreAreWhole(t *testing.T) {
	for i, b := range saved(t, 1, 2, 3, 4) {
		wantLoad(t, reopened(t, b), i+1, nil)
	}
}

func TestFlippedBlobFallsBack(t *testing.T) {
	copies := saved(t, 1, 2, 3)
	last := copies[2]
	at := bytes.Index(last, blob(3))
	if at < 0 {
		t.Fatal("the blob is not in the file")
	}
	for _, off := range []int{at - headerSize, at - 1, at, at + len(blob(3)) - 1} {
		b := bytes.Clone(last)
		b[off] ^= 1
		s := reopened(t, b)
		wantLoad(t, s, 2, ErrDamaged)
		save(t, s, 4)
		wantLoad(t, s, 4, nil)
	}
	b := bytes.Clone(last)
	b[at] ^= 1
	b[bytes.LastIndex(b, blob(2))] ^= 1
	wantLoad(t, reopened(t, b), 0, ErrDamaged)
}

// TestCrashWithinASave mixes the file from before a save with the file after
// it: any part of the data pages may have reached the disk, but no meta page.
func TestCrashWithinASave(t *testing.T) {
	copies := saved(t, 1, 2, 3, 4)
	before, after := copies[2], copies[3]
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		b := append(bytes.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
		for page := 2; page*pageSize < len(after); page++ {
			if rng.IntN(2) == 0 {
				copy(b[page*pageSize:(page+1)*pageSize], after[page*pageSize:])
			}
		}
		wantLoad(t, reopened(t, b), 3, nil)
	}
}

func TestAnEntryBelongsToItsKey(t *testing.T) {
	one, two := []byte("00000001"), []byte("00000002")
	v := encodeEntry(one, anchor(1), 1, blob(1))
	if _, err := decodeEntry(one, v); err != nil {
		t.Fatal(err)
	}
	if _, err := decodeEntry(two, v); err == nil {
		t.Error("an entry was read under another key")
	}
	if _, err := decodeEntry(one, v[:headerSize-1]); err == nil {
		t.Error("a cut header was read")
	}
}

func TestTornMetaPage(t *testing.T) {
	copies := saved(t, 1, 2, 3)
	newest, older := 0, 0
	for page := range 2 {
		b := bytes.Clone(copies[2])
		clear(b[page*pageSize+16 : page*pageSize+80])
		a, _, _, ok, err := reopened(t, b).Load()
		switch {
		case !ok || err != nil:
			t.Errorf("meta page %d: %v, %v", page, ok, err)
		case a == anchor(3):
			newest++
		case a == anchor(2):
			older++
		}
	}
	if newest != 1 || older != 1 {
		t.Errorf("without one meta page: newest %d times, the one before %d times; want once each", newest, older)
	}
}

// TestNoDamageIsBelieved damages every byte of the pages that are not blobs,
// and some that are, and cuts the file everywhere. What loads must be a save as
// it was; everything else must be ErrDamaged, and never a crash.
func TestNoDamageIsBelieved(t *testing.T) {
	step := 5
	if testing.Short() {
		step = 61
	}
	copies := saved(t, 1, 2, 3)
	good := copies[2]
	path := filepath.Join(t.TempDir(), "damaged.db")
	rng := rand.New(rand.NewPCG(3, 4))
	for off := 0; off < len(good); off += step {
		if off%pageSize > 256 && rng.IntN(20) != 0 {
			continue
		}
		b := bytes.Clone(good)
		b[off] ^= byte(1 + rng.IntN(255))
		believe(t, path, b, off)
	}
	for size := 1; size < len(good); size += 509 {
		believe(t, path, good[:size], size)
	}
}

func believe(t *testing.T, path string, b []byte, off int) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d: open: %v", off, err)
		}
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("byte %d: close: %v", off, err)
		}
	}()
	a, decider, got, ok, err := s.Load()
	if err != nil && !errors.Is(err, ErrDamaged) {
		t.Errorf("byte %d: load: %v", off, err)
	}
	if ok && (a != anchor(int(a.Seq)) || decider != uint32(a.Seq) || !bytes.Equal(got, blob(int(a.Seq)))) {
		t.Errorf("byte %d: loaded what was never saved at record %d", off, a.Seq)
	}
}
