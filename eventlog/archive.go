package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// archiveSuffix is that of a compressed segment.
const archiveSuffix = ".zst"

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
	z   *zstd.Decoder
	pos int64 // of z in what is decompressed
}

func openArchived(dir string, first uint64) (*archived, error) {
	f, err := os.Open(filepath.Join(dir, archivePath(first)))
	if err != nil {
		return nil, err
	}
	// One goroutine, and no more memory than the largest window that Archive
	// writes: a foreign file cannot ask for gigabytes.
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(archiveWindow), zstd.WithDecoderMaxMemory(maxSegmentSize+HeaderSize+MaxPayload+maxPrefix))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &archived{f: f, z: z}, nil
}

// archiveWindow is how far back a compressed segment may refer, in bytes.
const archiveWindow = 8 << 20

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
		if _, err := a.f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := a.z.Reset(a.f); err != nil {
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
