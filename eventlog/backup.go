package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/esper-plane/esper/eventlog/internal/disk"
	"github.com/esper-plane/esper/eventlog/tree"
)

// BackupReport tells what Backup did.
type BackupReport struct {
	BackupMark        // what the backup holds now
	Before     uint64 // last record that it held before; 0 for a first backup
	Copied     int    // segments written by this call, wholly or in part
	Kept       int    // segments that were there
	Bytes      int64  // written for records; those of the other files are few
	// Checkpoint is the number of records under the newest signed checkpoint in
	// the backup; 0 if there is none.
	Checkpoint uint64
}

// Backup makes dest hold all acknowledged records of a log, or brings a backup
// up to date. It takes no lock of the log, which may have a writer: the cut is the
// last record that was acknowledged when Backup began. Whole segments, compressed
// or not, are copied once; of the others only what is new. A record that a backup
// holds stays in it, also when it is pruned from the log.
//
// Every frame that is written is read back and checked, and the tree over them
// against seals, hashes and the signed checkpoint of the log. What lies in the
// backup from before is not read again: see CheckBackup.
//
// The commit point is the file BACKUP. If we stop before, the backup is what it
// was, and the next call goes on. One Backup at a time: a second one into the same
// directory gives ErrLocked.
//
// A dest that holds something else gives ErrNotBackup, the backup of another log,
// or one that this log does not continue, ErrForked; damage anywhere a
// *DamageError. In these cases what dest held is still what it holds.
func Backup(dir, dest string) (BackupReport, error) {
	return backup(disk.OS{}, dir, dest, func() int64 { return time.Now().UnixNano() })
}

func backup(fsys disk.FS, dir, dest string, now func() int64) (r BackupReport, err error) {
	cut, err := findCut(dir)
	if err != nil {
		return r, err
	}
	defer cut.tree.Close() // opened for reading only: nothing to lose
	if err := claimDest(fsys, dest); err != nil {
		return r, err
	}
	lock, err := acquire(dest)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	old, err := BackupInfo(dest)
	if errors.Is(err, ErrNotFound) {
		old, err = BackupMark{}, nil
	}
	if err == nil && old.Last > 0 {
		err = cut.continues(old)
	}
	if err != nil {
		return r, err
	}
	b := backing{fsys: fsys, dest: dest, cut: cut, old: old, now: now}
	return b.run()
}

// claimDest makes a directory for backups, or recognises one.
func claimDest(fsys disk.FS, dest string) error {
	if err := makeDir(fsys, dest); err != nil {
		return err
	}
	entries, err := os.ReadDir(dest)
	if err != nil {
		return err
	}
	name := filepath.Join(dest, formatName)
	for _, e := range entries {
		if e.Name() != formatName+tempSuffix && e.Name() != lockName {
			return checkBackupFormat(dest)
		}
	}
	return replaceFile(fsys, name+tempSuffix, name, strings.NewReader(backupFormatText))
}

// backing is one Backup under way.
type backing struct {
	fsys disk.FS
	dest string
	cut  *cut
	old  BackupMark
	now  func() int64
}

func (b *backing) run() (r BackupReport, err error) {
	list, pruned, err := listSegments(b.cut.dir) // after the cut: all its records are in these
	if err != nil {
		return r, err
	}
	c, err := newCopier(b.fsys, b.cut.dir, b.dest, b.cut.last)
	if err != nil {
		return r, err
	}
	c.fresh, c.held = b.old.Last == 0, tailMark{b.old.Segment, b.old.Bytes, b.old.Last}
	if err = b.takePruned(pruned); err == nil {
		err = c.run(list)
	}
	if err = errors.Join(err, c.close()); err != nil {
		return r, err
	}
	if root, err := b.cut.tree.Root(b.cut.last); err != nil || root != c.root() {
		return r, errors.Join(err, &DamageError{Segment: hashesName, Seq: b.cut.last,
			Reason: fmt.Sprintf("the stored hashes of the records 1 to %d are not those of the records", b.cut.last)})
	}
	if err := copyPrevious(b.fsys, b.cut.dir, b.dest); err != nil {
		return r, err
	}
	mark, err := b.commit(c)
	if err != nil {
		return r, err
	}
	r = BackupReport{BackupMark: mark, Before: b.old.Last, Copied: c.copied, Kept: c.kept, Bytes: c.bytes, Checkpoint: b.cut.signed}
	return r, b.saveNote()
}

// takePruned makes a first backup begin where the log does. A later one keeps
// what it has.
func (b *backing) takePruned(pruned *prunedMark) error {
	if b.old.Last > 0 {
		return nil
	}
	name := filepath.Join(b.dest, prunedName)
	if pruned == nil {
		return removeDurably(b.fsys, name)
	}
	return replaceFile(b.fsys, name+tempSuffix, name, strings.NewReader(pruned.String()))
}

// commit replaces BACKUP.
func (b *backing) commit(c *copier) (BackupMark, error) {
	pruned, err := readPruned(b.dest)
	if err != nil {
		return BackupMark{}, err
	}
	frame, err := readFrame(b.dest, b.cut.last)
	if err != nil {
		return BackupMark{}, err
	}
	e, err := DecodeFrame(frame)
	if err != nil {
		return BackupMark{}, err
	}
	m := BackupMark{Origin: b.cut.tree.origin.Name, First: pruned.begin(), Last: b.cut.last, At: e.At, Leaf: LeafHash(frame),
		Root: c.root(), Segment: c.end.first, Bytes: c.end.bytes, Taken: b.now()}
	if findEnd(c.known, m.Last+1) != nil {
		m.Segment, m.Bytes = m.Last+1, 0
	}
	name := filepath.Join(b.dest, backupName)
	return m, replaceFile(b.fsys, name+tempSuffix, name, strings.NewReader(m.String()))
}

// saveNote replaces the checkpoint, after BACKUP: it never covers more records
// than that says.
func (b *backing) saveNote() error {
	if b.cut.note == nil {
		return nil
	}
	name := filepath.Join(b.dest, noteName)
	return replaceFile(b.fsys, name+tempSuffix, name, bytes.NewReader(b.cut.note))
}

// copyPrevious copies the checkpoints of earlier logs, which never change.
func copyPrevious(fsys disk.FS, from, to string) error {
	entries, err := os.ReadDir(filepath.Join(from, previousName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := makeDir(fsys, filepath.Join(to, previousName)); err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := parseSegmentName(e.Name()); !ok {
			continue // a file that was not finished
		}
		if err := copyOldNote(fsys, from, to, e); err != nil {
			return err
		}
	}
	return nil
}

// copyOldNote copies one checkpoint of an earlier log, unless it is there.
func copyOldNote(fsys disk.FS, from, to string, e fs.DirEntry) error {
	name := filepath.Join(previousName, e.Name())
	if there, err := exists(filepath.Join(to, name)); there || err != nil {
		return err
	}
	if !e.Type().IsRegular() {
		return &DamageError{Segment: name, Reason: "this is no file"}
	}
	b, err := readSmall(filepath.Join(from, name), maxNote)
	if err != nil {
		return err
	}
	if _, err := tree.ReadCheckpoint(b); err != nil {
		return &DamageError{Segment: name, Reason: err.Error()}
	}
	copied := filepath.Join(to, name)
	return replaceFile(fsys, copied+tempSuffix, copied, bytes.NewReader(b))
}
