package eventlog

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// storedSegment is a segment that is in the directory, or that a seal says
// should be.
type storedSegment struct {
	first  uint64
	raw    bool  // it is in segments/
	packed bool  // it is in archive/
	bytes  int64 // on the disk
}

// path names the copy that is read.
func (s storedSegment) path() string {
	if !s.raw && s.packed {
		return archivePath(s.first)
	}
	return segmentPath(s.first)
}

// listAll finds the segments that are there and those that should be.
func (v *verifier) listAll() error {
	found := make(map[uint64]storedSegment)
	if err := v.listDir(segmentsName, "", found); err != nil {
		return err
	}
	if err := v.listDir(archiveName, archiveSuffix, found); err != nil {
		return err
	}
	if begin := v.pruned.begin(); found[begin].first == 0 {
		found[begin] = storedSegment{first: begin}
	}
	for first := range v.seals {
		if _, ok := found[first]; !ok && first >= v.pruned.begin() {
			found[first] = storedSegment{first: first}
		}
	}
	for first, s := range found {
		if v.limit != 0 && first > v.limit {
			continue
		}
		if first < v.pruned.begin() {
			v.add(Finding{Severity: SeverityNote, Segment: s.path(), Seq: first, Reason: "the segment was pruned and is still there", Fix: "pruning again removes it", cure: cureNoNeed})
			continue
		}
		v.list, v.total = append(v.list, s), v.total+s.bytes
	}
	slices.SortFunc(v.list, func(a, b storedSegment) int { return cmp.Compare(a.first, b.first) })
	return nil
}

// listDir adds the segments of one directory.
func (v *verifier) listDir(dir, suffix string, found map[uint64]storedSegment) error {
	entries, err := dirEntries(filepath.Join(v.dir, dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if suffix != "" && v.passOver(path) {
			continue
		}
		name, ok := strings.CutSuffix(e.Name(), suffix)
		first, numbered := parseSegmentName(name)
		if !ok || !numbered || !e.Type().IsRegular() {
			v.add(Finding{Severity: SeverityDamage, Segment: path, Reason: "this is not a segment and does not belong here",
				Fix: "find out what it is and take it elsewhere; if it is a segment that was renamed, give it its name back"})
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was archived or pruned meanwhile
		}
		if err != nil {
			return err
		}
		s := found[first]
		s.first, s.bytes = first, s.bytes+info.Size()
		s.raw, s.packed = s.raw || suffix == "", s.packed || suffix != ""
		found[first] = s
	}
	return nil
}

// passOver says which files of the archive are not segments and may be there.
func (v *verifier) passOver(path string) bool {
	if filepath.Base(path) == lockName {
		return true
	}
	if filepath.Ext(path) != tempSuffix {
		return false
	}
	if !v.live {
		v.temp(path)
	}
	return true
}

// readSealFile reads the lines that are seals, also behind one that is not.
func (v *verifier) readSealFile() error {
	v.seals = make(map[uint64]seal)
	f, err := os.Open(filepath.Join(v.dir, sealsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxSealLine)
	next, streak := uint64(1), false
	for off := int64(0); ; {
		line, err := r.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return fmt.Errorf("cannot read %s: %w", f.Name(), err)
		}
		if len(line) == 0 {
			return nil
		}
		s, ok := parseSeal(string(line))
		switch {
		case ok && s.first >= next:
			v.seals[s.first], v.sealed, next = s, s.next-1, s.next
		case !streak:
			v.badSeal(off, next, err == io.EOF)
		}
		streak = !ok
		off += int64(len(line))
	}
}

// badSeal reports a line that is not the next seal. One without an end may be
// the rest of a write that was stopped.
func (v *verifier) badSeal(off int64, next uint64, unfinished bool) {
	f := Finding{Severity: SeverityDamage, Segment: sealsName, Offset: off, Seq: next, Reason: "the line is not the next seal", Fix: fixRepair, cure: cureDerived}
	switch {
	case unfinished && v.live:
		return
	case unfinished && v.clean == nil:
		f = Finding{Severity: SeverityNote, Segment: sealsName, Offset: off, Seq: next, Reason: "the last line is not finished", Fix: fixOpen, cure: cureNoNeed}
	}
	v.add(f)
}

// firstThere returns the number of the first segment that is there, for a log
// that no longer says where it begins.
func firstThere(dir string) uint64 {
	first := uint64(math.MaxUint64)
	for _, d := range []string{segmentsName, archiveName} {
		entries, err := dirEntries(filepath.Join(dir, d))
		if err != nil {
			continue // listAll meets the same error and returns it
		}
		for _, e := range entries {
			if n, ok := parseSegmentName(strings.TrimSuffix(e.Name(), archiveSuffix)); ok {
				first = min(first, n)
			}
		}
	}
	if first == math.MaxUint64 {
		return 1
	}
	return first
}

// listOthers notes what does not belong into the directory.
func (v *verifier) listOthers() error {
	if v.live {
		return nil
	}
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case filepath.Ext(name) == tempSuffix:
			v.temp(name)
		case !ownName(name):
			v.add(Finding{Severity: SeverityNote, Segment: name, Reason: "this is no part of a log", Fix: "take it elsewhere", cure: cureNoNeed})
		}
	}
	return nil
}

func (v *verifier) temp(name string) {
	v.add(Finding{Severity: SeverityNote, Segment: name, Reason: "this file was being written when a process stopped; nobody reads it", Fix: fixRepair, cure: cureTemp})
}

func ownName(name string) bool {
	switch name {
	case formatName, lockName, cleanName, watermarkName, segmentsName, tornName, sealsName, hashesName, noteName, archiveName, prunedName, previousName, repairedName:
		return true
	}
	return false
}

// dirEntries lists a directory, which may be missing.
func dirEntries(name string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}
