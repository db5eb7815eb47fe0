package tree

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// maxCheckpoint is the length of the longest note that is read, in bytes: room
// for the cosignatures of many witnesses.
const maxCheckpoint = 32 << 10

// Checkpoint is what a log commits to when it signs: its name, how many records
// it has, and the root of the tree over them.
type Checkpoint struct {
	// Origin is the name of the log.
	Origin string
	// Size is the number of leaves, 0 to MaxSize; the checkpoint covers the
	// records 1 to Size.
	Size int64
	// Root is the root hash of the tree of that size. If Size is 0, it is
	// SHA-256 of nothing.
	Root Hash
}

// Sign returns c as a note with one signature. The error wraps ErrInvalid if s
// signs for another name than c.Origin, or if c cannot be the checkpoint of a
// log.
//
// Sign knows no history. It is for the caller to sign only what is durable, and
// nothing that is inconsistent with what was signed before: a log that loses a
// record after its checkpoint was seen looks like a forger.
func (c Checkpoint) Sign(s note.Signer) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if s.Name() != c.Origin {
		return nil, fmt.Errorf("%w: %q cannot sign for %q", ErrInvalid, s.Name(), c.Origin)
	}
	b, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the checkpoint of %q at size %d: %w", c.Origin, c.Size, err)
	}
	return b, nil
}

// text is the part of the note that is signed.
func (c Checkpoint) text() string {
	return string(log.Checkpoint{Origin: c.Origin, Size: uint64(c.Size), Hash: c.Root[:]}.Marshal())
}

// check says why c is not the checkpoint of a log.
func (c Checkpoint) check() error {
	if err := checkName(c.Origin); err != nil {
		return err
	}
	if err := checkSize(c.Size); err != nil {
		return err
	}
	if c.Size == 0 && c.Root != sha256.Sum256(nil) {
		return errors.New("the root of the empty tree is wrong")
	}
	return nil
}

// OpenCheckpoint reads a note that v's holder has signed as the checkpoint of
// the log of v's name. Signatures of others, as witnesses, may stand beside it
// and are not looked at. The error wraps ErrCheckpoint.
func OpenCheckpoint(b []byte, v note.Verifier) (Checkpoint, error) {
	if err := checkLength(b); err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != v.Name() {
		return Checkpoint{}, fmt.Errorf("%w: it is of %q, not of %q", ErrCheckpoint, c.Origin, v.Name())
	}
	return c, nil
}

// ReadCheckpoint reads a note WITHOUT CHECKING ANY SIGNATURE. Anyone can have
// written what it returns: use it to print a checkpoint or to find out which key
// to ask for, and OpenCheckpoint to believe one. The error wraps ErrCheckpoint
// if b is not a checkpoint with at least one well-formed signature line.
func ReadCheckpoint(b []byte) (Checkpoint, error) {
	if err := checkLength(b); err != nil {
		return Checkpoint{}, err
	}
	_, err := note.Open(b, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return parseCheckpoint(unverified.Note.Text)
}

// checkLength refuses a note that is too long to be read.
func checkLength(b []byte) error {
	if len(b) > maxCheckpoint {
		return fmt.Errorf("%w: %d bytes are more than %d", ErrCheckpoint, len(b), maxCheckpoint)
	}
	return nil
}

// parseCheckpoint reads the text of a note. There is one text for a checkpoint,
// so extension lines and other spellings of a number are refused.
func parseCheckpoint(text string) (Checkpoint, error) {
	var raw log.Checkpoint
	if _, err := raw.Unmarshal([]byte(text)); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if len(raw.Hash) != len(Hash{}) {
		return Checkpoint{}, fmt.Errorf("%w: a root of %d bytes", ErrCheckpoint, len(raw.Hash))
	}
	// A size beyond int64 becomes negative here and is refused as such.
	c := Checkpoint{Origin: raw.Origin, Size: int64(raw.Size), Root: Hash(raw.Hash)}
	if err := c.check(); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if c.text() != text {
		return Checkpoint{}, fmt.Errorf("%w: its text is not the three lines of a checkpoint", ErrCheckpoint)
	}
	return c, nil
}
