package eventlog

import (
	"bytes"
	"encoding/binary"
	"path/filepath"

	"github.com/tidwall/wal"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// FailNextWrite makes the next write of l fail with cause.
func (l *Log) FailNextWrite(cause error) { l.store = failingStore{l.store, cause} }

// FailNextDirSync makes the next sync of a directory fail.
func (l *Log) FailNextDirSync(cause error) { l.fsys = failingDirs{l.fsys, cause} }

// OnDirSync calls f before each sync of a directory.
func (l *Log) OnDirSync(f func()) { l.fsys = heardDirs{l.fsys, f} }

// BeforeSync calls f with each batch when it is written but not yet synced.
func (l *Log) BeforeSync(f func()) { l.store = slowStore{l.store, f} }

// Tail returns what the log believes about its tail segment.
func (l *Log) Tail() (name string, size int) { return segmentName(l.tail.first), int(l.tail.size) }

// BufferIsLent reports whether tidwall/wal mirrors the tail in memory of l.
func (l *Log) BufferIsLent() bool {
	bytes, _, ok := tailFields(l.wal)
	return ok && cap(bytes.Bytes()) > l.opts.SegmentSize
}

// OnDisk returns options under which a log changes files through fsys, and
// tidwall/wal writes through foreign.
func (o Options) OnDisk(fsys disk.FS, foreign func(name string, f func() error) error) Options {
	o.fsys = fsys
	o.wrap = func(s store) store { return foreignStore{s, foreign} }
	return o
}

type foreignStore struct {
	store
	run func(name string, f func() error) error
}

func (s foreignStore) WriteBatch(b *wal.Batch) error {
	return s.run(segmentsName, func() error { return s.store.WriteBatch(b) })
}

func (s foreignStore) Close() error {
	return s.run(filepath.Join(segmentsName, "close"), s.store.Close)
}

type failingStore struct {
	store
	cause error
}

func (s failingStore) WriteBatch(*wal.Batch) error { return s.cause }

type slowStore struct {
	store
	f func()
}

func (s slowStore) WriteBatch(b *wal.Batch) error {
	err := s.store.WriteBatch(b)
	s.f()
	return err
}

type failingDirs struct {
	disk.FS
	cause error
}

func (d failingDirs) SyncDir(string) error { return d.cause }

type heardDirs struct {
	disk.FS
	f func()
}

func (d heardDirs) SyncDir(dir string) error { d.f(); return d.FS.SyncDir(dir) }

// Reseal gives a frame a matching checksum.
func Reseal(frame []byte) {
	binary.LittleEndian.PutUint32(frame[offCRC:], frameCRC(frame))
}

// Scanned is what scanning the bytes of a segment found.
type Scanned struct {
	Next      uint64
	End, Size int64
	Damaged   bool
	Torn      bool
}

// ScanBytes scans a segment that is held in memory.
func ScanBytes(b []byte, first uint64) (Scanned, error) {
	s, err := scanSegment(new(frameReader), bytes.NewReader(b), first, anyTime, nil)
	return Scanned{s.next, s.end, s.size, s.damage != nil, s.torn}, err
}
