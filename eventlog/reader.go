package eventlog

import (
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
	report, err := findEnd(dir)
	if err != nil {
		return nil, err
	}
	origin, err := readOrigin(dir)
	if err != nil {
		return nil, err
	}
	return &Reader{dir: dir, origin: origin, report: report}, nil
}

// findEnd finds out up to where the log may be read. A writer may come or go
// meanwhile, so an answer counts only if one was there, or was not, before and
// after; and damage counts only when it is seen twice.
func findEnd(dir string) (Report, error) {
	const attempts = 8
	var r Report
	for i := range attempts {
		before, err := writerAlive(dir)
		if err != nil {
			return r, err
		}
		r, err = findEndIf(dir, before)
		after, aliveErr := writerAlive(dir)
		if aliveErr != nil {
			return r, aliveErr
		}
		if before == after && (err == nil || i > 0) {
			return r, err
		}
	}
	return r, fmt.Errorf("%w: writers of %s come and go too fast", ErrLocked, dir)
}

func findEndIf(dir string, live bool) (Report, error) {
	if live {
		return liveEnd(dir)
	}
	v, err := look(dir, false)
	if err != nil {
		return Report{}, err
	}
	return v.judge(lenience{lost: true})
}

// liveEnd reads the record at the watermark, for its time.
func liveEnd(dir string) (Report, error) {
	r := Report{Live: true, FirstSeq: 1}
	seq, err := readWatermark(dir)
	if err != nil {
		return r, err
	}
	if seq == 0 {
		return r, fmt.Errorf("%w: %s is being opened by a writer and says not yet how far it can be read", ErrLocked, dir)
	}
	for e, err := range readRange(dir, seq, seq) {
		if err != nil {
			return r, err
		}
		r.LastSeq, r.LastAt = e.Seq, e.At
	}
	return r, nil
}

// Origin returns the content of record 1.
func (r *Reader) Origin() Origin { return r.origin.clone() }

// Report tells in what state the log was when the reader was opened.
func (r *Reader) Report() Report { return r.report }

// All yields the records from the given one, 0 meaning 1, up to
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
			seq, err := readWatermark(r.dir)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			last = max(last, seq)
		}
		readRange(r.dir, from, last)(yield)
	}
}

// Close makes later reads return ErrClosed. It is idempotent.
func (r *Reader) Close() error {
	r.closed.Store(true)
	return nil
}
