package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/esper-plane/esper/eventlog/tree"
)

// cut is a log as far as it is copied.
type cut struct {
	dir    string
	last   uint64
	tree   *Tree
	note   []byte // newest checkpoint of at most last records; nil: none
	signed uint64 // its size
}

// findCut finds the last acknowledged record and the newest checkpoint up to
// there. The checkpoint is read first; all the same it may be ahead of the
// watermark for a moment, so it is looked for again.
func findCut(dir string) (*cut, error) {
	const attempts = 8
	for i := 1; ; i++ {
		c, err := lookForCut(dir)
		switch {
		case err != nil:
			return nil, err
		case c.signed <= c.last:
			return c, c.open()
		case i == attempts:
			return nil, &DamageError{Segment: noteName, Seq: c.last + 1,
				Reason: fmt.Sprintf("the log has signed a checkpoint of %d records and ends at record %d", c.signed, c.last)}
		}
		time.Sleep(time.Millisecond)
	}
}

func lookForCut(dir string) (*cut, error) {
	note, err := readNote(dir)
	if err != nil {
		return nil, err
	}
	r, err := OpenReader(dir)
	if err != nil {
		return nil, err
	}
	c := &cut{dir: dir, last: r.report.LastSeq}
	if note != nil {
		if err := c.sign(note, r.origin); err != nil {
			return nil, err
		}
	}
	return c, c.settle(r.report)
}

// readNote returns the checkpoint of a log, nil if there is none.
func readNote(dir string) ([]byte, error) {
	b, err := readSmall(filepath.Join(dir, noteName), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// sign takes over a checkpoint after checking who signed it.
func (c *cut) sign(note []byte, o Origin) error {
	signed, err := openNote(note, o)
	if err != nil {
		return &DamageError{Segment: noteName, Reason: err.Error()}
	}
	c.note, c.signed = note, uint64(signed.Size)
	return nil
}

func openNote(note []byte, o Origin) (tree.Checkpoint, error) {
	if len(o.LogKey) == 0 {
		return tree.Checkpoint{}, errors.New("there is a checkpoint, but the origin of the log names no key")
	}
	v, err := tree.NewVerifier(o.Name, o.LogKey)
	if err != nil {
		return tree.Checkpoint{}, err
	}
	return tree.OpenCheckpoint(note, v)
}

// settle moves the cut of a log whose writer was killed back to what had been
// acknowledged or signed: what follows may be lost in a power failure.
func (c *cut) settle(r Report) error {
	switch {
	case r.Lost > 0:
		return &DamageError{Segment: r.TornSegment, Offset: r.TornOffset, Seq: r.LastSeq + 1, Reason: r.Reason}
	case r.Clean || r.Live:
		return nil
	}
	mark, err := readWatermark(c.dir)
	if err != nil {
		return err
	}
	if mark.seq > 0 {
		c.last = min(c.last, max(mark.seq, c.signed))
	}
	return nil
}

// open opens the tree, and compares the checkpoint with it.
func (c *cut) open() (err error) {
	if c.tree, err = OpenTree(c.dir); err != nil {
		return err
	}
	if c.note == nil {
		return nil
	}
	signed, err := tree.ReadCheckpoint(c.note)
	var root tree.Hash
	if err == nil {
		root, err = c.tree.Root(c.signed)
	}
	if err == nil && root != signed.Root {
		err = &DamageError{Segment: noteName, Seq: c.signed,
			Reason: fmt.Sprintf("the log has signed another tree of %d records than the one that is here", c.signed)}
	}
	if err != nil {
		return errors.Join(err, c.tree.Close())
	}
	return nil
}

// continues refuses a backup that the log does not continue.
func (c *cut) continues(old BackupMark) error {
	if name := c.tree.origin.Name; name != old.Origin {
		return fmt.Errorf("%w: the backup is of log %s, this is log %s; use another directory", ErrForked, old.Origin, name)
	}
	if old.Last > c.last {
		return fmt.Errorf("%w: the backup holds %d records, the log %d: the log lost records, or is an older copy; keep the backup", ErrForked, old.Last, c.last)
	}
	root, err := c.tree.Root(old.Last)
	if err != nil {
		return err
	}
	if root != old.Root {
		return fmt.Errorf("%w: the first %d records of the log are not those of the backup: their Merkle root is another; keep both", ErrForked, old.Last)
	}
	leaf, err := c.tree.Leaf(old.Last)
	if err == nil && leaf != old.Leaf {
		err = fmt.Errorf("%w: record %d of the log is not that of the backup; keep both", ErrForked, old.Last)
	}
	if errors.Is(err, ErrPruned) {
		return nil // the root has it
	}
	return err
}
