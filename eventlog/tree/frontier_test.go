package tree_test

import (
	"crypto/sha256"
	"errors"
	"math/bits"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/esper-plane/esper/eventlog/tree"
)

// rfcRoot is the definition of the tree hash in RFC 6962, section 2.1.
func rfcRoot(leaves [][32]byte) tree.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0][:]...))
	default:
		k := 1 << (bits.Len(uint(n-1)) - 1) // the largest power of two below n
		left, right := rfcRoot(leaves[:k]), rfcRoot(leaves[k:])
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
}

// A frontier stores what tlog stores and has the root that tlog, the definition
// and an independent library compute, at every size.
func TestFrontierAgainstTlog(t *testing.T) {
	const n = 600
	var (
		f      tree.Frontier
		stored hashList
		leaves [][32]byte
		peer   = (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	)
	for i := range int64(n + 1) {
		if f.Size() != i || int64(len(stored)) != tree.StoredCount(i) {
			t.Fatalf("size %d: Size %d, %d stored hashes, StoredCount %d", i, f.Size(), len(stored), tree.StoredCount(i))
		}
		want, err := tlog.TreeHash(i, stored)
		if err != nil {
			t.Fatal(err)
		}
		if root := f.Root(); root != want || root != rfcRoot(leaves) {
			t.Fatalf("size %d: root %v; tlog %v; RFC 6962 %v", i, root, want, rfcRoot(leaves))
		}
		if got, err := peer.GetRootHash(nil); err != nil || i > 0 && tree.Hash(got) != want {
			t.Fatalf("size %d: transparency-dev/merkle has %x, %v", i, got, err)
		}
		again, err := tree.Resume(f.Size(), f.Hashes())
		if err != nil || again != f {
			t.Fatalf("size %d: resumed as another frontier, %v", i, err)
		}

		leaf := leafOf(uint64(i+1), "")
		leaves = append(leaves, leaf)
		add, err := tlog.StoredHashes(i, leaf[:], stored)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, add...)
		got := f.Append([]tree.Hash{{7}}, tree.LeafHash(leaf))
		if got[0] != (tree.Hash{7}) || !slices.Equal(got[1:], add) {
			t.Fatalf("leaf %d: Append gave %v, not %v after what was there", i, got, add)
		}
		if err := peer.Append(rfc6962.DefaultHasher.HashLeaf(leaf[:]), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// However an append is interrupted by Resume, Clone and assignment, the tree is
// the same, and no copy changes another.
func TestFrontierCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 3), 30, 300).Draw(t, "steps")
		var f, shadow tree.Frontier
		var leaves [][32]byte
		for _, step := range steps {
			switch step {
			case 0:
				var err error
				if f, err = tree.Resume(f.Size(), f.Hashes()); err != nil {
					t.Fatal(err)
				}
			case 1:
				shadow = f
				shadow.Append(nil, tree.Hash{1})
			case 2:
				shadow = f.Clone()
				shadow.Append(nil, tree.Hash{2})
			}
			leaf := leafOf(uint64(len(leaves)+1), "")
			leaves = append(leaves, leaf)
			f.Append(nil, tree.LeafHash(leaf))
		}
		if f.Size() != int64(len(leaves)) || f.Root() != rfcRoot(leaves) {
			t.Fatalf("%d leaves: size %d, root %v, not %v", len(leaves), f.Size(), f.Root(), rfcRoot(leaves))
		}
	})
}

// The hashes that Hashes returns belong to the caller.
func TestFrontierHashesIsACopy(t *testing.T) {
	var f tree.Frontier
	f.Append(nil, tree.Hash{1})
	before := f.Root()
	f.Hashes()[0][0] = 9
	if f.Root() != before {
		t.Error("writing to Hashes has changed the frontier")
	}
}

func TestResumeRefuses(t *testing.T) {
	for _, test := range []struct {
		size   int64
		hashes int
		ok     bool
	}{
		{0, 0, true}, {0, 1, false}, {1, 0, false}, {1, 1, true}, {1, 2, false}, {7, 2, false}, {7, 3, true},
		{8, 3, false}, {-1, 1, false}, {-1, 64, false}, {-1 << 63, 1, false},
		{tree.MaxSize, 1, true}, {tree.MaxSize - 1, 60, true}, {tree.MaxSize + 1, 2, false}, {1<<63 - 1, 63, false},
	} {
		f, err := tree.Resume(test.size, make([]tree.Hash, test.hashes))
		if (err == nil) != test.ok || !test.ok && !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("%d hashes for size %d: %v", test.hashes, test.size, err)
		}
		if test.ok && (f.Size() != test.size || len(f.Hashes()) != test.hashes) {
			t.Errorf("size %d resumed as %d with %d hashes", test.size, f.Size(), len(f.Hashes()))
		}
	}
}

// Both halves of the largest tree can be appended up to it.
func TestFrontierAtMaxSize(t *testing.T) {
	f, err := tree.Resume(tree.MaxSize-1, make([]tree.Hash, 60))
	if err != nil {
		t.Fatal(err)
	}
	if stored := f.Append(nil, tree.Hash{}); len(stored) != 61 || f.Size() != tree.MaxSize || f.Root() != stored[60] {
		t.Errorf("size %d after %d hashes", f.Size(), len(stored))
	}
}

func TestLeafHash(t *testing.T) {
	for seq := range uint64(100) {
		leaf := leafOf(seq, "")
		if got := tree.LeafHash(leaf); got != tlog.RecordHash(leaf[:]) || got != tree.Hash(rfc6962.DefaultHasher.HashLeaf(leaf[:])) {
			t.Fatalf("leaf hash of %x is %v", leaf, got)
		}
	}
}
