package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/esper-plane/esper/eventlog/internal/disk"
	"github.com/esper-plane/esper/eventlog/tree"
)

// RestoreOptions says what log Restore makes.
type RestoreOptions struct {
	// Name, LogKey and AdminKey are those of the new origin: see Origin. The name
	// must be new, the private half of LogKey as well: who has the old one can
	// continue the old log, and nobody could tell the two apart.
	Name     string
	LogKey   []byte
	AdminKey []byte
	// At is the time of the origin record, nanoseconds since the Unix epoch. An
	// earlier time than that of the record before it is raised to it.
	At int64
	// Upto is the last record to take over, 0 for all. With it, and only with it,
	// the source may be damaged behind that record and may have signed more than
	// it holds: the new origin then says in public where history was cut.
	Upto uint64
}

// RestoreReport tells what Restore made.
type RestoreReport struct {
	Origin   Origin // of the new log; Previous names the old one
	Old      Origin // of the old log
	First    uint64 // first record that is there
	Last     uint64 // last record: the new origin
	At       int64  // its time
	Segments int    // written
	Bytes    int64  // written into them
	// Signed is the number of records under the newest checkpoint of the old log
	// that came along, 0 if there is none. It is more than Previous.Size only if
	// Upto was given: then the old log had promised records that are not here.
	Signed uint64
}

// Restore makes a log in dest, which must not exist, from a backup or from a log
// that nobody writes: its records up to the last one, byte for byte, and after
// them an origin record that names the old log, the number of records taken over
// and their Merkle root. From there on the log signs under its new name. Old
// checkpoints of up to that many records still prove the old records; the newest
// one of the old log is kept in previous/, under the number of its last record
// that was taken over, and is no checkpoint of the new log.
//
// Everything is read back and checked, against BACKUP, seals, hashes and the
// checkpoint. The log is built in dest.new, which is removed first if an earlier
// call has left it; the commit point is the rename of that directory. The source
// is not changed.
//
// The error is ErrExists, ErrLocked if the source has a writer, ErrInvalid for an
// origin that breaks a rule, such as a name that the log had before, or for a
// log that was itself restored and not used since, ErrNotFound
// if there is no such record as Upto, or a *DamageError.
func Restore(source, dest string, o RestoreOptions) (RestoreReport, error) {
	return restore(disk.OS{}, source, dest, o)
}

func restore(fsys disk.FS, source, dest string, o RestoreOptions) (r RestoreReport, err error) {
	if err := (Origin{Name: o.Name, LogKey: o.LogKey, AdminKey: o.AdminKey}).Validate(); err != nil {
		return r, err
	}
	if there, err := exists(dest); there || err != nil {
		return r, errors.Join(err, fmt.Errorf("%w: %s is there", ErrExists, dest))
	}
	s, err := openOld(source, o.Upto)
	if err != nil {
		return r, err
	}
	building := dest + tempSuffix
	if err := clearBuilding(fsys, building); err != nil {
		return r, err
	}
	b := restoring{fsys: fsys, old: s, dir: building, o: o}
	if err := b.build(); err != nil {
		return r, fmt.Errorf("cannot restore %s: %w", source, err)
	}
	if err := fsys.Rename(building, dest); err != nil {
		return r, err
	}
	return b.report, fsys.SyncDir(filepath.Dir(dest))
}

// clearBuilding removes what a Restore that was stopped has left, and nothing else.
func clearBuilding(fsys disk.FS, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ours := []string{formatName, segmentsName, archiveName, hashesName, sealsName, prunedName, previousName, cleanName, strings.TrimSuffix(rewriteName, tempSuffix)}
	for _, e := range entries {
		if !slices.Contains(ours, strings.TrimSuffix(e.Name(), tempSuffix)) {
			return fmt.Errorf("%w: %s is needed and holds %s; move it away", ErrExists, dir, e.Name())
		}
	}
	return fsys.RemoveAll(dir)
}

// restoring is one Restore under way.
type restoring struct {
	fsys   disk.FS
	old    *oldLog
	dir    string // where the log is built
	o      RestoreOptions
	copy   *copier
	report RestoreReport
}

func (b *restoring) build() error {
	if err := b.takeRecords(); err != nil {
		return err
	}
	old, err := b.oldOrigin()
	if err != nil {
		return err
	}
	b.report.Old = old
	if err := b.checkOld(old); err != nil {
		return err
	}
	next := Origin{Name: b.o.Name, LogKey: b.o.LogKey, AdminKey: b.o.AdminKey,
		Previous: &Predecessor{Name: old.Name, Size: b.old.last, Root: b.copy.root()}}
	if err := next.Validate(); err != nil {
		return err
	}
	if slices.Contains(b.copy.names, next.Name) {
		return fmt.Errorf("%w: the log was named %q before; a restored log needs a name of its own", ErrInvalid, next.Name)
	}
	if old.Previous != nil && b.copy.since == 0 {
		// A plane that goes on with a log knows the one before it, not the one
		// before that.
		return fmt.Errorf("%w: log %s was restored from %s and nothing was recorded in it since; restore that one, or use this one first", ErrInvalid, old.Name, old.Previous.Name)
	}
	if err := b.takeNotes(); err != nil {
		return err
	}
	mark, err := b.appendOrigin(next)
	if err != nil {
		return err
	}
	if err := writeClean(b.fsys, b.dir, mark); err != nil {
		return err
	}
	format := filepath.Join(b.dir, formatName)
	if err := replaceFile(b.fsys, format+tempSuffix, format, strings.NewReader(formatText)); err != nil {
		return err
	}
	return b.inspect(next)
}

