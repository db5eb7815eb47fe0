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
)

// Log is a log that is open for writing. Append and Close exclude each other;
// the other methods may be called at any time and never wait for a write.
type Log struct {
	dir      string
	opts     Options
	origin   Origin
	recovery Report

	// state is what readers see. Invariant: state.durable never passes a
	// record that is not on the disk, and never decreases.
	state atomic.Pointer[state]

	mu       sync.Mutex // held by Append and Close, also while they sync
	lock     *os.File   // nil after Close
	mark     *os.File   // the watermark file
	store    store
	syncDir  func(dir string) error
	lastAt   int64    // time of the last durable record
	lastLeaf [32]byte // its leaf hash
	tail     uint64   // number in the name of the tail segment
	// tailSize is the length of the tail segment.
	// Invariant: less than opts.SegmentSize between two appends, so that
	// tidwall/wal begins a new segment exactly where write expects it.
	tailSize int
	failure  error // why the log is poisoned
	closeErr error // what the first Close returned
	frame    []byte
	batch    wal.Batch
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
	// WriteBatch writes and syncs; what is on the disk after an error is
	// unknown.
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
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("cannot create %s: %w", dir, err)
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	l, err := create(dir, Entry{Seq: 1, At: at, Kind: KindOrigin, Payload: payload}, lock, opts)
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
	mark, err := build(dir, AppendFrame(nil, first))
	if err != nil {
		return nil, fmt.Errorf("cannot create a log in %s: %w", dir, err)
	}
	// From here on the log exists as if its writer had closed it.
	if err := writeClean(dir, mark); err != nil {
		return nil, fmt.Errorf("cannot create a log in %s: %w", dir, err)
	}
	return openLocked(dir, lock, opts)
}

// build writes a log of one record and commits it.
func build(dir string, frame []byte) (cleanMark, error) {
	mark := cleanMark{seq: 1, leaf: LeafHash(frame), tail: segmentName(1)}
	entry := appendPrefixed(nil, frame)
	mark.size = int64(len(entry))
	format := filepath.Join(dir, formatName)
	if err := replaceFile(format+".new", format, strings.NewReader(formatText)); err != nil {
		return mark, err
	}
	building := filepath.Join(dir, buildingName)
	if err := os.RemoveAll(building); err != nil {
		return mark, err
	}
	if err := makeDir(building); err != nil {
		return mark, err
	}
	if err := writeSynced(filepath.Join(building, mark.tail), bytes.NewReader(entry)); err != nil {
		return mark, err
	}
	if err := syncDir(building); err != nil {
		return mark, err
	}
	if err := os.Rename(building, filepath.Join(dir, segmentsName)); err != nil {
		return mark, err
	}
	return mark, syncDir(dir)
}

