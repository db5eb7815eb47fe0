package eventlog

import (
	"bytes"
	"encoding/binary"

	"github.com/tidwall/wal"
)

// FailNextWrite makes the next write of l fail with cause.
func (l *Log) FailNextWrite(cause error) { l.store = failingStore{l.store, cause} }

// FailNextDirSync makes the next sync of the segment directory fail.
func (l *Log) FailNextDirSync(cause error) { l.syncDir = func(string) error { return cause } }

// OnDirSync calls f before each sync of the segment directory.
func (l *Log) OnDirSync(f func()) {
	l.syncDir = func(dir string) error { f(); return syncDir(dir) }
}

// BeforeSync calls f with each batch when it is on the disk but not yet
// acknowledged.
func (l *Log) BeforeSync(f func()) { l.store = slowStore{l.store, f} }

// Tail returns what the log believes about its tail segment.
func (l *Log) Tail() (name string, size int) { return segmentName(l.tail), l.tailSize }

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
	s, err := scanSegment(new(frameReader), bytes.NewReader(b), first, anyTime)
	return Scanned{s.next, s.end, s.size, s.damage != nil, s.torn}, err
}
