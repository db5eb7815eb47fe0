package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

// Tree is the Merkle tree of a log as it was when OpenTree looked: everything
// that proofs are made of. It takes no lock; the log may have a writer.
type Tree struct {
	dir    string
	size   uint64
	origin Origin
	first  uint64
	hashes *storedHashes
}

// OpenTree reads the tree of the durable records of a log. What is sealed is
// taken from the file of the hashes without being checked: whoever makes a proof
// checks that it leads to a signed root. It costs a read of the segments that
// have no seal, usually the last one. Close it.
func OpenTree(dir string) (*Tree, error) {
	r, err := OpenReader(dir)
	if err != nil {
		return nil, err
	}
	// A writer may begin segments and write seals between one look and the
	// next; what a second look still finds is damage.
	const attempts = 4
	for i := 1; ; i++ {
		t, err := openTree(dir, r)
		if err == nil || i == attempts {
			return t, err
		}
	}
}

func openTree(dir string, r *Reader) (*Tree, error) {
	v, err := look(dir, false)
	if err != nil {
		return nil, err
	}
	last := r.report.LastSeq
	if v.seq < last {
		return nil, &DamageError{Segment: segmentPath(v.tail.first), Offset: v.tail.end, Seq: v.seq + 1, Reason: fmt.Sprintf("record %d was there and is missing", last)}
	}
	hashes, err := v.stored(dir)
	if err != nil {
		return nil, err
	}
	return &Tree{dir: dir, size: last, origin: r.origin, first: v.pruned.begin(), hashes: hashes}, nil
}

// Size returns the number of records.
func (t *Tree) Size() uint64 { return t.size }

// First returns the number of the first record that was not pruned.
func (t *Tree) First() uint64 { return t.first }

// Origin returns the newest origin of the log.
func (t *Tree) Origin() Origin { return t.origin.clone() }

// ReadHashes implements tlog.HashReader.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) { return t.hashes.ReadHashes(indexes) }

// Root returns the root of the tree of the first size records.
func (t *Tree) Root(size uint64) (tree.Hash, error) {
	if size > t.size {
		return tree.Hash{}, fmt.Errorf("%w: the log has %d records, not %d", ErrNotFound, t.size, size)
	}
	return tlog.TreeHash(int64(size), t)
}

// Leaf returns the leaf hash of one record. It reads up to one segment.
func (t *Tree) Leaf(seq uint64) ([32]byte, error) {
	if seq == 0 || seq > t.size {
		return [32]byte{}, fmt.Errorf("%w: record %d", ErrNotFound, seq)
	}
	frame, err := readFrame(t.dir, seq)
	if err != nil {
		return [32]byte{}, err
	}
	return LeafHash(frame), nil
}

// Leaves yields the leaf hashes of the records from..to in order.
func (t *Tree) Leaves(from, to uint64) iter.Seq2[[32]byte, error] {
	return func(yield func([32]byte, error) bool) {
		var frame []byte
		for e, err := range readRange(t.dir, from, min(to, t.size)) {
			if err != nil {
				yield([32]byte{}, err)
				return
			}
			frame = AppendFrame(frame[:0], e)
			if !yield(LeafHash(frame), nil) {
				return
			}
		}
	}
}

// Checkpoint returns the newest checkpoint that the log has signed, or
// ErrNotFound.
func (t *Tree) Checkpoint() ([]byte, error) {
	b, err := readSmall(filepath.Join(t.dir, noteName), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the log in %s has signed no checkpoint", ErrNotFound, t.dir)
	}
	return b, err
}

// Verifier checks the checkpoints of the log. It trusts the key that the log
// itself names: to be independent of the log, use a key from elsewhere.
func (t *Tree) Verifier() (note.Verifier, error) {
	if len(t.origin.LogKey) == 0 {
		return nil, fmt.Errorf("%w: the origin of the log names no key for checkpoints", ErrNotFound)
	}
	return tree.NewVerifier(t.origin.Name, t.origin.LogKey)
}

// Close releases the file of the hashes.
func (t *Tree) Close() error {
	t.hashes.close()
	return nil
}