// Open opens an existing log for writing. Every frame of every segment is
// checked first; the package comment says what each kind of damage yields. It
// returns ErrNotFound, ErrLocked, ErrVersion, or a *DamageError, in which case
// nothing was changed.
func Open(dir string, opts Options) (*Log, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkFormat(dir); err != nil {
		return nil, err
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	l, err := openLocked(dir, lock, opts)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

func openLocked(dir string, lock *os.File, opts Options) (*Log, error) {
	if err := checkFormat(dir); err != nil {
		return nil, err
	}
	if err := checkCommitted(dir); err != nil {
		return nil, err
	}
	v, err := look(dir, true)
	if err != nil {
		return nil, err
	}
	report, err := v.judge(lenience{lost: opts.AcceptLoss, follows: opts.AcceptLoss})
	if err != nil {
		return nil, err
	}
	origin, err := readOrigin(dir)
	if err != nil {
		return nil, err
	}
	if v.clean == nil {
		if err := v.mend(dir, &report, opts.Logger); err != nil {
			return nil, err
		}
	}
	l := &Log{dir: dir, opts: opts, origin: origin, recovery: report, lock: lock, syncDir: syncDir,
		lastAt: v.at, lastLeaf: v.leaf, tail: v.tail.first, tailSize: int(v.tail.size)}
	l.state.Store(&state{durable: v.seq, changed: make(chan struct{})})
	if err := l.start(); err != nil {
		return nil, fmt.Errorf("cannot open the log in %s: %w", dir, err)
	}
	return l, nil
}

// start opens what the log writes to. The clean marker goes last, before the
// watermark moves: if we stop earlier the log is as it was closed or mended.
func (l *Log) start() (err error) {
	if l.tailSize >= l.opts.SegmentSize {
		next := l.state.Load().durable + 1
		if err := l.beginSegment(next); err != nil {
			return err
		}
		l.tail, l.tailSize = next, 0
	}
	w, err := wal.Open(filepath.Join(l.dir, segmentsName), &wal.Options{
		SegmentSize:      l.opts.SegmentSize,
		LogFormat:        wal.Binary,
		SegmentCacheSize: 1,
		DirPerms:         dirPerm,
		FilePerms:        filePerm,
	})
	if err != nil {
		return err
	}
	l.store = w
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if last, err := w.LastIndex(); err != nil || last != l.state.Load().durable {
		return errors.Join(err, fmt.Errorf("tidwall/wal ends at %d, the scan at %d", last, l.state.Load().durable))
	}
	if err := removeDurably(filepath.Join(l.dir, cleanName)); err != nil {
		return err
	}
	return l.startWatermark()
}

// beginSegment adds an empty tail segment where the old tail is full already.
func (l *Log) beginSegment(first uint64) error {
	if err := writeSynced(filepath.Join(l.dir, segmentPath(first)), strings.NewReader("")); err != nil {
		return err
	}
	return syncDir(filepath.Join(l.dir, segmentsName))
}

func (l *Log) startWatermark() error {
	mark, err := os.OpenFile(filepath.Join(l.dir, watermarkName), os.O_CREATE|os.O_RDWR, filePerm)
	if err != nil {
		return err
	}
	// A longer file would not be a watermark. Only this first one is synced:
	// after AcceptLoss the higher one before it must not come back.
	err = mark.Truncate(watermarkSize)
	if err == nil {
		err = publishWatermark(mark, l.state.Load().durable)
	}
	if err == nil {
		err = mark.Sync()
	}
	if err != nil {
		return errors.Join(err, mark.Close())
	}
	l.mark = mark
	return nil
}

// readOrigin decodes record 1.
func readOrigin(dir string) (Origin, error) {
	var o Origin
	frame, err := readFrame(dir, 1)
	if err != nil {
		return o, err
	}
	if err := o.UnmarshalBinary(frame[HeaderSize:]); err != nil {
		return o, &DamageError{Segment: segmentPath(1), Seq: 1, Reason: err.Error()}
	}
	return o, nil
}

// Close closes the log and leaves the clean-shutdown marker, durably. A
// poisoned log is closed without the marker and the error says so. Close is
// idempotent: later calls return what the first one did.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lock == nil {
		return l.closeErr
	}
	l.closeErr = l.finish()
	l.publish(l.state.Load().durable, ErrClosed)
	// Closing the descriptor releases the locks, so it comes last.
	l.closeErr = errors.Join(l.closeErr, l.mark.Close(), l.lock.Close())
	l.lock = nil
	return l.closeErr
}

func (l *Log) finish() error {
	if l.failure != nil {
		// Not l.store.Close: it would sync again what has failed to sync.
		return l.failure
	}
	if err := l.store.Close(); err != nil {
		return fmt.Errorf("cannot close the log in %s: %w", l.dir, err)
	}
	return writeClean(l.dir, cleanMark{
		seq: l.state.Load().durable, leaf: l.lastLeaf,
		tail: segmentName(l.tail), size: int64(l.tailSize),
	})
}
