package tree_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

func TestCheckStored(t *testing.T) {
	l := newLog(t, 200)
	for size, root := range l.roots {
		if err := tree.CheckStored(int64(size), root, l.stored); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
		err := tree.CheckStored(int64(size), leafOf(9, "root"), l.stored)
		if stored := (*tree.StoredError)(nil); !errors.Is(err, tree.ErrInconsistent) || errors.As(err, &stored) {
			t.Errorf("size %d with another root: %v", size, err)
		}
	}
}

// A wrong interior hash is named itself, a wrong leaf hash by the hash above it
// or, where there is none yet, by the root.
func TestCheckStoredNamesTheHash(t *testing.T) {
	const size = 27
	l := newLog(t, size)
	for index := range l.stored {
		level, n := tlog.SplitStoredHashIndex(int64(index))
		if level == 0 {
			level, n = 1, n/2
		}
		want := tree.StoredError{
			Index: tlog.StoredHashIndex(level, n), Level: level,
			First: uint64(n<<level + 1), Last: uint64((n + 1) << level),
		}
		err := tree.CheckStored(size, l.roots[size], l.stored.flip(index))
		if !errors.Is(err, tree.ErrInconsistent) {
			t.Errorf("hash %d is wrong: %v", index, err)
		}
		var got *tree.StoredError
		if named := errors.As(err, &got); named != (want.Last <= size) || named && *got != want {
			t.Errorf("hash %d is wrong: %+v, not %+v", index, got, want)
		}
	}
}

// Stored hashes are read once, in order, without the rest of what is stored, and
// some at a time.
func TestCheckStoredReads(t *testing.T) {
	const size = 5000
	l := newLog(t, size)
	var read []int64
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tree.Hash, error) {
		if len(indexes) > 4096 {
			t.Errorf("%d hashes at a time", len(indexes))
		}
		read = append(read, indexes...)
		return l.stored.ReadHashes(indexes)
	})
	if err := tree.CheckStored(4990, l.roots[4990], reader); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(read) || int64(len(read)) != tree.StoredCount(4990) || read[0] != 0 {
		t.Errorf("%d hashes were read", len(read))
	}
	last := int(tlog.StoredHashIndex(1, 4990/2-1))
	var got *tree.StoredError
	if err := tree.CheckStored(4990, l.roots[4990], l.stored.flip(last)); !errors.As(err, &got) || got.First != 4989 || got.Last != 4990 {
		t.Errorf("last hash above leaves is wrong: %v", err)
	}
}

func TestCheckStoredRefuses(t *testing.T) {
	l := newLog(t, 4)
	for _, size := range []int64{-1, -1 << 63, tree.MaxSize + 1, 1<<63 - 1} {
		if err := tree.CheckStored(size, l.roots[4], l.stored); !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	gone := errors.New("gone")
	if err := tree.CheckStored(4, l.roots[4], tlog.HashReaderFunc(func([]int64) ([]tree.Hash, error) { return nil, gone })); !errors.Is(err, gone) {
		t.Errorf("broken reader: %v", err)
	}
	for _, hashes := range [][]tree.Hash{nil, l.stored[:6], append(slices.Clone(l.stored), tree.Hash{})} {
		if err := tree.CheckStored(4, l.roots[4], tlog.HashReaderFunc(func([]int64) ([]tree.Hash, error) { return hashes, nil })); err == nil {
			t.Errorf("a reader returned %d hashes for 7", len(hashes))
		}
	}
}
