package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidwall/wal"

	"github.com/esper-plane/esper/eventlog/internal/disk"
	"github.com/esper-plane/esper/eventlog/tree"
)

// Log is a log that is open for writing. Append and Close exclude each other;
// the other methods may be called at any time and never wait for a write.
type Log struct {
	dir      string
	opts     Options
	fsys     disk.FS
	origin   Origin
	recovery Report

	originSeq uint64 // number of the record that holds origin

	// state is what readers see. Invariant: state.durable never passes a
	// record that is not on the disk, and never decreases.
	state atomic.Pointer[state]

	mu       sync.Mutex // held by Append and Close, also while they sync
	lock     *os.File   // nil after Close
	mark     disk.File  // the watermark file
	store    store
	wal      *wal.Log // what store ends in
	buffer   tailBuffer
	tail     tail
	lastAt   int64    // time of the last durable record
	lastLeaf [32]byte // its leaf hash
	lastKind Kind
	failure  error // why the log is poisoned
	closeErr error // what the first Close returned
	frames   frames
	batch    wal.Batch

	merkle merkle
	sealer *sealer
	notary *notary // nil: the log signs nothing
}

// state is immutable; a new one replaces it.
type state struct {
	durable uint64        // last durable record
	err     error         // why no more records will come
	changed chan struct{} // closed when the state is replaced
}

// store is the part of tidwall/wal that a log uses. Each call is made under
// Log.mu, and none after one that failed.
type store interface {
	// WriteBatch writes and does not sync; what is in the file after an error
	// is unknown.
	WriteBatch(b *wal.Batch) error
	// ClearCache frees the memory of segments before the tail.
	ClearCache() error
	// Close syncs and closes the tail segment.
	Close() error
}

// Create makes a log with the origin as record 1 and opens it. The directory
// may exist; a log in it gives ErrExists. The commit point is the rename of
// segments.new: if we stop before, Open returns ErrNotFound and Create can be
// called again; if we stop after, the log exists and Open recovers it.
func Create(dir string, o Origin, at int64, opts Options) (*Log, error) {
	payload, err := o.MarshalBinary()
	if err != nil {
		return nil, err
	}
	if opts, err = opts.withDefaults(); err != nil {
		return nil, err
	}
	if err := makeDir(opts.disk(), dir); err != nil {
		return nil, fmt.Errorf("cannot create %s: %w", dir, err)
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	l, err := create(dir, Entry{Seq: 1, At: at, Kind: KindOrigin, Payload: payload, Lag: 1}, lock, opts)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

func create(dir string, first Entry, lock *os.File, opts Options) (*Log, error) {
	err := checkFormat(dir)
	if err == nil {
		err = checkCommitted(dir)
	}
	if err == nil {
		return nil, fmt.Errorf("%w: in %s", ErrExists, dir)
	}
	if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	mark, err := build(opts.disk(), dir, AppendFrame(nil, first))
	if err != nil {
		return nil, fmt.Errorf("cannot create a log in %s: %w", dir, err)
	}
	// From here on the log exists as if its writer had closed it.
	if err := writeClean(opts.disk(), dir, mark); err != nil {
		return nil, fmt.Errorf("cannot create a log in %s: %w", dir, err)
	}
	return openLocked(dir, lock, opts)
}

// build writes a log of one record and commits it.
func build(fsys disk.FS, dir string, frame []byte) (cleanMark, error) {
	mark := cleanMark{seq: 1, leaf: LeafHash(frame), tail: segmentName(1)}
	var t tree.Frontier
	t.Append(nil, tree.LeafHash(mark.leaf))
	entry := appendPrefixed(nil, frame)
	mark.root, mark.size = t.Root(), int64(len(entry))
	format := filepath.Join(dir, formatName)
	if err := replaceFile(fsys, format+tempSuffix, format, strings.NewReader(formatText)); err != nil {
		return mark, err
	}
	building := filepath.Join(dir, buildingName)
	if err := fsys.RemoveAll(building); err != nil {
		return mark, err
	}
	if err := makeDir(fsys, building); err != nil {
		return mark, err
	}
	if err := writeSynced(fsys, filepath.Join(building, mark.tail), bytes.NewReader(entry)); err != nil {
		return mark, err
	}
	if err := fsys.SyncDir(building); err != nil {
		return mark, err
	}
	if err := fsys.Rename(building, filepath.Join(dir, segmentsName)); err != nil {
		return mark, err
	}
	return mark, fsys.SyncDir(dir)
}
