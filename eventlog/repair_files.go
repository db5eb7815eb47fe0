package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// repairTime is how the directory of a repair is named.
const repairTime = "20060102T150405Z"

// keepAll copies everything that is going to be changed, and writes down what is
// going to be done. Nothing is changed before all of this is durable.
func (r *repairer) keepAll() error {
	if err := r.makeKept(); err != nil {
		return err
	}
	for i := range r.steps {
		s := &r.steps[i]
		if s.keep != nil {
			if err := s.keep(&s.RepairAction); err != nil {
				return err
			}
		}
		r.report.Actions = append(r.report.Actions, s.RepairAction)
	}
	r.report.Actions = append(r.carriedOver(), r.report.Actions...)
	text, err := json.MarshalIndent(r.stored(), "", "  ")
	if err != nil {
		return err
	}
	return r.begin(text)
}

// makeKept makes the directory of this repair, which has none of another one.
func (r *repairer) makeKept() error {
	if err := makeDir(r.fsys, filepath.Join(r.dir, repairedName)); err != nil {
		return err
	}
	base := time.Unix(0, r.o.At).UTC().Format(repairTime)
	for i := 1; ; i++ {
		r.report.Kept = filepath.Join(repairedName, base)
		if i > 1 {
			r.report.Kept += fmt.Sprintf("-%d", i)
		}
		err := r.fsys.Mkdir(filepath.Join(r.dir, r.report.Kept), dirPerm)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return r.fsys.SyncDir(filepath.Join(r.dir, repairedName))
}

// keepFile copies a file, or a directory, to where this repair keeps things.
func (r *repairer) keepFile(a *RepairAction, name string) error {
	a.Kept = filepath.Join(r.report.Kept, name)
	return filepath.WalkDir(r.path(name), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return makeDir(r.fsys, filepath.Join(r.dir, r.report.Kept, rel))
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		a.Bytes += info.Size()
		return r.keepPart(rel, filepath.Join(r.report.Kept, rel), 0)
	})
}

// keepTail copies the end of a file.
func (r *repairer) keepTail(a *RepairAction, name string, off int64) error {
	a.Kept = filepath.Join(r.report.Kept, name+"-"+strconv.FormatInt(off, 10))
	return r.keepPart(name, a.Kept, off)
}

func (r *repairer) keepPart(from, to string, off int64) error {
	f, err := os.Open(r.path(from))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := makeDir(r.fsys, filepath.Dir(r.path(to))); err != nil {
		return err
	}
	if err := writeSynced(r.fsys, r.path(to), io.NewSectionReader(f, off, 1<<62)); err != nil {
		return err
	}
	return r.fsys.SyncDir(filepath.Dir(r.path(to)))
}

// The two names of what a repair has written down about itself.
const (
	repairBegun = "unfinished.json"
	repairDone  = "repair.json"
)

// unfinishedRepair is a repair that was stopped before it was over.
type unfinishedRepair struct {
	dir    string // relative to that of the log
	stored storedRepair
}

// begin writes down what is going to be done.
func (r *repairer) begin(text []byte) error {
	name := filepath.Join(r.path(r.report.Kept), repairBegun)
	return replaceFile(r.fsys, name+tempSuffix, name, bytes.NewReader(append(text, '\n')))
}

// findUnfinished finds the repairs that were stopped and have no record.
func (r *repairer) findUnfinished() error {
	entries, err := dirEntries(r.path(repairedName))
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(repairedName, e.Name())
		b, err := os.ReadFile(r.path(filepath.Join(dir, repairBegun)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		u := unfinishedRepair{dir: dir}
		if err := json.Unmarshal(b, &u.stored); err != nil {
			return fmt.Errorf("cannot read what an earlier repair has begun: %s: %w", filepath.Join(dir, repairBegun), err)
		}
		if slices.Contains(r.v.repairs, dir) {
			if err := r.finish(dir); err != nil { // only its last step was missing
				return err
			}
			continue
		}
		r.before = append(r.before, u)
	}
	return nil
}

// carriedOver returns what repairs that were stopped have done, or were going to
// do, and what this one does not do again.
func (r *repairer) carriedOver() []RepairAction {
	var list []RepairAction
	for _, u := range r.before {
		for _, a := range u.stored.Actions {
			again := func(b RepairAction) bool { return a.What == b.What && a.Segment == b.Segment && a.Offset == b.Offset }
			if !slices.ContainsFunc(r.report.Actions, again) && !slices.ContainsFunc(list, again) {
				list = append(list, a)
			}
		}
	}
	return list
}

// finish marks a repair as over.
func (r *repairer) finish(dir string) error {
	dir = r.path(dir)
	if err := r.fsys.Rename(filepath.Join(dir, repairBegun), filepath.Join(dir, repairDone)); err != nil {
		return err
	}
	return r.fsys.SyncDir(dir)
}

// writeDown appends the record of the repair. Open takes over the lock.
func (r *repairer) writeDown(lock *os.File, v *verifier) error {
	payload, err := json.Marshal(r.stored())
	if err != nil {
		return err
	}
	opts := r.o.Options
	opts.AcceptLoss, opts.Checkpoints = false, Checkpoints{}
	if opts, err = opts.withDefaults(); err != nil {
		return err
	}
	l, err := openLocked(r.dir, lock, opts)
	if err != nil {
		return fmt.Errorf("cannot open the repaired log: %w", err)
	}
	r.locked = true // Close gives it back
	seq := l.Next()
	err = l.Append(context.Background(), seq, []Entry{{Seq: seq, At: max(r.o.At, v.at), Kind: KindRepair, Payload: payload}})
	if err := errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("cannot write the repair down: %w", err)
	}
	r.report.Record = seq
	for _, u := range r.before {
		if err := r.finish(u.dir); err != nil {
			return err
		}
	}
	return r.finish(r.report.Kept)
}

func (r *repairer) unlock(lock *os.File) error {
	if r.locked {
		return nil
	}
	return lock.Close()
}
