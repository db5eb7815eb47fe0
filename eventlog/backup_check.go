package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

// CheckBackup reads all that a backup holds: every frame, the hashes, the seals,
// the tree against BACKUP, and the checkpoint. It changes nothing. What lies
// behind the last record, from a backup that was stopped, is not looked at. The
// error is that of BackupInfo, or a *DamageError.
func CheckBackup(dir string) (BackupMark, error) {
	m, err := BackupInfo(dir)
	if err != nil {
		return m, err
	}
	c := backupCheck{dir: dir, mark: m}
	return m, c.run()
}

type backupCheck struct {
	dir   string
	mark  BackupMark
	seals []seal
	scan  *scanner
	next  uint64
}

func (c *backupCheck) run() error {
	list, pruned, err := listSegments(c.dir)
	if err != nil {
		return err
	}
	if pruned.begin() != c.mark.First {
		return &DamageError{Segment: prunedName, Reason: fmt.Sprintf("the records begin with %d, the backup with %d", pruned.begin(), c.mark.First)}
	}
	f, err := readSeals(c.dir, maxSeals)
	if err != nil {
		return err
	}
	c.seals, c.next, c.scan = f.seals, list[0], scannerBefore(f.seals, list[0])
	if err := c.checkPruned(pruned); err != nil {
		return err
	}
	for _, first := range list {
		if first > c.mark.Last {
			break
		}
		if first != c.next {
			return &DamageError{Segment: segmentPath(first), Seq: c.next, Reason: fmt.Sprintf("record %d does not follow record %d", first, c.next-1)}
		}
		if err := c.segment(first); err != nil {
			return err
		}
	}
	return c.checkEnd(pruned)
}

// checkPruned checks the hashes of the records that are gone.
func (c *backupCheck) checkPruned(pruned *prunedMark) error {
	if pruned == nil {
		return nil
	}
	s := findEnd(c.seals, pruned.first)
	if s == nil {
		return &DamageError{Segment: sealsName, Reason: fmt.Sprintf("the seals of the pruned records 1 to %d are missing or damaged", pruned.first-1)}
	}
	return checkHashes(c.dir, s.tree)
}

func (c *backupCheck) segment(first uint64) error {
	s := findSeal(c.seals, first)
	if s == nil && first < c.mark.Segment {
		return &DamageError{Segment: sealsName, Seq: first, Reason: fmt.Sprintf("the seal of %s is missing or damaged", segmentPath(first))}
	}
	f, err := openSegment(c.dir, first)
	if err != nil {
		return err
	}
	if first < c.mark.Segment {
		err = c.scan.checkSeal(f, *s)
		c.next = s.next
		if err == nil {
			err = c.checkHashes(*s)
		}
		return errors.Join(err, f.Close())
	}
	// The last one: what is behind the last record does not count.
	c.scan.hashes, c.scan.leaves = nil, nil
	got, err := scanSegment(&c.scan.fr, &limited{f, c.mark.Bytes}, first, c.scan.at, c.scan.visit)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if got.damage != nil {
		return got.damage
	}
	c.scan.at, c.next = got.at, got.next
	if got.origin != 0 {
		c.scan.origin = got.origin
	}
	return nil
}

// checkHashes compares the stored hashes with those of the segment just read.
func (c *backupCheck) checkHashes(s seal) error {
	want := encodeHashes(c.scan.hashes)
	got, err := readHashesAt(c.dir, hashesLen(s.first-1), len(want))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return &DamageError{Segment: hashesName, Offset: hashesLen(s.first - 1), Seq: s.first,
			Reason: fmt.Sprintf("the stored hashes of the records %d to %d are not those of the records", s.first, s.next-1)}
	}
	return nil
}

// readHashesAt reads n bytes of the file of the hashes, fewer at its end.
func readHashesAt(dir string, off int64, n int) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, hashesName))
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	n, err = f.ReadAt(b, off)
	return b[:n], errors.Join(notEOF(err), f.Close())
}

func (c *backupCheck) checkEnd(pruned *prunedMark) error {
	m := c.mark
	switch {
	case c.next != m.Last+1:
		return &DamageError{Segment: segmentPath(m.Segment), Seq: c.next, Reason: fmt.Sprintf("the records %d to %d are missing", c.next, m.Last)}
	case c.scan.tree.Root() != m.Root:
		return &DamageError{Segment: backupName, Seq: m.Last, Reason: fmt.Sprintf("the records 1 to %d are not those of the backup: their Merkle root is another", m.Last)}
	case c.scan.leaf != m.Leaf || c.scan.at != m.At:
		return &DamageError{Segment: backupName, Seq: m.Last, Reason: fmt.Sprintf("record %d is not that of the backup", m.Last)}
	}
	v := survey{origin: c.scan.origin, pruned: pruned}
	o, err := v.readOrigin(c.dir)
	if err != nil {
		return err
	}
	if o.Name != m.Origin {
		return &DamageError{Segment: backupName, Reason: fmt.Sprintf("the records are of log %s, the backup of log %s", o.Name, m.Origin)}
	}
	return c.checkNote(o)
}

// checkNote checks the signature of the checkpoint, and its root where the
// backup ends.
func (c *backupCheck) checkNote(o Origin) error {
	note, err := readNote(c.dir)
	if err != nil || note == nil {
		return err
	}
	signed, err := openNote(note, o)
	if err == nil && uint64(signed.Size) > c.mark.Last {
		err = fmt.Errorf("it covers %d records, the backup holds %d", signed.Size, c.mark.Last)
	}
	if err != nil {
		return &DamageError{Segment: noteName, Reason: err.Error()}
	}
	sealed, rest := c.mark.Segment-1, c.scan.hashes
	if sealed == c.mark.Last {
		rest = nil
	}
	return checkNoteRoot(c.dir, sealed, rest, signed)
}

// checkNoteRoot compares a checkpoint with the tree whose hashes are stored for
// the first sealed records and given for the rest.
func checkNoteRoot(dir string, sealed uint64, rest []tree.Hash, signed tree.Checkpoint) error {
	f, err := os.Open(filepath.Join(dir, hashesName))
	if err != nil {
		return err
	}
	stored := &storedHashes{f: f, sealed: tree.StoredCount(int64(sealed)), rest: rest}
	defer stored.close()
	root, err := tlog.TreeHash(signed.Size, stored)
	if err == nil && root != signed.Root {
		err = &DamageError{Segment: noteName, Seq: uint64(signed.Size),
			Reason: fmt.Sprintf("the log has signed another tree of %d records than the one that is here", signed.Size)}
	}
	return err
}

// limited ends a file early.
type limited struct {
	segmentFile
	size int64
}

// ReadAt implements io.ReaderAt.
func (l *limited) ReadAt(b []byte, off int64) (int, error) {
	if rest := l.size - off; rest < int64(len(b)) {
		n, err := l.segmentFile.ReadAt(b[:max(rest, 0)], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return l.segmentFile.ReadAt(b, off)
}