// takeRecords copies the records, their hashes and seals.
func (b *restoring) takeRecords() (err error) {
	if b.copy, err = newCopier(b.fsys, b.old.dir, b.dir, b.old.last); err != nil {
		return err
	}
	b.copy.fresh, b.copy.lenient = true, !b.old.whole
	if b.old.pruned != nil {
		name := filepath.Join(b.dir, prunedName)
		err = replaceFile(b.fsys, name+tempSuffix, name, strings.NewReader(b.old.pruned.String()))
	}
	if err == nil {
		err = b.copy.run(b.old.list)
	}
	b.report.First, b.report.Segments, b.report.Bytes = b.old.pruned.begin(), b.copy.copied, b.copy.bytes
	return errors.Join(err, b.copy.close())
}

// oldOrigin returns the newest origin among the records that were taken over.
func (b *restoring) oldOrigin() (Origin, error) {
	v := survey{origin: b.copy.scan.origin, pruned: b.old.pruned}
	return v.readOrigin(b.dir)
}

// checkOld compares what was copied with what the source says of itself.
func (b *restoring) checkOld(o Origin) error {
	if m := b.old.mark; m != nil && b.old.whole {
		if m.Origin != o.Name || m.Root != b.copy.root() {
			return &DamageError{Segment: backupName, Seq: m.Last, Reason: fmt.Sprintf("the records 1 to %d are not those of the backup: origin or Merkle root is another", m.Last)}
		}
	}
	if b.old.note == nil {
		return nil
	}
	c, err := openNote(b.old.note, o)
	switch {
	case err == nil:
		b.report.Signed = uint64(c.Size)
	case b.old.whole:
		return &DamageError{Segment: noteName, Reason: err.Error()}
	default:
		return nil // it is kept as it is
	}
	if uint64(c.Size) > b.old.last {
		if b.old.whole {
			return &DamageError{Segment: noteName, Seq: b.old.last + 1, Reason: fmt.Sprintf("the log has signed a checkpoint of %d records and ends at record %d", c.Size, b.old.last)}
		}
		return nil
	}
	sealed, rest := b.old.last, []tree.Hash(nil)
	if !b.isSealed() {
		sealed, rest = b.copy.end.first-1, b.copy.scan.hashes
	}
	return checkNoteRoot(b.dir, sealed, rest, c)
}

// isSealed reports whether the last record ends a whole segment.
func (b *restoring) isSealed() bool { return findEnd(b.copy.known, b.old.last+1) != nil }

// takeNotes keeps the newest checkpoint of the old log, and those before it.
func (b *restoring) takeNotes() error {
	if err := copyPrevious(b.fsys, b.old.dir, b.dir); err != nil || b.old.note == nil {
		return err
	}
	if err := makeDir(b.fsys, filepath.Join(b.dir, previousName)); err != nil {
		return err
	}
	name := filepath.Join(b.dir, previousName, segmentName(b.old.last))
	return replaceFile(b.fsys, name+tempSuffix, name, bytes.NewReader(b.old.note))
}

// appendOrigin writes the new origin record, into the last segment or, if that is
// whole, into a new one.
func (b *restoring) appendOrigin(o Origin) (cleanMark, error) {
	payload, err := o.MarshalBinary()
	if err != nil {
		return cleanMark{}, err
	}
	e := Entry{Seq: b.old.last + 1, At: max(b.o.At, b.copy.scan.at), Kind: KindOrigin, Payload: payload, Lag: 1}
	frame := AppendFrame(nil, e)
	at := b.copy.end
	if b.isSealed() {
		at = tailMark{first: e.Seq}
	}
	stored := appendPrefixed(nil, frame)
	name := filepath.Join(b.dir, segmentPath(at.first))
	f, err := b.fsys.OpenFile(name, os.O_CREATE|os.O_RDWR, filePerm)
	if err != nil {
		return cleanMark{}, err
	}
	_, err = f.WriteAt(stored, at.bytes)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return cleanMark{}, err
	}
	m := cleanMark{seq: e.Seq, leaf: LeafHash(frame), tail: segmentName(at.first), size: at.bytes + int64(len(stored))}
	t := b.copy.scan.tree.Clone()
	t.Append(nil, tree.LeafHash(m.leaf))
	m.root = t.Root()
	b.report.Origin, b.report.Last, b.report.At = o, e.Seq, e.At
	return m, b.fsys.SyncDir(filepath.Dir(name))
}

// inspect opens the new log as a writer would.
func (b *restoring) inspect(want Origin) error {
	v, err := look(b.dir, false)
	if err != nil {
		return err
	}
	if _, err := v.judge(lenience{}); err != nil {
		return err
	}
	got, err := v.readOrigin(b.dir)
	if err == nil && got.Name != want.Name {
		err = fmt.Errorf("the restored log has origin %s, not %s", got.Name, want.Name)
	}
	return err
}
