package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	// archiveSuffix is that of a compressed segment.
	archiveSuffix = ".zst"
	// archiveWindow is how far back a compressed segment may refer, in bytes.
	archiveWindow = 8 << 20
	// trailerSize is the length of what ends the file of a compressed segment: a
	// frame that every zstd decoder skips. It holds the CRC-32C of all that comes
	// before it, because zstd's own checksum leaves some bits of its headers out.
	trailerSize = 12
	// trailerMagic is that of a frame to skip, and trailerBody its length.
	trailerMagic = 0x184d2a5e
	trailerBody  = 4
)

// archivePath is how damage reports name a compressed segment.
func archivePath(first uint64) string {
	return filepath.Join(archiveName, segmentName(first)+archiveSuffix)
}

// listArchive returns the first sequence numbers of the compressed segments.
// A file that is still being written has another name.
func listArchive(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(filepath.Join(dir, archiveName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), tempSuffix) || e.Name() == lockName {
			continue
		}
		name, ok := strings.CutSuffix(e.Name(), archiveSuffix)
		first, numbered := parseSegmentName(name)
		if !ok || !numbered || !e.Type().IsRegular() {
			return nil, &DamageError{Segment: filepath.Join(archiveName, e.Name()), Reason: "this is not a compressed segment and does not belong here"}
		}
		list = append(list, first)
	}
	return list, nil
}

// archived reads a compressed segment as if it were not. It is made for reading
// in order; going back begins again at the start of the file.
type archived struct {
	f   *os.File
	src *io.SectionReader // f without the trailer
	z   *zstd.Decoder
	pos int64 // of z in what is decompressed
}

func openArchived(dir string, first uint64) (*archived, error) {
	a, err := openCompressed(filepath.Join(dir, archivePath(first)))
	if errors.Is(err, ErrFrame) {
		return nil, &DamageError{Segment: archivePath(first), Seq: first, Reason: err.Error()}
	}
	return a, err
}

// openCompressed opens the file of a compressed segment. It reads all of it for
// the checksum, which costs less than decompressing it. What is wrong with the
// bytes is an error that wraps ErrFrame.
func openCompressed(name string) (*archived, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	a := &archived{f: f}
	if a.src, err = checkTrailer(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// One goroutine, and no more memory than the largest window that Archive
	// writes: a foreign file cannot ask for gigabytes.
	a.z, err = zstd.NewReader(a.src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(archiveWindow), zstd.WithDecoderMaxMemory(maxSegmentSize+HeaderSize+MaxPayload+maxPrefix))
	if err != nil {
		return nil, errors.Join(a.explain(err), f.Close())
	}
	return a, nil
}

// checkTrailer compares the file of a compressed segment with the checksum at its
// end and returns what comes before that.
func checkTrailer(f *os.File) (*io.SectionReader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size() - trailerSize
	if size < 0 {
		return nil, fmt.Errorf("%w: %d bytes are no compressed segment", ErrFrame, info.Size())
	}
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, size)); err != nil {
		return nil, err
	}
	var found [trailerSize]byte
	if _, err := f.ReadAt(found[:], size); err != nil {
		return nil, err
	}
	if want := encodeTrailer(sum.Sum32()); found != want {
		return nil, fmt.Errorf("%w: the checksum of the compressed segment is %x, stored is %x", ErrFrame, want, found)
	}
	return io.NewSectionReader(f, 0, size), nil
}

// encodeTrailer returns the frame with the checksum.
func encodeTrailer(sum uint32) (b [trailerSize]byte) {
	binary.LittleEndian.PutUint32(b[0:], trailerMagic)
	binary.LittleEndian.PutUint32(b[4:], trailerBody)
	binary.LittleEndian.PutUint32(b[8:], sum)
	return b
}

// ReadAt implements io.ReaderAt.
func (a *archived) ReadAt(b []byte, off int64) (int, error) {
	if err := a.seek(off); err != nil {
		return 0, a.explain(err)
	}
	for n := 0; ; {
		m, err := a.z.Read(b[n:])
		n += m
		a.pos += int64(m)
		if err != nil || n == len(b) {
			return n, a.explain(err)
		}
	}
}

func (a *archived) seek(off int64) error {
	if off < a.pos {
		if _, err := a.src.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := a.z.Reset(a.src); err != nil {
			return err
		}
		a.pos = 0
	}
	n, err := io.CopyN(io.Discard, a.z, off-a.pos)
	a.pos += n
	return err
}

// explain makes what zstd finds wrong an error about the bytes, not about
// reading them.
func (a *archived) explain(err error) error {
	var path *fs.PathError
	if err == nil || err == io.EOF || errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%w: cannot decompress: %w", ErrFrame, err)
}

// Close implements io.Closer.
func (a *archived) Close() error {
	a.z.Close()
	return a.f.Close()
}
