package eventlog

import (
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
)

// Reader reads a log without writing to it, taking a lock, or disturbing a
// writer. It may be used by several goroutines.
type Reader struct {
	dir    string
	origin Origin
	report Report
	closed atomic.Bool
}

// OpenReader opens a log for reading. If a writer has it open, the reader sees
// the records up to the watermark that the writer publishes. If nobody has:
// behind a clean-shutdown marker any damage is a *DamageError; without it a
// torn tail is passed over and Report tells of it. Only the end of the log is
// checked here; All checks what it reads.
func OpenReader(dir string) (*Reader, error) {
	if err := checkFormat(dir); err != nil {
		return nil, err
	}
	if err := checkCommitted(dir); err != nil {
		return nil, err
	}
	r := &Reader{dir: dir}
	if err := r.findEnd(); err != nil {
		return nil, err
	}
	return r, nil
}

// findEnd finds out up to where the log may be read. A writer may come or go
// meanwhile, so an answer counts only if one was there, or was not, before and
// after; and damage counts only when it is seen twice.
func (r *Reader) findEnd() error {
	const attempts = 8
	for i := range attempts {
		before, err := writerAlive(r.dir)
		if err != nil {
			return err
		}
		if before {
			err = r.liveEnd()
		} else {
			err = r.restingEnd()
		}
		after, aliveErr := writerAlive(r.dir)
		if aliveErr != nil {
			return aliveErr
		}
		if before == after && (err == nil || i > 0) {
			return err
		}
	}
	return fmt.Errorf("%w: writers of %s come and go too fast", ErrLocked, r.dir)
}

// restingEnd looks at a log that nobody writes.
func (r *Reader) restingEnd() error {
	v, err := look(r.dir, false)
	if err != nil {
		return err
	}
	if r.report, err = v.judge(lenience{lost: true}); err != nil {
		return err
	}
	if r.origin, err = v.readOrigin(r.dir); err != nil {
		return err
	}
	n, err := v.checkNote(r.dir, r.origin)
	var damage *DamageError
	if errors.As(err, &damage) && n != nil && uint64(n.checkpoint.Size) > v.seq {
		r.report.Lost, r.report.Reason = max(r.report.Lost, uint64(n.checkpoint.Size)-v.seq), damage.Reason
		return nil
	}
	return err
}

// liveEnd reads what has no seal yet up to the watermark, for the time of the
// last record and for the origin.
func (r *Reader) liveEnd() error {
	mark, err := readWatermark(r.dir)
	if err != nil {
		return err
	}
	if mark.seq == 0 {
		return fmt.Errorf("%w: %s is being opened by a writer and says not yet how far it can be read", ErrLocked, r.dir)
	}
	v := new(survey)
	if v.list, v.pruned, err = listSegments(r.dir); err != nil {
		return err
	}
	f, err := readSeals(r.dir, len(v.list)+v.prunedSegments())
	if err != nil {
		return err
	}
	from := v.pruned.begin()
	if n := len(f.seals); n > 0 {
		v.origin, from = f.seals[n-1].origin, min(f.seals[n-1].next, mark.seq)
	}
	r.report = Report{Live: true, FirstSeq: v.pruned.begin()}
	for e, err := range readRange(r.dir, from, mark.seq) {
		if err != nil {
			return err
		}
		r.report.LastSeq, r.report.LastAt = e.Seq, e.At
		if e.Kind == KindOrigin {
			v.origin = e.Seq
		}
	}
	r.origin, err = v.readOrigin(r.dir)
	return err
}

// Origin returns the content of record 1.
func (r *Reader) Origin() Origin { return r.origin.clone() }

// Report tells in what state the log was when the reader was opened.
func (r *Reader) Report() Report { return r.report }

// All yields the records from the given one, 0 meaning the first, up to
// Report().LastSeq, or on a live log up to the watermark at the beginning of
// the iteration. The payload of an entry is valid until the next step. An
// error is the last thing yielded.
func (r *Reader) All(from uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if r.closed.Load() {
			yield(Entry{}, ErrClosed)
			return
		}
		last := r.report.LastSeq
		if r.report.Live {
			mark, err := readWatermark(r.dir)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			last = max(last, mark.seq)
		}
		readRange(r.dir, r.report.start(from), last)(yield)
	}
}

// Close makes later reads return ErrClosed. It is idempotent.
func (r *Reader) Close() error {
	r.closed.Store(true)
	return nil
}
