package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// segmentScan is what is known about one segment after reading all of it.
type segmentScan struct {
	first uint64 // sequence number in its name
	next  uint64 // the number after its last valid record
	at    int64  // time of the last valid record, here or before
	end   int64  // offset after the last valid record
	size  int64  // length of the file
	// last is where the last valid frame starts, and lastLen how long it is;
	// lastLen is 0 if the segment has none.
	last    int64
	lastLen int
	// damage is why the scan stopped before the end of the file, nil if it
	// did not. torn says that it may be the remains of an unfinished write:
	// no intact frame is at or after end.
	damage *DamageError
	torn   bool
}

// order is what the next record must continue.
type order struct {
	seq uint64 // expected number
	at  int64  // least time
}

// anyTime is the least time where nothing came before.
const anyTime = math.MinInt64

// check decodes a frame that has passed checkHeader into e, and refuses it
// unless it is the record that comes next.
func (o order) check(e *Entry, frame []byte) error {
	if err := decode(e, frame); err != nil {
		return err
	}
	switch {
	case e.Seq != o.seq:
		return fmt.Errorf("record %d is in its place", e.Seq)
	case e.At < o.at:
		return fmt.Errorf("its time %d is before that of the record before it, %d", e.At, o.at)
	case (e.Kind == KindOrigin) != (e.Seq == 1):
		return fmt.Errorf("it is of kind %v", e.Kind)
	}
	return nil
}

// scanSegment reads a whole segment through fr, whose memory it reuses, and
// checks every frame. The error is about reading; what is wrong with the bytes
// is in the result.
func scanSegment(fr *frameReader, src io.ReaderAt, first uint64, at int64) (segmentScan, error) {
	s := segmentScan{first: first, next: first, at: at}
	fr.reset(src, 0)
	for {
		frame, err := fr.next()
		if err == io.EOF {
			s.size = s.end
			return s, nil
		}
		if err != nil && !errors.Is(err, ErrFrame) {
			return s, err
		}
		if err == nil {
			var e Entry
			if err = (order{s.next, s.at}).check(&e, frame); err == nil {
				s.accept(fr, len(frame), &e)
				continue
			}
		}
		return s, s.stop(src, err, frame)
	}
}

// accept counts the frame that fr has just returned.
func (s *segmentScan) accept(fr *frameReader, frameLen int, e *Entry) {
	fr.skip()
	s.end = fr.off
	s.last, s.lastLen = s.end-int64(frameLen), frameLen
	s.next, s.at = e.Seq+1, e.At
}

// stop records why the scan ends before the file does, and whether that can
// have come from a write that was never acknowledged. frame is what was refused,
// nil if it has not the form of a frame.
func (s *segmentScan) stop(src io.ReaderAt, cause error, frame []byte) error {
	intact := frame != nil && frameCRC(frame) == binary.LittleEndian.Uint32(frame[offCRC:])
	s.damage = &DamageError{Segment: segmentPath(s.first), Offset: s.end, Seq: s.next, Reason: cause.Error()}
	found, size, err := findFrame(src, s.end, s.next)
	s.size = size
	switch {
	case err != nil:
		return err
	case intact:
	case found != 0:
		s.damage.Reason += fmt.Sprintf("; an intact record %d follows, so this is not an unfinished write", found)
	default:
		s.torn = true
	}
	return nil
}

// leaf reads the last valid frame again and hashes it.
func (s *segmentScan) leaf(src io.ReaderAt) ([32]byte, error) {
	frame := make([]byte, s.lastLen)
	if _, err := src.ReadAt(frame, s.last); err != nil {
		return [32]byte{}, fmt.Errorf("cannot read record %d again: %w", s.next-1, err)
	}
	return LeafHash(frame), nil
}

// findFrame looks for an intact frame at or after off with a sequence number
// of at least least. It returns its number, or 0, and the size of src. Zeros
// and noise cost one pass; memory is bounded.
func findFrame(src io.ReaderAt, off int64, least uint64) (seq uint64, size int64, err error) {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	buf := make([]byte, readChunk)
	for {
		n, err := src.ReadAt(buf, off)
		if err != nil && err != io.EOF {
			return 0, off, err
		}
		for i := 0; seq == 0; i++ {
			j := bytes.Index(buf[i:n], magic)
			if j < 0 {
				break
			}
			i += j
			if seq, err = intactFrame(src, off+int64(i), least); err != nil {
				return 0, off, err
			}
		}
		if n < len(buf) {
			return seq, off + int64(n), nil
		}
		// A magic may lie across the border of two chunks.
		off += int64(n - len(magic) + 1)
	}
}

// intactFrame returns the sequence number of the frame at off if it is whole
// and numbered at least least, else 0.
func intactFrame(src io.ReaderAt, off int64, least uint64) (uint64, error) {
	var h [HeaderSize]byte
	if n, err := src.ReadAt(h[:], off); n < len(h) {
		return 0, notEOF(err)
	}
	length := int64(binary.LittleEndian.Uint32(h[offLength:]))
	seq := binary.LittleEndian.Uint64(h[offSeq:])
	if length > MaxPayload || seq < least {
		return 0, nil
	}
	sum := crc32.New(castagnoli)
	sum.Write(h[:offCRC])
	sum.Write(h[offSeq:])
	n, err := io.Copy(sum, io.NewSectionReader(src, off+HeaderSize, length))
	if err != nil {
		return 0, err
	}
	if n != length || sum.Sum32() != binary.LittleEndian.Uint32(h[offCRC:]) {
		return 0, nil
	}
	return seq, nil
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
