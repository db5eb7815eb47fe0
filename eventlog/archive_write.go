package eventlog

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// ArchiveOptions says what Archive leaves alone. The zero value is good.
type ArchiveOptions struct {
	// KeepRaw is how many of the newest sealed segments stay as they are, beside
	// the last one, which has no seal. Less than 1 means 1: tidwall/wal does not
	// open a log of which nothing is left but an empty segment.
	KeepRaw int
}

// ArchiveReport tells what Archive did.
type ArchiveReport struct {
	Segments int   // compressed by this call, or taken over from one that was stopped
	Before   int64 // their length, in bytes
	After    int64 // that of their compressed files
	Archived int   // all segments that are compressed now
	Kept     int   // sealed segments that are not
	// Unsealed counts the segments before the last one that have no seal yet.
	// The writer is about to seal them; they are left for the next call.
	Unsealed int
}

// Archive compresses the sealed segments of a log, oldest first, into archive/.
// Records, hashes, seals and proofs stay as they are, and every reader reads
// them as before. It may run beside a writer, whose lock it does not take, and
// beside readers; a second Archive gives ErrLocked.
//
// Each compressed file is synced, read back, and compared with the seal before it
// gets its name; only then the raw segment is removed. If we stop at any step the
// segment is there raw, compressed or both, and the next call goes on. A segment
// that is not as it was sealed gives a *DamageError and stays.
//
// It reads and decompresses everything it writes, and needs the room of one
// compressed segment.
func Archive(dir string, o ArchiveOptions) (ArchiveReport, error) {
	return archive(disk.OS{}, dir, o)
}

func archive(fsys disk.FS, dir string, o ArchiveOptions) (r ArchiveReport, err error) {
	if err := checkLog(dir); err != nil {
		return r, err
	}
	if err := makeDir(fsys, filepath.Join(dir, archiveName)); err != nil {
		return r, err
	}
	lock, err := acquire(filepath.Join(dir, archiveName))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	a := archiver{fsys: fsys, dir: dir}
	if err := a.plan(o); err != nil {
		return a.report, err
	}
	for _, s := range a.todo {
		if err := a.compress(s); err != nil {
			return a.report, fmt.Errorf("cannot archive %s: %w", segmentPath(s.first), err)
		}
	}
	return a.report, nil
}

// checkLog says whether there is a log that was committed.
func checkLog(dir string) error {
	if err := checkFormat(dir); err != nil {
		return err
	}
	return checkCommitted(dir)
}

type archiver struct {
	fsys   disk.FS
	dir    string
	seals  []seal // all of them, in order
	todo   []seal // of the segments to compress
	report ArchiveReport
}

// plan finds the segments that have a seal, are not the last one and still have
// a raw file.
func (a *archiver) plan(o ArchiveOptions) error {
	list, pruned, err := listSegments(a.dir)
	if err != nil {
		return err
	}
	f, err := readSeals(a.dir, len(list)+pruned.segments())
	if err != nil {
		return err
	}
	a.seals = f.seals
	var raw []seal
	for _, first := range list[:len(list)-1] {
		s := a.sealOf(first)
		there, err := exists(filepath.Join(a.dir, segmentPath(first)))
		switch {
		case err != nil:
			return err
		case !there:
			a.report.Archived++
		case s == nil:
			a.report.Unsealed++
		default:
			raw = append(raw, *s)
		}
	}
	a.report.Kept = min(max(o.KeepRaw, 1), len(raw))
	a.todo = raw[:len(raw)-a.report.Kept]
	return nil
}

func (a *archiver) sealOf(first uint64) *seal { return findSeal(a.seals, first) }

