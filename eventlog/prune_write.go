package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/esper-plane/esper/eventlog/internal/disk"
	"github.com/esper-plane/esper/eventlog/tree"
)

// PruneOptions says what Prune removes.
type PruneOptions struct {
	// Before is the first record that must stay. What is removed are whole
	// sealed segments all of whose records are before it, so that more may stay.
	Before uint64
	// To is a directory that the segments are moved to, made if it is missing;
	// they keep the names they have below the log. Empty means that they are
	// deleted.
	To string
	// Check is asked before anything is changed, with the first record that would
	// stay and the last record of the log. An error ends Prune and is returned.
	// Nil means yes.
	Check func(first, last uint64) error
}

// PruneReport tells what Prune did.
type PruneReport struct {
	First    uint64 // first record that is there now
	Last     uint64 // last record of the log
	Records  uint64 // removed by this call
	Segments int    // files removed by this call, or left over from one that was stopped
	Bytes    int64  // length of these files
}

// Prune removes the oldest records of a log that nobody writes, for good; with a
// writer it returns ErrLocked. The hashes and seals of what is removed stay, so
// that every proof that could be made before can be made after, also of a removed
// record by its leaf hash. Asking for such a record gives ErrPruned. The last
// record always stays.
//
// What goes is read once more and compared with its seal and its hashes, because
// these cannot be computed again: if anything differs, a *DamageError is returned
// and nothing was changed.
//
// The commit point is the file PRUNED. If we stop before, the log is as it was,
// perhaps with copies in To; if we stop after, the records are gone, and files of
// theirs that are left are removed by the next call.
func Prune(dir string, o PruneOptions) (PruneReport, error) { return prune(disk.OS{}, dir, o) }

func prune(fsys disk.FS, dir string, o PruneOptions) (r PruneReport, err error) {
	if err := checkLog(dir); err != nil {
		return r, err
	}
	if o.To != "" {
		if err := outside(dir, o.To); err != nil {
			return r, err
		}
	}
	lock, err := acquire(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := makeDir(fsys, filepath.Join(dir, archiveName)); err != nil {
		return r, err
	}
	archiving, err := acquire(filepath.Join(dir, archiveName))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, archiving.Close()) }()
	v, err := look(dir, false)
	if err != nil {
		return r, err
	}
	if _, err := v.judge(lenience{}); err != nil {
		return r, err
	}
	p := pruner{fsys: fsys, dir: dir, to: o.To, survey: v}
	p.choose(o.Before)
	if o.Check != nil {
		if err := o.Check(p.first, v.seq); err != nil {
			return PruneReport{First: v.pruned.begin(), Last: v.seq}, err
		}
	}
	err = p.run()
	return PruneReport{First: p.first, Last: v.seq, Records: p.first - v.pruned.begin(), Segments: p.files, Bytes: p.bytes}, err
}

type pruner struct {
	fsys   disk.FS
	dir    string
	to     string
	survey *survey
	first  uint64 // first record that stays
	gone   []seal // of the segments to remove
	files  int
	bytes  int64
}

// choose takes the longest prefix of sealed segments whose records are all before
// the given one, but never the segment with the last record.
func (p *pruner) choose(before uint64) {
	p.first = p.survey.pruned.begin()
	for _, s := range p.survey.seals {
		if s.first < p.first {
			continue
		}
		if s.next > before || s.next > p.survey.seq {
			break
		}
		p.gone, p.first = append(p.gone, s), s.next
	}
}

func (p *pruner) run() error {
	for _, s := range p.gone {
		if err := p.check(s); err != nil {
			return err
		}
	}
	for _, s := range p.gone {
		if err := p.save(s); err != nil {
			return fmt.Errorf("cannot move %s: %w", segmentPath(s.first), err)
		}
	}
	if len(p.gone) > 0 {
		if err := p.commit(); err != nil {
			return err
		}
	}
	return p.sweep()
}

// check compares a segment with its seal, and its hashes with those stored.
func (p *pruner) check(s seal) error {
	f, err := openSegment(p.dir, s.first)
	if err != nil {
		return err
	}
	c := scannerBefore(p.survey.seals, s.first)
	if err := errors.Join(c.checkSeal(f, s), f.Close()); err != nil {
		return err
	}
	return compareHashes(p.dir, s, c.hashes)
}

