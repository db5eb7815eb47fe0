package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/esper-plane/esper/eventlog/tree"
)

// planFor adds the steps that cure a finding, or refuses.
func (r *repairer) planFor(f Finding) error {
	switch f.cure {
	case cureNoNeed:
		return nil
	case cureFormat:
		return r.replaceSmall(f, formatName, []byte(formatText))
	case cureMark, cureClean, cureTemp, cureSpare:
		r.aside(f.Segment, f.Reason)
		return nil
	case cureSegment:
		return r.planSegment(f)
	case cureTail:
		return r.planCut(f, repairCut)
	case cureLoss:
		return r.planLoss(f)
	case cureDerived:
		r.planRebuild(f)
		return nil
	case cureNote:
		return r.planNote(f)
	}
	r.refuse = append(r.refuse, f)
	return nil
}

func (r *repairer) path(name string) string { return filepath.Join(r.dir, name) }

// planned reports whether there is a step for a file already.
func (r *repairer) planned(name string) bool {
	return slices.ContainsFunc(r.steps, func(s step) bool { return s.Segment == name })
}

// aside removes a file or directory.
func (r *repairer) aside(name, reason string) {
	if r.planned(name) {
		return
	}
	r.steps = append(r.steps, step{
		RepairAction: RepairAction{What: repairAside, Segment: name, Reason: reason},
		keep:         func(a *RepairAction) error { return r.keepFile(a, name) },
		do: func() error {
			if err := r.fsys.RemoveAll(r.path(name)); err != nil {
				return err
			}
			return r.fsys.SyncDir(filepath.Dir(r.path(name)))
		},
	})
}

// replaceSmall writes a small file again.
func (r *repairer) replaceSmall(f Finding, name string, content []byte) error {
	s := step{
		RepairAction: RepairAction{What: repairReplace, Segment: name, Reason: f.Reason},
		do: func() error {
			return replaceFile(r.fsys, r.path(name+tempSuffix), r.path(name), bytes.NewReader(content))
		},
	}
	there, err := exists(r.path(name))
	if err != nil {
		return err
	}
	if there {
		s.keep = func(a *RepairAction) error { return r.keepFile(a, name) }
	}
	r.steps = append(r.steps, s)
	return nil
}

// planNote takes the checkpoint from the records. Behind a clean marker, and only
// when nothing but its own record has come after it, the newest one among them is
// the newest that was signed.
func (r *repairer) planNote(f Finding) error {
	if r.v.clean == nil || r.v.notes.newest == nil || r.o.AcceptLoss || !r.lastIsNewest() {
		r.refuse = append(r.refuse, f)
		return nil
	}
	return r.replaceSmall(f, noteName, r.v.notes.newest)
}

// lastIsNewest reports whether the newest recorded checkpoint covers every record
// before its own, which is the last.
func (r *repairer) lastIsNewest() bool {
	c, err := tree.ReadCheckpoint(r.v.notes.newest)
	return err == nil && uint64(c.Size)+1 == r.v.clean.seq
}

// planLoss gives up the end of the log.
func (r *repairer) planLoss(f Finding) error {
	if !r.o.AcceptLoss {
		r.refuse = append(r.refuse, f)
		return nil
	}
	if r.v.notes.file == nil && r.v.notes.newest != nil {
		f.Reason += "; the newest checkpoint is missing, so nobody can tell whether it covers them"
		f.Fix = "put the newest checkpoint that was exported in its place, or restore the log under a new origin"
		r.refuse = append(r.refuse, f)
		return nil
	}
	for _, name := range []string{cleanName, watermarkName} {
		there, err := exists(r.path(name))
		if err != nil {
			return err
		}
		if there {
			r.aside(name, "it speaks of records that are given up")
		}
	}
	return r.planCut(f, repairLoss)
}

// planCut ends the last segment at f.Offset, or begins it if it is not there.
func (r *repairer) planCut(f Finding, what string) error {
	name := segmentPath(f.first)
	size, err := sizeOf(r.path(name))
	if err != nil {
		return err
	}
	s := step{RepairAction: RepairAction{What: what, Segment: name, Offset: f.Offset, Seq: f.Seq, Bytes: size - f.Offset, Reason: f.Reason}}
	if size > f.Offset {
		s.keep = func(a *RepairAction) error { return r.keepTail(a, name, f.Offset) }
	}
	s.do = func() error { return r.cut(name, f.Offset) }
	r.steps = append(r.steps, s)
	return nil
}

