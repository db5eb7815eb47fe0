package eventlog

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// tail is the segment that is being written. tidwall/wal writes the records
// through a descriptor of its own; this one syncs them, outside tidwall/wal's
// lock, and writes zeros ahead of them: a sync that changes neither the length
// of the file nor its blocks costs two thirds of one that does (measured on
// ext4).
type tail struct {
	f     disk.File
	first uint64 // number in its name
	// size is where the next record goes.
	// Invariant: less than Options.SegmentSize between two appends, so that
	// tidwall/wal begins a new segment exactly where write expects it.
	size int64
	// filled is the length of the file: zeros lie from size to it.
	// Invariant: at most Options.SegmentSize, unless it is size, so that a
	// segment that is full has no zeros at its end.
	filled int64
}

const (
	// roomAhead is how many zeros are written at once.
	roomAhead = 1 << 20
	// largeGroup is the number of bytes from which a group is written without
	// zeros before it: its own transfer costs more than what zeros save.
	largeGroup = 128 << 10
)

func (t *tail) open(fsys disk.FS, dir string) error {
	f, err := fsys.OpenFile(filepath.Join(dir, segmentPath(t.first)), os.O_RDWR, filePerm)
	t.f = f
	return err
}

// close may be called more than once.
func (t *tail) close() error {
	if t.f == nil {
		return nil
	}
	err := t.f.Close()
	t.f = nil
	return err
}

// prepare makes room for n bytes, if that is worth it, in a file that may grow
// to limit. The zeros become durable with the next sync, or not: recovery cuts
// what is behind the last record.
func (t *tail) prepare(n int, limit int64) error {
	end := t.size + int64(n)
	if end <= t.filled {
		return nil
	}
	room := min(end+roomAhead, limit)
	if n >= largeGroup || room <= end {
		t.filled = end
		return nil
	}
	t.filled = room
	_, err := t.f.WriteAt(zeros(room-end), end)
	if isFull(err) {
		return nil // without room ahead; whether the records fit, their own write tells
	}
	return err
}

// isFull reports whether an error says that the disk, a quota or a limit has no
// space left.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

var zeroRoom [roomAhead]byte

func zeros(n int64) []byte { return zeroRoom[:n] }

// trim cuts the zeros off.
func (t *tail) trim() error {
	if t.filled == t.size {
		return nil
	}
	if err := t.f.Truncate(t.size); err != nil {
		return err
	}
	t.filled = t.size
	return t.f.Sync()
}