// findSeal returns the seal of the segment that begins with first, or nil.
func findSeal(seals []seal, first uint64) *seal {
	i, ok := slices.BinarySearchFunc(seals, first, func(s seal, first uint64) int {
		switch {
		case s.first < first:
			return -1
		case s.first > first:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &seals[i]
}

// compress moves one segment. Whoever looks for it finds it at every moment: the
// compressed file has its name before the raw one loses its own.
func (a *archiver) compress(s seal) error {
	raw, packed := filepath.Join(a.dir, segmentPath(s.first)), filepath.Join(a.dir, archivePath(s.first))
	done, err := a.isPacked(packed, s)
	if err != nil {
		return err
	}
	if !done {
		if err := a.pack(raw, packed+tempSuffix); err != nil {
			return err
		}
		if err := checkPacked(packed+tempSuffix, a.seals, s); err != nil {
			return err
		}
		if err := a.fsys.Rename(packed+tempSuffix, packed); err != nil {
			return err
		}
	}
	// Also of a file that was found: its name may not be durable yet.
	if err := a.fsys.SyncDir(filepath.Dir(packed)); err != nil {
		return err
	}
	info, err := os.Lstat(packed)
	if err != nil {
		return err
	}
	if err := removeDurably(a.fsys, raw); err != nil {
		return err
	}
	a.report.Segments, a.report.Archived = a.report.Segments+1, a.report.Archived+1
	a.report.Before, a.report.After = a.report.Before+s.bytes, a.report.After+info.Size()
	return nil
}

// isPacked reports whether a call that was stopped has left a good compressed
// file. One that is not good is written again: the raw one is still there.
func (a *archiver) isPacked(packed string, s seal) (bool, error) {
	there, err := exists(packed)
	if err != nil || !there {
		return false, err
	}
	var damage *DamageError
	err = checkPacked(packed, a.seals, s)
	if errors.As(err, &damage) {
		return false, nil
	}
	return err == nil, err
}

// pack compresses a file into another one, durably.
func (a *archiver) pack(raw, temp string) error {
	src, err := os.Open(raw)
	if err != nil {
		return err
	}
	defer src.Close() // opened for reading only: nothing to lose
	f, err := a.fsys.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, filePerm)
	if err != nil {
		return err
	}
	err = packTo(f, src)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// packTo writes what openCompressed reads.
func packTo(f io.Writer, src io.Reader) error {
	out, sum := bufio.NewWriterSize(f, readChunk), crc32.New(castagnoli)
	z, err := zstd.NewWriter(io.MultiWriter(out, sum), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(archiveWindow),
		zstd.WithEncoderCRC(true), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, src); err != nil {
		return errors.Join(err, z.Close())
	}
	if err := z.Close(); err != nil {
		return err
	}
	trailer := encodeTrailer(sum.Sum32())
	if _, err := out.Write(trailer[:]); err != nil {
		return err
	}
	return out.Flush()
}

// checkPacked reads a compressed file and compares every record and the tree up
// to its end with the seal.
func checkPacked(name string, seals []seal, s seal) error {
	z, err := openCompressed(name)
	if errors.Is(err, ErrFrame) {
		return &DamageError{Segment: archivePath(s.first), Seq: s.first, Reason: err.Error()}
	}
	if err != nil {
		return err
	}
	c := scannerBefore(seals, s.first)
	return errors.Join(c.checkSeal(z, s), z.Close())
}

// scannerBefore returns a scanner that goes on with the segment that begins with
// first, after those that are sealed. That first is 1, or follows one of the
// seals, is for the caller to know.
func scannerBefore(seals []seal, first uint64) *scanner {
	c := &scanner{at: anyTime, collect: true}
	for _, s := range slices.Backward(seals) {
		if s.next == first {
			c.tree, c.at, c.origin = s.tree.Clone(), s.at, s.origin
			break
		}
	}
	return c
}

// file scans one segment that is open.
func (c *scanner) file(f io.ReaderAt, first uint64) (segmentScan, error) {
	c.hashes, c.leaves = nil, nil
	got, err := scanSegment(&c.fr, f, first, c.at, c.visit)
	if err != nil {
		return got, fmt.Errorf("cannot scan %s: %w", segmentPath(first), err)
	}
	c.at = got.at
	if got.origin != 0 {
		c.origin = got.origin
	}
	if got.damage != nil {
		return got, got.damage
	}
	return got, nil
}

// checkSeal scans a segment and says whether it is the one that was sealed.
func (c *scanner) checkSeal(f io.ReaderAt, s seal) error {
	got, err := c.file(f, s.first)
	if err != nil {
		return err
	}
	if now := c.sealed(got); now.String() != s.String() {
		return &DamageError{Segment: segmentPath(s.first), Offset: got.end, Seq: s.first,
			Reason: fmt.Sprintf("the segment holds the records %d to %d in %d bytes, and is not the one that was sealed with the records %d to %d in %d bytes",
				s.first, got.next-1, got.end, s.first, s.next-1, s.bytes)}
	}
	return nil
}
