package eventlog

import (
	"errors"
	"fmt"
	"iter"
	"math"
)

// Salvage yields the records of a log from the given one on, 0 meaning the first
// that is there, also where OpenReader refuses it: then it yields what can be read
// before the damage, and the *DamageError last. Every frame is checked as by All,
// but records of a damaged log that come after the last checkpoint may be missing
// or surplus, and nobody should act on them. The payload of an entry is valid until
// the next step. It changes nothing and takes no lock.
func Salvage(dir string, from uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r, err := OpenReader(dir)
		if err == nil {
			salvageWhole(r, from, yield)
			return
		}
		var d *DamageError
		if !errors.As(err, &d) {
			yield(Entry{}, err)
			return
		}
		if from == 0 {
			from = firstKept(dir)
		}
		for e, readErr := range readRange(dir, from, math.MaxUint64-1) {
			if readErr != nil {
				break // at the latest behind the last record
			}
			if !yield(e, nil) {
				return
			}
		}
		yield(Entry{}, err)
	}
}

// firstKept is the first record that was not pruned, as far as that can be told.
func firstKept(dir string) uint64 {
	p, err := readPruned(dir)
	if err != nil {
		return firstThere(dir)
	}
	return p.begin()
}

// salvageWhole yields the records of a log that a reader accepts, and at the end
// what is lost behind them.
func salvageWhole(r *Reader, from uint64, yield func(Entry, error) bool) {
	for e, err := range r.All(from) {
		if !yield(e, err) || err != nil {
			return
		}
	}
	if p := r.report; p.Lost > 0 {
		yield(Entry{}, &DamageError{Segment: p.TornSegment, Offset: p.TornOffset, Seq: p.LastSeq + 1, Reason: fmt.Sprintf("%d acknowledged records are lost: %s", p.Lost, p.Reason)})
	}
}
