package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidwall/wal"
)

// Open opens an existing log for writing. Behind seals and a clean-shutdown
// marker it reads the last segment only, so that its cost does not grow with the
// log; the package comment says what each kind of damage yields and when it is
// noticed. It returns ErrNotFound, ErrLocked, ErrVersion, or a
// *DamageError, in which case nothing was changed.
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
	v, err := look(dir, opts.CheckAll)
	if err != nil {
		return nil, err
	}
	report, err := v.judge(lenience{lost: opts.AcceptLoss, follows: opts.AcceptLoss})
	if err != nil {
		return nil, err
	}
	origin, err := v.readOrigin(dir)
	if err != nil {
		return nil, err
	}
	note, err := v.checkNote(dir, origin)
	if err != nil {
		return nil, err
	}
	if err := opts.Checkpoints.check(origin); err != nil {
		return nil, err
	}
	if v.clean == nil {
		if err := v.mend(opts.disk(), dir, &report, opts.Logger); err != nil {
			return nil, err
		}
	}
	l := &Log{dir: dir, opts: opts, fsys: opts.disk(), origin: origin, originSeq: v.origin, recovery: report, lock: lock,
		lastAt: v.at, lastLeaf: v.leaf, lastKind: v.kind, tail: tail{first: v.tail.first, size: v.tail.end, filled: v.tail.end}}
	l.merkle.start(v)
	l.state.Store(&state{durable: v.seq, changed: make(chan struct{})})
	if err := l.start(v); err != nil {
		return nil, fmt.Errorf("cannot open the log in %s: %w", dir, err)
	}
	l.startNotary(note)
	return l, nil
}

// start opens what the log writes to. The clean marker goes last, before the
// watermark moves: if we stop earlier the log is as it was closed or mended.
func (l *Log) start(v *survey) (err error) {
	if l.sealer, err = startSealer(l.fsys, l.dir, v); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.sealer.close())
		}
	}()
	if l.tail.size >= int64(l.opts.SegmentSize) {
		if err := l.beginSegment(v); err != nil {
			return err
		}
	}
	if err := l.tail.open(l.fsys, l.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.tail.close())
		}
	}()
	if err := l.openStore(v.seq); err != nil {
		return err
	}
	err = removeDurably(l.fsys, filepath.Join(l.dir, cleanName))
	if err == nil {
		err = l.startWatermark()
	}
	if err != nil {
		return errors.Join(err, l.store.Close())
	}
	return nil
}

// openStore opens tidwall/wal, which must find the records that the scan found.
func (l *Log) openStore(last uint64) error {
	w, err := wal.Open(filepath.Join(l.dir, segmentsName), &wal.Options{
		NoSync:           true, // write syncs the tail itself
		AllowEmpty:       true, // all records may be in the archive
		SegmentSize:      l.opts.SegmentSize,
		LogFormat:        wal.Binary,
		SegmentCacheSize: 1,
		DirPerms:         dirPerm,
		FilePerms:        filePerm,
	})
	if err != nil {
		return err
	}
	if found, err := w.LastIndex(); err != nil || found != last {
		return errors.Join(err, fmt.Errorf("tidwall/wal ends at %d, the scan at %d", found, last), w.Close())
	}
	l.store, l.wal = w, w
	if l.opts.wrap != nil {
		l.store = l.opts.wrap(w)
	}
	l.lendBuffer()
	return nil
}

// beginSegment adds an empty tail segment where the old tail is full already.
func (l *Log) beginSegment(v *survey) error {
	// A clean marker names the last segment.
	if err := removeDurably(l.fsys, filepath.Join(l.dir, cleanName)); err != nil {
		return err
	}
	next := v.seq + 1
	if err := writeSynced(l.fsys, filepath.Join(l.dir, segmentPath(next)), strings.NewReader("")); err != nil {
		return err
	}
	if err := l.fsys.SyncDir(filepath.Join(l.dir, segmentsName)); err != nil {
		return err
	}
	s := seal{first: l.tail.first, next: next, bytes: l.tail.size, at: v.at, origin: v.origin, tree: v.tree.Clone()}
	l.tail = tail{first: next}
	return l.sealer.store(freshSeal{s, l.merkle.cut(next)})
}

func (l *Log) startWatermark() error {
	mark, err := l.fsys.OpenFile(filepath.Join(l.dir, watermarkName), os.O_CREATE|os.O_RDWR, filePerm)
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

// readOrigin decodes the last origin record.
func (v *survey) readOrigin(dir string) (Origin, error) {
	if v.origin < v.pruned.begin() {
		return decodeOrigin(prunedName, v.origin, v.pruned.origin)
	}
	frame, err := readFrame(dir, v.origin)
	if err != nil {
		return Origin{}, err
	}
	return decodeOrigin(segmentsName, v.origin, frame)
}

func decodeOrigin(file string, seq uint64, frame []byte) (Origin, error) {
	var o Origin
	e, err := DecodeFrame(frame)
	if err == nil && (e.Kind != KindOrigin || e.Seq != seq) {
		err = fmt.Errorf("%w: record %d of kind %v is not origin record %d", ErrFrame, e.Seq, e.Kind, seq)
	}
	if err == nil {
		err = o.UnmarshalBinary(e.Payload)
	}
	if err != nil {
		return o, &DamageError{Segment: file, Seq: seq, Reason: err.Error()}
	}
	return o, nil
}