// cut writes the first part of a segment to a new file that takes its place.
func (r *repairer) cut(name string, size int64) error {
	content := io.Reader(strings.NewReader(""))
	if size > 0 {
		f, err := os.Open(r.path(name))
		if err != nil {
			return err
		}
		defer f.Close()
		content = io.NewSectionReader(f, 0, size)
	}
	return replaceFile(r.fsys, r.path(rewriteName), r.path(name), content)
}

// segmentCopy is a place where a segment may be.
type segmentCopy struct {
	dir    string
	packed bool
}

func (c segmentCopy) path(first uint64) string {
	if c.packed {
		return filepath.Join(c.dir, archivePath(first))
	}
	return filepath.Join(c.dir, segmentPath(first))
}

func (c segmentCopy) open(first uint64) (segmentFile, error) {
	if c.packed {
		return openArchived(c.dir, first)
	}
	return os.Open(c.path(first))
}

// planSegment looks for a copy of a segment that reproduces its seal.
func (r *repairer) planSegment(f Finding) error {
	copies := []segmentCopy{{r.dir, false}, {r.dir, true}}
	if r.o.From != "" {
		copies = append(copies, segmentCopy{r.o.From, false}, segmentCopy{r.o.From, true})
	}
	for _, c := range copies {
		ok, err := r.reproduces(c, f.first)
		if err != nil {
			return err
		}
		if ok {
			return r.useCopy(f, c)
		}
	}
	r.refuse = append(r.refuse, f)
	return nil
}

// reproduces reports whether a copy gives exactly the seal of the segment.
func (r *repairer) reproduces(c segmentCopy, first uint64) (bool, error) {
	want, ok := r.v.seals[first]
	before := seal{at: anyTime, next: 1}
	for _, s := range r.v.seals {
		if s.next == first {
			before = s
		}
	}
	if !ok || before.next != first {
		return false, nil
	}
	src, err := c.open(first)
	var damaged *DamageError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &damaged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer src.Close()
	scan := scanner{collect: true, tree: before.tree.Clone(), at: before.at, origin: before.origin}
	got, err := scanSegment(&scan.fr, src, first, before.at, scan.visit)
	if err != nil && !errors.Is(err, ErrFrame) {
		return false, fmt.Errorf("cannot read %s: %w", c.path(first), err)
	}
	if err != nil || got.damage != nil {
		return false, nil
	}
	if got.origin != 0 {
		scan.origin = got.origin
	}
	now := scan.sealed(got)
	return now.String() == want.String(), nil
}

// useCopy makes the copy the one that is read.
func (r *repairer) useCopy(f Finding, c segmentCopy) error {
	raw, packed := segmentPath(f.first), archivePath(f.first)
	if c.dir != r.dir {
		if err := r.takeCopy(f, c); err != nil {
			return err
		}
	}
	for _, name := range []string{raw, packed} {
		there, err := exists(r.path(name))
		if err != nil {
			return err
		}
		if there && !r.planned(name) && r.path(name) != c.path(f.first) {
			r.aside(name, f.Reason)
		}
	}
	return nil
}

// takeCopy copies a segment from elsewhere.
func (r *repairer) takeCopy(f Finding, c segmentCopy) error {
	name := segmentPath(f.first)
	s := step{RepairAction: RepairAction{What: repairReplace, Segment: name, Offset: f.Offset, Seq: f.Seq, Reason: f.Reason + "; taken from " + c.path(f.first)}}
	there, err := exists(r.path(name))
	if err != nil {
		return err
	}
	if there {
		s.keep = func(a *RepairAction) error { return r.keepFile(a, name) }
	}
	s.do = func() error {
		src, err := c.open(f.first)
		if err != nil {
			return err
		}
		defer src.Close()
		return replaceFile(r.fsys, r.path(rewriteName), r.path(name), io.NewSectionReader(src, 0, r.v.seals[f.first].bytes))
	}
	r.steps = append(r.steps, s)
	return nil
}
