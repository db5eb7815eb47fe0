package tree

import (
	"bytes"
	"fmt"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// RecordProof shows that a record is in a log: its place, what its leaf commits
// to, the hashes from there to the root, and the signed checkpoint with that
// root. It can be checked anywhere and at any time with nothing but the verifier
// key of the log.
type RecordProof struct {
	// Seq is the number of the record, from 1.
	Seq uint64
	// Leaf is the leaf data: the SHA-256 of the record's frame. Whoever has the
	// record must compare; the proof speaks of no other bytes.
	Leaf [32]byte
	// Hashes are the siblings of the path from the leaf to the root, the
	// leaf's own first.
	Hashes []Hash
	// Checkpoint is the signed note.
	Checkpoint []byte
}

// ProveRecord proves that record seq, from 1, with the given leaf data is in the
// tree of a checkpoint that v's holder has signed. It reads at most about 60
// stored hashes through r, in one call, and verifies the proof before it returns
// it.
//
// The error wraps ErrCheckpoint if the checkpoint is not one of v; ErrInvalid if
// the checkpoint does not cover seq; ErrInconsistent if the leaf data or a
// stored hash that the proof needs is not that of the tree that was signed.
func ProveRecord(checkpoint []byte, v note.Verifier, seq uint64, leaf [32]byte, r tlog.HashReader) (RecordProof, error) {
	c, err := OpenCheckpoint(checkpoint, v)
	if err != nil {
		return RecordProof{}, err
	}
	if err := c.covers(seq); err != nil {
		return RecordProof{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	hashes, err := tlog.ProveRecord(c.Size, int64(seq-1), r)
	if err != nil {
		return RecordProof{}, fmt.Errorf("cannot prove record %d: %w", seq, err)
	}
	p := RecordProof{Seq: seq, Leaf: leaf, Hashes: hashes, Checkpoint: bytes.Clone(checkpoint)}
	if err := p.in(c); err != nil {
		return RecordProof{}, fmt.Errorf("%w: the leaf data or a stored hash beside the path of record %d is not that of the tree of %d", ErrInconsistent, seq, c.Size)
	}
	return p, nil
}

// covers says why the tree of c has no record seq.
func (c Checkpoint) covers(seq uint64) error {
	if seq < 1 || seq > uint64(c.Size) {
		return fmt.Errorf("record %d is not 1 to %d, the size of the checkpoint", seq, c.Size)
	}
	return nil
}

// Verify checks the signature of the checkpoint and that the record is in its
// tree, and returns the checkpoint. The error wraps ErrCheckpoint or ErrProof.
func (p RecordProof) Verify(v note.Verifier) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, v)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := p.in(c); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return c, nil
}

// in says why the record is not shown to be in the tree of c.
func (p RecordProof) in(c Checkpoint) error {
	if err := c.covers(p.Seq); err != nil {
		return err
	}
	if err := tlog.CheckRecord(p.Hashes, c.Size, c.Root, int64(p.Seq-1), LeafHash(p.Leaf)); err != nil {
		return fmt.Errorf("record %d in the tree of %d: %w", p.Seq, c.Size, err)
	}
	return nil
}

// MarshalText returns p in the C2SP tlog-proof format, with the leaf data as its
// extra data; see the package comment. The text is the same every time. A proof
// that could not be of any log is refused, with an error that wraps ErrProof; no
// signature and no hash is checked.
func (p RecordProof) MarshalText() ([]byte, error) {
	c, err := ReadCheckpoint(p.Checkpoint)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := c.covers(p.Seq); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := checkHashes(p.Hashes); err != nil {
		return nil, err
	}
	t := proof.TLogProof{Index: p.Seq - 1, Checkpoint: p.Checkpoint, ExtraData: p.Leaf[:]}
	for _, h := range p.Hashes {
		t.Hashes = append(t.Hashes, h)
	}
	return t.Marshal(), nil
}

// UnmarshalText reads what MarshalText has written and refuses everything else,
// with an error that wraps ErrProof and leaves p as it was. It checks no
// signature and no hash: Verify does.
func (p *RecordProof) UnmarshalText(b []byte) error {
	var t proof.TLogProof
	if err := t.Unmarshal(b); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if len(t.ExtraData) != len(p.Leaf) {
		return fmt.Errorf("%w: %d bytes of leaf data", ErrProof, len(t.ExtraData))
	}
	read := RecordProof{Seq: t.Index + 1, Leaf: [32]byte(t.ExtraData), Checkpoint: t.Checkpoint}
	for _, h := range t.Hashes {
		read.Hashes = append(read.Hashes, h)
	}
	if err := sameText(read, b); err != nil {
		return err
	}
	*p = read
	return nil
}
