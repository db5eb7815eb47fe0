package tree

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize is the largest tree, in leaves. It keeps stored indexes within an
// int64 and package tlog within the sizes at which its loops end.
const MaxSize = 1 << 60

// Hash is the SHA-256 of a leaf or of a node of the tree.
type Hash = tlog.Hash

// LeafHash returns the hash of a leaf, SHA-256(0x00 || data), by RFC 6962. In an
// esper log data is the SHA-256 of a record's frame, and leaf i of the tree is
// record i+1.
func LeafHash(data [32]byte) Hash {
	var buf [1 + len(data)]byte
	copy(buf[1:], data[:])
	return sha256.Sum256(buf[:])
}

// StoredCount returns how many hashes tlog stores for a tree of size leaves,
// fewer than twice size. The size is 0 to MaxSize.
func StoredCount(size int64) int64 { return tlog.StoredHashCount(size) }

// Frontier is the right edge of a growing tree: the roots of the complete
// subtrees that cover the leaves from 0 to before Size. That is enough to append
// and to tell the root. It is about 2 KiB whatever the size.
//
// The zero value is the empty tree. A frontier is a value: a copy is
// independent, and two frontiers of the same tree are equal with ==.
type Frontier struct {
	size int64
	// roots holds the root of the subtree of 2^i leaves at index i.
	// Invariant: roots[i] is zero where bit i of size is 0.
	roots [61]Hash
}

// Resume returns the frontier whose Size and Hashes are given. It cannot tell
// whether the hashes are those of a tree: compare Root with a checkpoint. The
// error wraps ErrInvalid if size is not 0 to MaxSize, or if the number of hashes
// is not the number of ones in the binary form of size.
func Resume(size int64, hashes []Hash) (Frontier, error) {
	if err := checkSize(size); err != nil {
		return Frontier{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if want := bits.OnesCount64(uint64(size)); len(hashes) != want {
		return Frontier{}, fmt.Errorf("%w: a tree of %d leaves is resumed from %d hashes, not %d", ErrInvalid, size, want, len(hashes))
	}
	f := Frontier{size: size}
	for level := range f.roots {
		if f.has(level) {
			f.roots[level] = hashes[len(hashes)-1]
			hashes = hashes[:len(hashes)-1]
		}
	}
	return f, nil
}

// checkSize says why size is not that of a tree.
func checkSize(size int64) error {
	if size < 0 || size > MaxSize {
		return fmt.Errorf("size %d is not 0 to %d", size, int64(MaxSize))
	}
	return nil
}

// has reports whether the frontier has a subtree of 2^level leaves.
func (f *Frontier) has(level int) bool { return f.size>>level&1 != 0 }

// Size returns the number of leaves.
func (f *Frontier) Size() int64 { return f.size }

// Hashes returns the roots of the complete subtrees, largest first, at most 60
// of them. The slice belongs to the caller.
func (f *Frontier) Hashes() []Hash {
	hashes := make([]Hash, 0, bits.OnesCount64(uint64(f.size)))
	for level := len(f.roots) - 1; level >= 0; level-- {
		if f.has(level) {
			hashes = append(hashes, f.roots[level])
		}
	}
	return hashes
}

// Append adds a leaf, given by its hash. It appends to dst what tlog stores for
// it, in the order in which tlog stores it: the leaf hash, then the root of
// every subtree that the leaf completes, smallest first. That is 2 hashes on
// average. The tree must be smaller than MaxSize.
func (f *Frontier) Append(dst []Hash, leaf Hash) []Hash {
	dst = append(dst, leaf)
	level := 0
	for ; f.has(level); level++ {
		leaf = tlog.NodeHash(f.roots[level], leaf)
		f.roots[level] = Hash{}
		dst = append(dst, leaf)
	}
	f.roots[level] = leaf
	f.size++
	return dst
}

// Root returns the root hash of the tree; that of the empty tree is SHA-256 of
// nothing. It costs a hash for every subtree but one.
func (f *Frontier) Root() Hash {
	if f.size == 0 {
		return sha256.Sum256(nil)
	}
	level := bits.TrailingZeros64(uint64(f.size))
	root := f.roots[level]
	for level++; level < len(f.roots); level++ {
		if f.has(level) {
			root = tlog.NodeHash(f.roots[level], root)
		}
	}
	return root
}

// Clone returns an independent copy, as an assignment does.
func (f *Frontier) Clone() Frontier { return *f }
