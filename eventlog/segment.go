package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

const (
	nameDigits = 20 // tidwall/wal names a segment by its first index
	// maxPrefix is the longest length prefix of a frame that this package
	// accepts: uvarints of up to 28 bits.
	maxPrefix = 4
	// readChunk is how much a frameReader reads at a time.
	readChunk = 256 << 10
)

func segmentName(first uint64) string { return fmt.Sprintf("%0*d", nameDigits, first) }

// segmentPath is how damage reports name a segment.
func segmentPath(first uint64) string { return filepath.Join(segmentsName, segmentName(first)) }

// parseSegmentName is the inverse of segmentName.
func parseSegmentName(name string) (uint64, bool) {
	if len(name) != nameDigits {
		return 0, false
	}
	first, err := strconv.ParseUint(name, 10, 64)
	return first, err == nil && first != 0 && segmentName(first) == name
}

// listSegments returns the first sequence numbers of all segments in order,
// compressed or not, and of which log they are the rest if older ones were
// pruned. Everything else in the directory is damage: tidwall/wal would act on
// leftovers of an interrupted truncation, and esper never truncates.
func listSegments(dir string) ([]uint64, *prunedMark, error) {
	entries, err := os.ReadDir(filepath.Join(dir, segmentsName))
	if err != nil {
		return nil, nil, err
	}
	var list []uint64
	for _, e := range entries {
		first, ok := parseSegmentName(e.Name())
		if !ok || !e.Type().IsRegular() {
			return nil, nil, &DamageError{Segment: filepath.Join(segmentsName, e.Name()), Reason: "this is not a segment and does not belong here"}
		}
		list = append(list, first)
	}
	archived, err := listArchive(dir)
	if err != nil {
		return nil, nil, err
	}
	list = append(list, archived...)
	slices.Sort(list)
	list = slices.Compact(list)
	pruned, err := readPruned(dir)
	if err != nil {
		return nil, nil, err
	}
	begin := pruned.begin()
	for len(list) > 0 && list[0] < begin {
		list = list[1:] // pruned, and the process stopped before it was removed
	}
	if len(list) == 0 || list[0] != begin {
		return nil, nil, &DamageError{Segment: segmentPath(begin), Seq: begin, Reason: "the first segment is missing"}
	}
	return list, pruned, nil
}

// segmentFile is a segment that is open for reading, compressed or not.
type segmentFile interface {
	io.ReaderAt
	io.Closer
}

// openSegment opens a segment for reading. It was listed or follows from the
// records before it, so that its absence is damage. A segment that is being
// archived is under one of its two names at every moment.
func openSegment(dir string, first uint64) (segmentFile, error) {
	f, err := os.Open(filepath.Join(dir, segmentPath(first)))
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	z, err := openArchived(dir, first)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamageError{Segment: segmentPath(first), Seq: first, Reason: "the segment is missing"}
	}
	return z, err
}

// frameReader splits one segment into frames. Its memory is bounded by the
// largest frame, and by twice the bytes that are really there: a length that a
// file does not have cannot make it allocate.
type frameReader struct {
	src     io.ReaderAt
	off     int64 // offset in src of the first byte of buf[r:]
	buf     []byte
	r, w    int
	pending int // bytes of the frame that next returned last
}

// reset forgets what was read ahead and continues at offset off of src.
func (fr *frameReader) reset(src io.ReaderAt, off int64) {
	fr.src, fr.off, fr.r, fr.w, fr.pending = src, off, 0, 0, 0
}

// skip moves past the frame that next returned last, so that off is the end of
// what was accepted.
func (fr *frameReader) skip() {
	fr.r += fr.pending
	fr.off += int64(fr.pending)
	fr.pending = 0
}

// next returns the bytes of the next frame, valid until the next call. The
// frame has a sound length and magic; everything else is left to DecodeFrame.
// At the end of the file it returns io.EOF; errors that wrap ErrFrame are
// about the bytes, others about reading. After an error off stays at the
// beginning of what could not be read.
func (fr *frameReader) next() ([]byte, error) {
	fr.skip()
	b, err := fr.peek(maxPrefix + HeaderSize)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, io.EOF
	}
	size, n := binary.Uvarint(b[:min(len(b), maxPrefix)])
	if n <= 0 || size < HeaderSize || size > HeaderSize+MaxPayload || n != prefixLen(size) {
		return nil, fmt.Errorf("%w: no frame length starts here", ErrFrame)
	}
	if len(b) < n+HeaderSize {
		return nil, fmt.Errorf("%w: the file ends inside a header", ErrFrame)
	}
	if err := checkHeader(b[n:n+HeaderSize], int(size)); err != nil {
		return nil, err
	}
	b, err = fr.peek(n + int(size))
	if err != nil {
		return nil, err
	}
	if len(b) < n+int(size) {
		return nil, fmt.Errorf("%w: the file ends %d bytes before the frame does", ErrFrame, n+int(size)-len(b))
	}
	fr.pending = n + int(size)
	return b[n:fr.pending:fr.pending], nil
}

// peek returns the next n unread bytes, or fewer at the end of the file.
func (fr *frameReader) peek(n int) ([]byte, error) {
	if fr.w-fr.r >= n {
		return fr.buf[fr.r : fr.r+n], nil
	}
	return fr.fill(n)
}

func (fr *frameReader) fill(n int) ([]byte, error) {
	for fr.w-fr.r < n {
		fr.makeRoom(n)
		m, err := fr.src.ReadAt(fr.buf[fr.w:], fr.off+int64(fr.w-fr.r))
		fr.w += m
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read at offset %d: %w", fr.off, err)
		}
	}
	return fr.buf[fr.r:min(fr.r+n, fr.w)], nil
}

// makeRoom makes sure that something can be read behind w when n unread bytes
// are wanted. The buffer at most doubles, so it grows with real bytes only.
func (fr *frameReader) makeRoom(n int) {
	if fr.buf == nil {
		fr.buf = make([]byte, readChunk)
	}
	if fr.r > 0 {
		fr.w = copy(fr.buf, fr.buf[fr.r:fr.w])
		fr.r = 0
	}
	if fr.w == len(fr.buf) {
		grown := make([]byte, min(2*len(fr.buf), max(n, len(fr.buf)+1)))
		copy(grown, fr.buf[:fr.w])
		fr.buf = grown
	}
}

// prefixLen is the length of the one uvarint that tidwall/wal writes for size.
func prefixLen(size uint64) int {
	n := 1
	for ; size >= 0x80; size >>= 7 {
		n++
	}
	return n
}

// storedLen is the number of bytes that a payload takes in a segment.
func storedLen(payload int) int {
	size := HeaderSize + payload
	return prefixLen(uint64(size)) + size
}
