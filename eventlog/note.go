package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

// signedNote is the newest checkpoint that a log has signed.
type signedNote struct {
	checkpoint tree.Checkpoint // zero: none
	unrecorded []byte          // its text, if the process stopped before it was a record
}

// checkNote compares the log with the newest checkpoint that was signed for it.
// Whatever the reason, a log that does not continue it must not sign another. With
// an error the result tells of a checkpoint if it is genuine.
func (v *survey) checkNote(dir string, o Origin) (*signedNote, error) {
	b, err := readSmall(filepath.Join(dir, noteName), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return new(signedNote), nil
	}
	if err != nil {
		return nil, err
	}
	damage := func(reason error) error { return &DamageError{Segment: noteName, Reason: reason.Error()} }
	if len(o.LogKey) == 0 {
		return nil, damage(errors.New("there is a checkpoint, but the origin of the log names no key"))
	}
	verifier, err := tree.NewVerifier(o.Name, o.LogKey)
	if err != nil {
		return nil, damage(err)
	}
	c, err := tree.OpenCheckpoint(b, verifier)
	if err != nil {
		return nil, damage(err)
	}
	n := &signedNote{checkpoint: c}
	if uint64(c.Size) > v.seq {
		return n, &DamageError{Segment: noteName, Seq: v.seq + 1,
			Reason: fmt.Sprintf("the log has signed a checkpoint of %d records and now ends at record %d: records were lost, or this is an older copy", c.Size, v.seq)}
	}
	if err := v.checkRoot(dir, c); err != nil {
		return nil, err
	}
	if recorded, err := v.records(dir, c, b); err != nil {
		return nil, err
	} else if !recorded {
		n.unrecorded = b
	}
	return n, nil
}

// checkRoot compares the stored tree with a checkpoint.
func (v *survey) checkRoot(dir string, c tree.Checkpoint) error {
	root := v.tree.Root()
	if uint64(c.Size) < v.seq {
		stored, err := v.stored(dir)
		if err != nil {
			return err
		}
		defer stored.close()
		if root, err = tlog.TreeHash(c.Size, stored); err != nil {
			return &DamageError{Segment: hashesName, Reason: fmt.Sprintf("cannot compute the root of %d records: %v", c.Size, err)}
		}
	}
	if root == c.Root {
		return nil
	}
	// Is it the records that differ, or only their stored hashes?
	if v.pruned == nil {
		if root, err := rootOf(dir, uint64(c.Size)); err == nil && root == c.Root {
			return &DamageError{Segment: hashesName,
				Reason: fmt.Sprintf("the stored hashes do not lead to the root of %d records that the log has signed, though the records do; `esper log repair` makes them again", c.Size)}
		}
	}
	return &DamageError{Segment: noteName, Seq: uint64(c.Size),
		Reason: fmt.Sprintf("the log has signed another tree of %d records than the one that it holds: records, or their stored hashes, were changed", c.Size)}
}

// rootOf computes the root of the first size records from the records.
func rootOf(dir string, size uint64) (tree.Hash, error) {
	var t tree.Frontier
	var frame []byte
	var hashes []tree.Hash
	for e, err := range readRange(dir, 1, size) {
		if err != nil {
			return tree.Hash{}, err
		}
		frame = AppendFrame(frame[:0], e)
		hashes = t.Append(hashes[:0], tree.LeafHash(LeafHash(frame)))
	}
	return t.Root(), nil
}

// records reports whether a checkpoint is among the records. It became one, if
// it did, soon after what it covers.
func (v *survey) records(dir string, c tree.Checkpoint, signed []byte) (bool, error) {
	if bytes.Equal(v.note, signed) {
		return true, nil
	}
	if uint64(c.Size)+1 >= v.tail.first {
		return false, nil // then it would be in the segment that was read
	}
	for e, err := range readRange(dir, uint64(c.Size)+1, v.tail.first-1) {
		if err != nil {
			return false, err
		}
		if e.Kind == KindCheckpoint && bytes.Equal(e.Payload, signed) {
			return true, nil
		}
	}
	return false, nil
}
