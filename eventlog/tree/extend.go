package tree

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// treeProofHeader is the first line of the text of a TreeProof.
const treeProofHeader = "esper-tree-proof 0\n"

// maxHashes is more than the hashes of any proof in a tree of MaxSize.
const maxHashes = 64

// TreeProof shows that a log has only grown between two checkpoints: the tree of
// New begins with all the leaves of the tree of Old, at the same places.
type TreeProof struct {
	// Old and New are the signed notes. Old may be as large as New.
	Old, New []byte
	// Hashes is the consistency proof of RFC 6962. There are none if Old
	// covers no record or as many as New.
	Hashes []Hash
}

// ProveTree proves that the tree of one checkpoint extends that of an older one,
// both signed by v's holder. It reads at most about 60 stored hashes of the new
// tree through r, in one call, and verifies the proof before it returns it.
//
// The error wraps ErrCheckpoint if one of the two is not a checkpoint of v;
// ErrInvalid if old is larger than new; ErrInconsistent if the trees are not
// one, or if a stored hash that the proof needs is wrong. Two checkpoints of the
// same size with different roots are proof enough that the log was forked.
func ProveTree(old, new []byte, v note.Verifier, r tlog.HashReader) (TreeProof, error) {
	from, to, err := openBoth(old, new, v)
	if err != nil {
		return TreeProof{}, err
	}
	if from.Size > to.Size {
		return TreeProof{}, fmt.Errorf("%w: the tree of %d cannot extend that of %d", ErrInvalid, to.Size, from.Size)
	}
	p := TreeProof{Old: bytes.Clone(old), New: bytes.Clone(new)}
	if from.Size > 0 {
		if p.Hashes, err = tlog.ProveTree(to.Size, from.Size, r); err != nil {
			return TreeProof{}, fmt.Errorf("cannot prove that the tree of %d extends that of %d: %w", to.Size, from.Size, err)
		}
	}
	if err := p.between(from, to); err != nil {
		return TreeProof{}, fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	return p, nil
}

// openBoth opens the checkpoints of a proof.
func openBoth(old, new []byte, v note.Verifier) (from, to Checkpoint, err error) {
	if from, err = OpenCheckpoint(old, v); err != nil {
		return Checkpoint{}, Checkpoint{}, fmt.Errorf("older of two: %w", err)
	}
	if to, err = OpenCheckpoint(new, v); err != nil {
		return Checkpoint{}, Checkpoint{}, fmt.Errorf("newer of two: %w", err)
	}
	return from, to, nil
}

// Verify checks both signatures and that the tree of New extends that of Old,
// and returns the two checkpoints. The error wraps ErrCheckpoint or ErrProof.
func (p TreeProof) Verify(v note.Verifier) (old, new Checkpoint, err error) {
	old, new, err = openBoth(p.Old, p.New, v)
	if err != nil {
		return Checkpoint{}, Checkpoint{}, err
	}
	if err := p.between(old, new); err != nil {
		return Checkpoint{}, Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return old, new, nil
}

// between says why the tree of to is not shown to extend that of from.
func (p TreeProof) between(from, to Checkpoint) error {
	switch {
	case from.Size > to.Size:
		return fmt.Errorf("the tree of %d cannot extend that of %d", to.Size, from.Size)
	case from.Size == to.Size && from.Root != to.Root:
		return fmt.Errorf("a fork: the tree of %d has two roots", to.Size)
	case from.Size > 0:
		if err := tlog.CheckTree(p.Hashes, to.Size, to.Root, from.Size, from.Root); err != nil {
			return fmt.Errorf("the tree of %d is not shown to extend that of %d: %w", to.Size, from.Size, err)
		}
	case len(p.Hashes) != 0:
		return errors.New("hashes are given for an empty tree")
	}
	return nil
}

// MarshalText returns p in the format of the package comment. The text is the
// same every time. A proof whose notes are not checkpoints is refused, with an
// error that wraps ErrProof; no signature and no hash is checked.
func (p TreeProof) MarshalText() ([]byte, error) {
	for _, b := range [][]byte{p.Old, p.New} {
		if _, err := ReadCheckpoint(b); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProof, err)
		}
	}
	if err := checkHashes(p.Hashes); err != nil {
		return nil, err
	}
	b := []byte(treeProofHeader)
	for _, h := range p.Hashes {
		b = fmt.Appendln(b, h)
	}
	b = append(append(b, '\n'), p.Old...)
	return append(append(b, '\n'), p.New...), nil
}

// UnmarshalText reads what MarshalText has written and refuses everything else,
// with an error that wraps ErrProof and leaves p as it was. It checks no
// signature and no hash: Verify does.
func (p *TreeProof) UnmarshalText(b []byte) error {
	// A checkpoint has one empty line, after its text.
	parts := strings.SplitN(string(b), "\n\n", 6)
	if len(parts) != 5 {
		return fmt.Errorf("%w: it has not the four empty lines of a tree proof", ErrProof)
	}
	hashes, err := parseHashes(parts[0] + "\n")
	if err != nil {
		return err
	}
	read := TreeProof{
		Old:    []byte(parts[1] + "\n\n" + parts[2] + "\n"),
		New:    []byte(parts[3] + "\n\n" + parts[4]),
		Hashes: hashes,
	}
	if err := sameText(read, b); err != nil {
		return err
	}
	*p = read
	return nil
}

// parseHashes reads the first part of the text of a tree proof.
func parseHashes(text string) ([]Hash, error) {
	text, ok := strings.CutPrefix(text, treeProofHeader)
	if !ok {
		return nil, fmt.Errorf("%w: its first line is not %q", ErrProof, treeProofHeader)
	}
	var hashes []Hash
	for line := range strings.Lines(text) {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return nil, fmt.Errorf("%w: line %q: %w", ErrProof, line, err)
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}

// checkHashes refuses a proof with more hashes than any can need.
func checkHashes(hashes []Hash) error {
	if len(hashes) > maxHashes {
		return fmt.Errorf("%w: %d hashes", ErrProof, len(hashes))
	}
	return nil
}

// sameText refuses the text of a proof that p would have written differently.
func sameText(p encoding.TextMarshaler, b []byte) error {
	again, err := p.MarshalText()
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%w: its text is not the one way to write it", ErrProof)
	}
	return nil
}
