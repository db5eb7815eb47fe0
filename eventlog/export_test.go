package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"

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

// Foreign runs code that changes files by itself; it is made for a
// faultdisk.Disk.
type Foreign interface {
	disk.FS
	Foreign(name string, f func() error) error
	ForeignSync(name string, f func() error) error
}

// OnDisk returns options under which a log changes files through d, tidwall/wal
// included.
func (o Options) OnDisk(d Foreign) Options {
	o.fsys = d
	o.wrap = func(s store) store {
		size := o.SegmentSize
		if size == 0 {
			size = defaultSegmentSize
		}
		return foreignStore{s, s.(*wal.Log), d, size}
	}
	return o
}

type foreignStore struct {
	store
	wal  *wal.Log
	disk Foreign
	size int // of a segment
}

// WriteBatch is one operation, or two where the batch fills the segment: then
// tidwall/wal syncs what it has written before it begins the next one.
func (s foreignStore) WriteBatch(b *wal.Batch) error {
	write := func() error { return s.store.WriteBatch(b) }
	mirror, _, ok := tailFields(s.wal)
	if !ok {
		panic("tidwall/wal has other fields than before")
	}
	data, end := batchBytes(b), mirror.Len()
	segments := reflect.ValueOf(s.wal).Elem().FieldByName("segments")
	path := segments.Index(segments.Len() - 1).Elem().FieldByName("path").String()
	name := filepath.Join(segmentsName, filepath.Base(path))
	if end+len(data) < s.size {
		return s.disk.Foreign(name, write)
	}
	if err := s.disk.Foreign(name, func() error { return overwrite(path, data, int64(end)) }); err != nil {
		return err
	}
	return s.disk.ForeignSync(name, write)
}

func (s foreignStore) Close() error { return s.disk.Foreign(segmentsName+"/close", s.store.Close) }

func overwrite(path string, data []byte, off int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, off)
	return errors.Join(err, f.Close())
}

// batchBytes returns a batch as it will be stored.
func batchBytes(b *wal.Batch) (stored []byte) {
	fields := reflect.ValueOf(b).Elem()
	entries, frames := fields.FieldByName("entries"), fields.FieldByName("datas").Bytes()
	for i := range entries.Len() {
		n := entries.Index(i).FieldByName("size").Int()
		stored, frames = appendPrefixed(stored, frames[:n]), frames[n:]
	}
	return stored
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

// SignNow signs a checkpoint of what is durable.
func (l *Log) SignNow() error { return l.notary.sign() }

// SealedRecords returns the last record that the file of the seals covers.
func SealedRecords(dir string) (uint64, error) {
	f, err := readSeals(dir, 1<<10)
	if err != nil || len(f.seals) == 0 {
		return 0, err
	}
	return f.seals[len(f.seals)-1].next - 1, nil
}

// ParseSeal and ParseClean return the stored form of what they have read, and
// whether it was accepted.
func ParseSeal(line string) (again string, ok bool) {
	s, ok := parseSeal(line)
	if !ok {
		return "", false
	}
	return s.String(), true
}

// ParseClean: see ParseSeal.
func ParseClean(text string) (again string, ok bool) {
	m, ok := parseClean(text)
	return m.String(), ok
}

// DecodeWatermark is the decoder of the watermark, EncodeWatermark its inverse.
func DecodeWatermark(b []byte) (uint64, bool) { return decodeWatermark(b) }

// EncodeWatermark: see DecodeWatermark.
func EncodeWatermark(seq uint64) []byte { b := encodeWatermark(seq); return b[:] }

// SealedSegments returns the first records of the segments that the file of the
// seals covers, and the one after them.
func SealedSegments(dir string) (list []uint64, err error) {
	f, err := readSeals(dir, 1<<10)
	list = []uint64{1}
	for _, s := range f.seals {
		if s.first != list[len(list)-1] {
			return list, errors.New("the seals do not follow each other")
		}
		list = append(list, s.next)
	}
	return list, err
}
