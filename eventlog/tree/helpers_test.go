package tree_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/esper-plane/esper/eventlog/tree"
)

// hashList is stored hashes in memory.
type hashList []tree.Hash

// ReadHashes implements tlog.HashReader.
func (l hashList) ReadHashes(indexes []int64) ([]tree.Hash, error) {
	hashes := make([]tree.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(l)) {
			return nil, fmt.Errorf("no stored hash %d of %d", x, len(l))
		}
		hashes[i] = l[x]
	}
	return hashes, nil
}

// flip returns a copy in which one bit of one hash is another.
func (l hashList) flip(index int) hashList {
	l = slices.Clone(l)
	l[index][index%32] ^= 1 << (index % 8)
	return l
}

// testLog is a log as far as its tree is concerned, with the key that signs it.
type testLog struct {
	t        testing.TB
	leaves   [][32]byte
	stored   hashList
	roots    []tree.Hash // by size
	signer   note.Signer
	verifier note.Verifier
}

// leafOf is the leaf data of a record; a salt makes another history.
func leafOf(seq uint64, salt string) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte(salt), seq))
}

// keyOf derives a key from a name.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// newLog returns a log of n records, signed as plane-7.
func newLog(t testing.TB, n int) *testLog {
	t.Helper()
	return newNamedLog(t, "plane-7", n)
}

func newNamedLog(t testing.TB, name string, n int) *testLog {
	t.Helper()
	key := keyOf(name)
	signer, err := tree.NewSigner(name, key)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := tree.NewVerifier(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	var f tree.Frontier
	l := &testLog{t: t, signer: signer, verifier: verifier, roots: []tree.Hash{f.Root()}}
	l.grow(n, "")
	return l
}

// grow appends records whose leaves depend on the salt.
func (l *testLog) grow(n int, salt string) {
	var f tree.Frontier
	for _, leaf := range l.leaves {
		f.Append(nil, tree.LeafHash(leaf))
	}
	for range n {
		leaf := leafOf(uint64(len(l.leaves)+1), salt)
		l.leaves = append(l.leaves, leaf)
		l.stored = f.Append(l.stored, tree.LeafHash(leaf))
		l.roots = append(l.roots, f.Root())
	}
}

// fork returns the log with other records from one on.
func (l *testLog) fork(from uint64) *testLog {
	keep, lost := int(from-1), len(l.leaves)-int(from-1)
	forked := *l
	forked.leaves = slices.Clip(l.leaves[:keep])
	forked.stored = slices.Clip(l.stored[:tree.StoredCount(int64(keep))])
	forked.roots = slices.Clip(l.roots[:keep+1])
	forked.grow(lost, "fork")
	return &forked
}

// checkpoint returns the tree of the first size records as the log signs it.
func (l *testLog) checkpoint(size int) []byte {
	l.t.Helper()
	c := tree.Checkpoint{Origin: l.signer.Name(), Size: int64(size), Root: l.roots[size]}
	b, err := c.Sign(l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// prove returns the proof of a record in the tree of the first size records.
func (l *testLog) prove(size int, seq uint64) tree.RecordProof {
	l.t.Helper()
	p, err := tree.ProveRecord(l.checkpoint(size), l.verifier, seq, l.leaves[seq-1], l.stored)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// proveTree returns the proof that the tree of the first to records extends that
// of the first from.
func (l *testLog) proveTree(from, to int) tree.TreeProof {
	l.t.Helper()
	p, err := tree.ProveTree(l.checkpoint(from), l.checkpoint(to), l.verifier, l.stored)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// yield yields the first n leaves.
func (l *testLog) yield(n int) iter.Seq2[[32]byte, error] {
	return func(yield func([32]byte, error) bool) {
		for _, leaf := range l.leaves[:n] {
			if !yield(leaf, nil) {
				return
			}
		}
	}
}

// flips yields every copy of b in which one bit is another, with its number.
func flips(b []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for bit := range len(b) * 8 {
			changed := bytes.Clone(b)
			changed[bit/8] ^= 1 << (bit % 8)
			if !yield(bit, changed) {
				return
			}
		}
	}
}

// text returns the text of a proof.
func text(t testing.TB, p interface{ MarshalText() ([]byte, error) }) []byte {
	t.Helper()
	b, err := p.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
