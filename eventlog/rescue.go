package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Rescue yields every record of a log that is intact, also those behind damage,
// which Salvage does not show: one damaged record does not hide its neighbours.
// Each stretch that holds no record is yielded as a *DamageError in its place,
// which says where it begins and which record comes next, and reading goes on
// behind it; any other error ends it. A record counts when its checksum holds, it
// stands behind its length as a writer puts it, and its number can follow. Nothing
// proves that such a record was not surplus when it was damaged around it, so they
// are for reading: nobody should act on them. The payload of an entry is valid
// until the next step. Rescue changes nothing and takes no lock.
func Rescue(dir string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := rescue{dir: dir, yield: yield, end: math.MaxUint64}
		r, err := OpenReader(dir)
		if err == nil {
			s.end = r.report.LastSeq // behind it a writer may be at work
			err = s.whole(r)
			s.end = max(s.end, s.done)
		}
		var d *DamageError
		switch {
		case err == nil:
		case err == errEnough:
		case !errors.As(err, &d):
			yield(Entry{}, err)
		case s.all() && s.gaps == 0:
			yield(Entry{}, err) // the records are whole, what is wrong is beside them
		}
	}
}

// rescue reads what is left of a damaged log.
type rescue struct {
	dir   string
	yield func(Entry, error) bool
	fr    frameReader
	end   uint64 // number of the last record that may be read
	done  uint64 // number of the last record that was yielded before the damage was found
	last  uint64 // number of the last record, 0 before the first
	gaps  int
	said  uint64 // number of the record that the last gap begins with
}

// errEnough says that the caller wants no more.
var errEnough = errors.New("eventlog: enough")

// whole yields the records that a reader accepts, up to its first error.
func (s *rescue) whole(r *Reader) error {
	var failed error
	salvageWhole(r, 0, func(e Entry, err error) bool {
		if failed = err; err != nil {
			return false
		}
		s.done = e.Seq
		if !s.yield(e, nil) {
			failed = errEnough
		}
		return failed == nil
	})
	return failed
}

// all reads every segment, and reports whether the caller wants more.
func (s *rescue) all() bool {
	list, err := s.segments()
	if err != nil {
		return s.yield(Entry{}, err)
	}
	for i, first := range list {
		if first > s.last+1 && s.last > 0 && s.said <= s.last && !s.gap(first, 0, fmt.Sprintf("records up to %d are missing", first-1)) {
			return false
		}
		if !s.segment(first, i == len(list)-1) {
			return false
		}
	}
	return true
}

// segments lists the segments that are there. What does not belong there is passed
// over: OpenReader has refused it, and it may be all that is wrong.
func (s *rescue) segments() ([]uint64, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, segmentsName))
	if err != nil {
		return nil, err
	}
	archive, err := os.ReadDir(filepath.Join(s.dir, archiveName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	begin, list := firstKept(s.dir), []uint64(nil)
	for _, e := range append(entries, archive...) {
		name, _ := bytes.CutSuffix([]byte(e.Name()), []byte(archiveSuffix))
		if first, ok := parseSegmentName(string(name)); ok && e.Type().IsRegular() && first >= begin {
			list = append(list, first)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// segment yields the records of one segment. Zeros at the end of the last one are
// room that was not written to yet.
func (s *rescue) segment(first uint64, newest bool) bool {
	f, err := openSegment(s.dir, first)
	if err != nil {
		return s.gap(first, 0, err.Error())
	}
	defer f.Close() // opened for reading only: nothing to lose
	s.fr.reset(f, 0)
	for {
		more, err := s.frame()
		if err == nil {
			if !more {
				return false
			}
			continue
		}
		if err == io.EOF {
			return true
		}
		at := s.fr.off
		next, e, found := s.behind(f, at)
		switch {
		case found:
			if !s.gap(first, at, fmt.Sprintf("%v; record %d is the next that is whole", err, e)) {
				return false
			}
			s.fr.reset(f, next)
		case newest && s.zeros(f, at):
			return true
		default:
			return s.gap(first, at, fmt.Sprintf("%v; nothing behind it in the segment is whole", err))
		}
	}
}

// frame yields the next record, if it is one.
func (s *rescue) frame() (more bool, err error) {
	b, err := s.fr.next()
	if err != nil {
		return false, err
	}
	var e Entry
	if err := decode(&e, b); err != nil {
		s.fr.pending = 0
		return false, err
	}
	if e.Seq <= s.last {
		s.fr.pending = 0
		return false, fmt.Errorf("%w: record %d comes after record %d", ErrFrame, e.Seq, s.last)
	}
	if e.Seq > s.end {
		return false, io.EOF
	}
	s.last = e.Seq
	return e.Seq <= s.done || s.yield(e, nil), nil
}

// behind finds the next record behind off: where its length begins and its number.
func (s *rescue) behind(f io.ReaderAt, off int64) (at int64, seq uint64, found bool) {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	buf := make([]byte, readChunk)
	for from := off + 1; ; from += int64(len(buf) - len(magic) + 1) {
		n, err := f.ReadAt(buf, from)
		for i, rest := 0, buf[:n]; ; {
			j := bytes.Index(rest, magic)
			if j < 0 {
				break
			}
			i, rest = i+j+1, rest[j+1:]
			if at, seq, ok := s.stands(f, off, from+int64(i)-1); ok {
				return at, seq, true
			}
		}
		if err != nil || n < len(buf) {
			return 0, 0, false
		}
	}
}

// stands reports whether a record stands at off, behind its length, that can
// follow the last one: damage began at begin, and records of at least a header
// each fit between.
func (s *rescue) stands(f io.ReaderAt, begin, off int64) (at int64, seq uint64, ok bool) {
	e, length, err := intactFrame(f, off)
	if err != nil || length == 0 || e.Seq <= s.last || e.Seq-s.last > uint64(off-begin)/HeaderSize+1 {
		return 0, 0, false
	}
	prefix := binary.AppendUvarint(nil, uint64(length))
	have := make([]byte, len(prefix))
	if at = off - int64(len(prefix)); at < begin {
		return 0, 0, false
	}
	if _, err := f.ReadAt(have, at); err != nil || !bytes.Equal(have, prefix) {
		return 0, 0, false
	}
	return at, e.Seq, true
}

// zeros reports whether nothing but zeros lies behind off.
func (s *rescue) zeros(f io.ReaderAt, off int64) bool {
	r, err := lookBehind(f, off, s.last)
	return err == nil && r.zeros
}

func (s *rescue) gap(first uint64, off int64, reason string) bool {
	s.gaps, s.said = s.gaps+1, s.last+1
	return s.yield(Entry{}, &DamageError{Segment: segmentPath(first), Offset: off, Seq: s.last + 1, Reason: reason})
}
