package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/esper-plane/esper/leyline"
)

// anchor n, blob n and decider n belong together.
func anchor(n int) Anchor {
	return Anchor{Seq: leyline.Seq(n), Leaf: leyline.Digest{byte(n), 31: 7}, At: leyline.Instant(-n)}
}

// blob is longer than a page, so that entries have pages of their own.
func blob(n int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("state %04d. ", n)), 1000) }

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func save(t *testing.T, s *Store, ns ...int) {
	t.Helper()
	for _, n := range ns {
		if err := s.Save(anchor(n), uint32(n), blob(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// wantLoad expects save n, or nothing when n is 0.
func wantLoad(t *testing.T, s *Store, n int, want error) {
	t.Helper()
	a, decider, b, ok, err := s.Load()
	if !errors.Is(err, want) || (want == nil && err != nil) {
		t.Errorf("error is %v, want %v", err, want)
	}
	if n == 0 {
		if ok {
			t.Errorf("loaded record %d, want nothing", a.Seq)
		}
		return
	}
	if !ok || a != anchor(n) || decider != uint32(n) || !bytes.Equal(b, blob(n)) {
		t.Errorf("loaded %v: record %d, decider %d, %.20q; want save %d", ok, a.Seq, decider, b, n)
	}
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "projections.db") }

func TestAnEmptyStoreHasNothing(t *testing.T) {
	wantLoad(t, open(t, file(t)), 0, nil)
}

func TestRoundTrip(t *testing.T) {
	path := file(t)
	s := open(t, path)
	save(t, s, 1)
	wantLoad(t, s, 1, nil)
	save(t, s, 2, 3, 4)
	wantLoad(t, s, 4, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	wantLoad(t, s, 4, nil)
	save(t, s, 5)
	wantLoad(t, s, 5, nil)
	if mode := stat(t, path).Mode().Perm(); mode != 0o600 {
		t.Errorf("file mode is %o", mode)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestTheNewestSaveWinsNotTheHighestSequence(t *testing.T) {
	s := open(t, file(t))
	save(t, s, 9, 3, 3)
	wantLoad(t, s, 3, nil)
}

func TestTwoEntriesAreKept(t *testing.T) {
	s := open(t, file(t))
	save(t, s, 1)
	size := stat(t, s.path).Size()
	for n := range 50 {
		save(t, s, n)
	}
	if err := s.db.View(func(tx *bolt.Tx) error {
		if n := tx.Bucket(bucketName).Stats().KeyN; n != 2 {
			t.Errorf("%d entries are kept", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if grown := stat(t, s.path).Size(); grown > 8*size {
		t.Errorf("the file grew from %d to %d bytes", size, grown)
	}
}

func TestEmptyBlob(t *testing.T) {
	s := open(t, file(t))
	if err := s.Save(anchor(1), 1, nil); err != nil {
		t.Fatal(err)
	}
	if a, _, b, ok, err := s.Load(); !ok || err != nil || len(b) != 0 || a != anchor(1) {
		t.Errorf("%v %v %q %v", a, ok, b, err)
	}
}

func TestLoadedBlobBelongsToTheCaller(t *testing.T) {
	s := open(t, file(t))
	save(t, s, 1)
	_, _, b, _, _ := s.Load()
	clear(b)
	wantLoad(t, s, 1, nil)
}

func TestSecondOpenerIsToldSo(t *testing.T) {
	path := file(t)
	first := open(t, path)
	start := time.Now()
	if _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("second opener got %v", err)
	}
	if waited := time.Since(start); waited > 10*lockWait {
		t.Errorf("it waited %v", waited)
	}
	save(t, first, 1)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantLoad(t, open(t, path), 1, nil)
}

func TestClosedStore(t *testing.T) {
	s := open(t, file(t))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := s.Save(anchor(1), 1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("save: %v", err)
	}
	wantLoad(t, s, 0, ErrClosed)
}

func TestForeignFiles(t *testing.T) {
	other := func(t *testing.T, path string) {
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("other")); return err }); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) { writeFile(t, path, b) }
	}
	for name, write := range map[string]func(*testing.T, string){
		"one byte": raw([]byte("x")), "text": raw(bytes.Repeat([]byte("text\n"), 10_000)),
		"zeros": raw(make([]byte, 1<<16)), "another program's database": other,
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			write(t, path)
			before := readFile(t, path)
			if _, err := Open(path); !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
			if !bytes.Equal(before, readFile(t, path)) {
				t.Error("the file was changed")
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			wantLoad(t, open(t, path), 0, nil)
		})
	}
}

func TestUnusablePathsAreNotDamage(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing", "x.db")} {
		if _, err := Open(path); err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrLocked) {
			t.Errorf("got %v, want the operating system's error", err)
		}
	}
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