// save copies a segment to where it is kept, durably, and reads the copy. A copy
// that is there already counts if it is the right one.
func (p *pruner) save(s seal) error {
	if p.to == "" {
		return nil
	}
	name, err := storedAs(p.dir, s.first)
	if err != nil {
		return err
	}
	target := filepath.Join(p.to, name)
	there, err := exists(target)
	if err != nil {
		return err
	}
	if err := makeDir(p.fsys, filepath.Dir(target)); err != nil {
		return err
	}
	if there {
		err = makeDurable(p.fsys, target) // who wrote it may not have
	} else {
		err = copyFile(p.fsys, filepath.Join(p.dir, name), target)
	}
	if err != nil {
		return err
	}
	f, err := openSegment(p.to, s.first)
	if err != nil {
		return err
	}
	c := scannerBefore(p.survey.seals, s.first)
	if err := errors.Join(c.checkSeal(f, s), f.Close()); err != nil {
		return fmt.Errorf("the copy in %s: %w", p.to, err)
	}
	return nil
}

// storedAs returns the name of a segment's file, compressed or not, below dir.
func storedAs(dir string, first uint64) (string, error) {
	there, err := exists(filepath.Join(dir, segmentPath(first)))
	if there || err != nil {
		return segmentPath(first), err
	}
	return archivePath(first), nil
}

// copyFile copies a file so that the copy is there as a whole or not at all.
func copyFile(fsys disk.FS, from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close() // opened for reading only: nothing to lose
	return replaceFile(fsys, to+tempSuffix, to, src)
}

// commit writes PRUNED with the newest origin record before the first one. The
// seals are written again first: they are about to be all that tells of the
// records, and what was read may exist only in the page cache.
func (p *pruner) commit() error {
	var lines strings.Builder
	for i := range p.survey.seals {
		lines.WriteString(p.survey.seals[i].String())
	}
	seals := filepath.Join(p.dir, sealsName)
	if err := replaceFile(p.fsys, seals+tempSuffix, seals, strings.NewReader(lines.String())); err != nil {
		return err
	}
	mark := prunedMark{first: p.first}
	if last := p.gone[len(p.gone)-1]; last.origin < p.survey.pruned.begin() {
		mark.origin = p.survey.pruned.origin
	} else {
		frame, err := readFrame(p.dir, last.origin)
		if err != nil {
			return err
		}
		mark.origin = bytes.Clone(frame)
	}
	name := filepath.Join(p.dir, prunedName)
	return replaceFile(p.fsys, name+tempSuffix, name, strings.NewReader(mark.String()))
}

// sweep removes every file of a segment before the first record.
func (p *pruner) sweep() error {
	for _, sub := range []string{segmentsName, archiveName} {
		entries, err := os.ReadDir(filepath.Join(p.dir, sub))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := p.drop(sub, e); err != nil {
				return err
			}
		}
		if err := p.fsys.SyncDir(filepath.Join(p.dir, sub)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pruner) drop(sub string, e fs.DirEntry) error {
	first, ok := parseSegmentName(strings.TrimSuffix(strings.TrimSuffix(e.Name(), tempSuffix), archiveSuffix))
	if !ok || first >= p.first {
		return nil
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	if err := p.fsys.Remove(filepath.Join(p.dir, sub, e.Name())); err != nil {
		return err
	}
	p.files, p.bytes = p.files+1, p.bytes+info.Size()
	return nil
}

// checkHashes compares the stored hashes of the first records with the tree that
// a seal has for them.
func checkHashes(dir string, t tree.Frontier) error {
	f, err := os.Open(filepath.Join(dir, hashesName))
	if err != nil {
		return err
	}
	stored := &storedHashes{f: f, sealed: tree.StoredCount(t.Size())}
	defer stored.close()
	if err := tree.CheckStored(t.Size(), t.Root(), stored); err != nil {
		return &DamageError{Segment: hashesName, Seq: uint64(t.Size()), Reason: err.Error()}
	}
	return nil
}
