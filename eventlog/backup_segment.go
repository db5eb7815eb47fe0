package eventlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// segment makes sure that dst has a segment: all of it, if next says where the
// one after it begins, and otherwise up to the last record.
func (c *copier) segment(first, next uint64) error {
	s := findSeal(c.known, first)
	if s != nil && s.next == next {
		held, err := c.holds(*s)
		if err != nil {
			return err
		}
		if held {
			c.scan.tree, c.scan.at, c.scan.origin = s.tree.Clone(), s.at, s.origin
			c.next, c.end = s.next, tailMark{s.first, s.bytes, s.next - 1}
			c.kept++
			return nil
		}
	}
	if n := len(c.known); s == nil && n > 0 && first < c.known[n-1].next {
		return fmt.Errorf("%w: no segment of %s begins with record %d", ErrForked, c.dst, first)
	}
	if first != c.next {
		return &DamageError{Segment: segmentPath(first), Seq: c.next, Reason: fmt.Sprintf("the segment begins with record %d, the one before it ends with record %d", first, c.next-1)}
	}
	if err := c.bring(first, next); err != nil {
		return err
	}
	return c.verify(first, next, s)
}

// holds reports whether dst has the file of a sealed segment.
func (c *copier) holds(s seal) (bool, error) {
	info, err := os.Lstat(filepath.Join(c.dst, segmentPath(s.first)))
	if err == nil {
		return info.Size() == s.bytes, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return exists(filepath.Join(c.dst, archivePath(s.first)))
}

// bring writes the file of a segment into dst. A compressed one is taken as it
// is, unless dst has some of its records already.
func (c *copier) bring(first, next uint64) error {
	raw, err := storedAs(c.src, first)
	if err != nil {
		return err
	}
	begun, err := exists(filepath.Join(c.dst, segmentPath(first)))
	if err != nil {
		return err
	}
	if next != 0 && raw != segmentPath(first) && !begun {
		name := archivePath(first)
		if err := copyFile(c.fsys, filepath.Join(c.src, name), filepath.Join(c.dst, name)); err != nil {
			return err
		}
		size, err := sizeOf(filepath.Join(c.dst, name))
		c.copied, c.bytes = c.copied+1, c.bytes+size
		return err
	}
	before := c.bytes
	if err := c.bringFrames(first); err != nil {
		return err
	}
	if c.bytes > before {
		c.copied++
	} else {
		c.kept++
	}
	return nil
}

// bringFrames copies frames up to the last record into the raw file of a segment,
// behind what dst has of it.
func (c *copier) bringFrames(first uint64) error {
	src, err := openSegment(c.src, first)
	if err != nil {
		return err
	}
	defer src.Close() // opened for reading only: nothing to lose
	at := int64(0)
	if c.held.first == first {
		at = c.held.bytes
	}
	path := filepath.Join(c.dst, segmentPath(first))
	name := path
	if at == 0 {
		// What is there may be better than what comes. See replaceFile.
		name = filepath.Join(c.dst, rewriteName)
		if err := c.fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := c.fsys.OpenFile(name, os.O_CREATE|os.O_RDWR, filePerm)
	if err != nil {
		return err
	}
	err = c.writeFrames(f, src, first, at)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if name != path {
		if err := c.fsys.Rename(name, path); err != nil {
			return err
		}
	}
	return errors.Join(c.fsys.SyncDir(filepath.Dir(path)), c.fsys.SyncDir(c.dst))
}

func (c *copier) writeFrames(f disk.File, src io.ReaderAt, first uint64, at int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < at {
		return &DamageError{Segment: filepath.Join(c.dst, segmentPath(first)), Offset: info.Size(), Reason: fmt.Sprintf("it has %d bytes, and had %d when the backup was finished", info.Size(), at)}
	}
	if info.Size() > at {
		if err := f.Truncate(at); err != nil {
			return err
		}
	}
	if c.held.first == first && c.held.last >= c.last {
		return nil // behind it src may have what is not acknowledged
	}
	out := bufio.NewWriterSize(io.NewOffsetWriter(f, at), readChunk)
	n, err := copyFrames(out, src, first, at, c.last)
	c.bytes += n
	if err != nil {
		return err
	}
	return out.Flush()
}

// copyFrames copies the frames of a segment from offset at to the end, or to
// record last. It checks their form; order and sums are checked in the copy.
func copyFrames(out io.Writer, src io.ReaderAt, first uint64, at int64, last uint64) (n int64, err error) {
	var fr frameReader
	fr.reset(src, at)
	for {
		frame, err := fr.next()
		if err == io.EOF {
			return n, nil
		}
		e, ok := Entry{}, err == nil
		if ok {
			err = decode(&e, frame)
		}
		switch {
		case err != nil && !errors.Is(err, ErrFrame) && !errors.Is(err, ErrVersion):
			return n, fmt.Errorf("cannot read %s: %w", segmentPath(first), err)
		case err != nil:
			return n, &DamageError{Segment: segmentPath(first), Offset: fr.off, Reason: err.Error()}
		case e.Seq > last:
			return n, nil
		}
		stored := appendPrefixed(nil, frame)
		if _, err := out.Write(stored); err != nil {
			return n, err
		}
		if n += int64(len(stored)); e.Seq == last {
			return n, nil
		}
	}
}

// verify reads a segment of dst and seals it there, if it is whole.
func (c *copier) verify(first, next uint64, known *seal) error {
	f, err := openSegment(c.dst, first)
	if err != nil {
		return err
	}
	got, err := c.scan.file(f, first)
	if err == nil {
		err = c.nameOrigins(f, first, got)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	c.next, c.end = got.next, tailMark{first, got.end, got.next - 1}
	if next == 0 {
		return nil
	}
	if got.next != next {
		return &DamageError{Segment: segmentPath(first), Offset: got.end, Seq: got.next, Reason: fmt.Sprintf("the segment ends here, but the next one is %s", segmentName(next))}
	}
	s := c.scan.sealed(got)
	if err := c.checkHashes(s); err != nil {
		return err
	}
	for _, w := range []*seal{findSeal(c.witness, first), known} {
		if w != nil && w.next == next && !c.lenient && w.String() != s.String() {
			return &DamageError{Segment: segmentPath(first), Seq: first, Reason: "the segment is whole, but not the one that was sealed"}
		}
	}
	if known != nil {
		return nil
	}
	c.known = append(c.known, s)
	return c.sealer.store(freshSeal{s, c.scan.hashes})
}

// checkHashes compares the hashes that src has stored for a sealed segment with
// those of its records. They are not copied, but somebody may want to mend them.
func (c *copier) checkHashes(s seal) error {
	if c.lenient || findSeal(c.witness, s.first) == nil {
		return nil
	}
	return compareHashes(c.src, s, c.scan.hashes)
}

// nameOrigins notes the names of the logs whose records these are, and whether
// the last of them was used.
func (c *copier) nameOrigins(f io.ReaderAt, first uint64, got segmentScan) error {
	if got.origin == 0 && len(c.names) < 2 {
		return nil // a log that was never restored: only names matter
	}
	_, err := scanSegment(new(frameReader), f, first, anyTime, func(frame []byte) {
		var o Origin
		switch kind := Kind(frame[offKind]); {
		case kind == KindTransition:
			c.since++
		case kind == KindOrigin && o.UnmarshalBinary(frame[HeaderSize:]) == nil:
			c.names, c.since = append(c.names, o.Name), 0
		}
	})
	return err
}
