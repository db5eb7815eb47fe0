package tree

import (
	"errors"
	"fmt"
)

// Errors of this package. Each error that it returns wraps one of them, or
// comes from a hash reader, a signer, the leaves or the file system.
var (
	// ErrInvalid says that an argument breaks a rule that needs no tree to
	// check: a size outside its range, a bad name, a key of a wrong length, a
	// record that is not in the tree that was asked about.
	ErrInvalid = errors.New("tree: invalid")
	// ErrCheckpoint says that bytes are not a checkpoint, or not one that the
	// expected log has signed.
	ErrCheckpoint = errors.New("tree: bad checkpoint")
	// ErrProof says that a proof is malformed or does not prove what it claims.
	// The claim may be true all the same, with another proof.
	ErrProof = errors.New("tree: proof does not verify")
	// ErrInconsistent says that hashes, files or leaves do not belong to the
	// tree of a checkpoint that is signed: they were damaged or changed, or the
	// signer has signed two histories.
	ErrInconsistent = errors.New("tree: inconsistent with the checkpoint")
)

// StoredError says which stored hash is not the hash of the two below it. It
// wraps ErrInconsistent. Either the named hash is wrong, or the leaf hash of
// one of the named records is.
type StoredError struct {
	Index int64  // stored index, as of tlog.StoredHashIndex
	Level int    // height of the subtree; at least 1, as a leaf has nothing below it
	First uint64 // first record of the subtree
	Last  uint64 // last record of the subtree
}

// Error names the index and the records.
func (e *StoredError) Error() string {
	return fmt.Sprintf("%v: stored hash %d is not the root of records %d to %d", ErrInconsistent, e.Index, e.First, e.Last)
}

// Unwrap returns ErrInconsistent.
func (e *StoredError) Unwrap() error { return ErrInconsistent }
