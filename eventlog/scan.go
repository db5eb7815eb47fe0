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
	// origin is the number of the last origin record in it, 0 if none.
	origin uint64
	// damage is why the scan stopped before the end of the file, nil if it
	// did not. torn says that it may be the remains of an unfinished write:
	// no frame at or after end proves that what is missing was acknowledged.
	// zeros says that nothing but zeros is there.
	damage *DamageError
	torn   bool
	zeros  bool
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
	case e.Seq == 1 && e.Kind != KindOrigin:
		return fmt.Errorf("it is of kind %v", e.Kind)
	case e.Seq > 1 && e.Kind == KindOrigin:
		return o.checkSuccession(e)
	}
	return nil
}

// checkSuccession accepts an origin record behind record 1 only as the first
// record of a log that was restored up to the record before it.
func (o order) checkSuccession(e *Entry) error {
	var next Origin
	switch err := next.UnmarshalBinary(e.Payload); {
	case err != nil:
		return err
	case next.Previous == nil || next.Previous.Size != e.Seq-1:
		return fmt.Errorf("it is of kind %v and does not continue record %d", e.Kind, e.Seq-1)
	}
	return nil
}

// scanSegment reads a whole segment through fr, whose memory it reuses, checks
// every frame and hands the good ones to visit. The error is about reading;
// what is wrong with the bytes is in the result.
func scanSegment(fr *frameReader, src io.ReaderAt, first uint64, at int64, visit func(frame []byte)) (segmentScan, error) {
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
				if visit != nil {
					visit(frame)
				}
				s.accept(fr, &e)
				continue
			}
		}
		return s, s.stop(src, err, frame)
	}
}

// accept counts the frame that fr has just returned.
func (s *segmentScan) accept(fr *frameReader, e *Entry) {
	fr.skip()
	s.end = fr.off
	s.next, s.at = e.Seq+1, e.At
	if e.Kind == KindOrigin {
		s.origin = e.Seq
	}
}

// stop records why the scan ends before the file does, and whether that can
// have come from a write that was never acknowledged. frame is what was refused,
// nil if it has not the form of a frame.
func (s *segmentScan) stop(src io.ReaderAt, cause error, frame []byte) error {
	intact := frame != nil && frameCRC(frame) == binary.LittleEndian.Uint32(frame[offCRC:])
	s.damage = &DamageError{Segment: segmentPath(s.first), Offset: s.end, Seq: s.next, Reason: cause.Error()}
	rest, err := lookBehind(src, s.end, s.next)
	s.size, s.zeros = rest.size, rest.zeros
	switch {
	case err != nil:
		return err
	case intact:
	case rest.acknowledged >= s.next:
		s.damage.Reason += fmt.Sprintf("; record %d follows and was written when record %d had been acknowledged, so this is not an unfinished write", rest.witness, rest.acknowledged)
	default:
		s.torn = true
	}
	return nil
}

// remains is what lies behind the last valid record of a segment.
type remains struct {
	size  int64 // of the whole file
	zeros bool  // nothing but zeros
	// witness is the intact frame that proves most, acknowledged the record
	// that it proves to have been acknowledged; 0 if there is none.
	witness, acknowledged uint64
}

// lookBehind reads src from off to its end and looks for intact frames that are
// numbered above least. Zeros and noise cost one pass; memory is bounded.
func lookBehind(src io.ReaderAt, off int64, least uint64) (remains, error) {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	buf := make([]byte, readChunk)
	r, begin := remains{zeros: true}, off
	for {
		n, err := src.ReadAt(buf, off)
		if err != nil && err != io.EOF {
			return r, err
		}
		r.zeros = r.zeros && allZero(buf[:n])
		for i := bytes.Index(buf[:n], magic); i >= 0; {
			if err := r.weigh(src, begin, off+int64(i), least); err != nil {
				return r, err
			}
			j := bytes.Index(buf[i+1:n], magic)
			if j < 0 {
				break
			}
			i += 1 + j
		}
		if n < len(buf) {
			r.size = off + int64(n)
			return r, nil
		}
		// A magic may lie across the border of two chunks.
		off += int64(n - len(magic) + 1)
	}
}

// weigh notes what the frame at off proves, if it is intact and where a writer
// would have put a frame: behind its length, and with a number that as many
// frames as fit before it can lead up to. A payload may hold other frames.
func (r *remains) weigh(src io.ReaderAt, begin, off int64, least uint64) error {
	e, length, err := intactFrame(src, off)
	if err != nil || length == 0 || e.Seq <= least || e.Seq-least > uint64(off-begin)/HeaderSize {
		return err
	}
	prefix := binary.AppendUvarint(nil, uint64(length))
	have := make([]byte, len(prefix))
	if off-int64(len(prefix)) < begin {
		return nil
	}
	if _, err := src.ReadAt(have, off-int64(len(prefix))); err != nil {
		return notEOF(err)
	}
	if a := e.Acknowledged(); bytes.Equal(have, prefix) && a > r.acknowledged {
		r.witness, r.acknowledged = e.Seq, a
	}
	return nil
}

// intactFrame returns number and lag of the frame at off, and its length, if the
// frame is whole; else the length is 0.
func intactFrame(src io.ReaderAt, off int64) (e Entry, length int64, err error) {
	var h [HeaderSize]byte
	if n, err := src.ReadAt(h[:], off); n < len(h) {
		return e, 0, notEOF(err)
	}
	payload := int64(binary.LittleEndian.Uint32(h[offLength:]))
	if payload > MaxPayload {
		return e, 0, nil
	}
	sum := crc32.New(castagnoli)
	sum.Write(h[:offCRC])
	sum.Write(h[offSeq:])
	n, err := io.Copy(sum, io.NewSectionReader(src, off+HeaderSize, payload))
	if err != nil {
		return e, 0, err
	}
	if n != payload || sum.Sum32() != binary.LittleEndian.Uint32(h[offCRC:]) {
		return e, 0, nil
	}
	return Entry{Seq: binary.LittleEndian.Uint64(h[offSeq:]), Lag: binary.LittleEndian.Uint16(h[offLag:])}, HeaderSize + payload, nil
}

var zeroPage [4 << 10]byte

func allZero(b []byte) bool {
	for len(b) > len(zeroPage) {
		if !bytes.Equal(b[:len(zeroPage)], zeroPage[:]) {
			return false
		}
		b = b[len(zeroPage):]
	}
	return bytes.Equal(b, zeroPage[:len(b)])
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
