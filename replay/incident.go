package replay

import (
	"errors"
	"fmt"
	"math"

	"github.com/esper-plane/esper/leyline"
)

// ErrNoRollback says that a history holds no rollback.
var ErrNoRollback = errors.New("no rollback was started")

// AroundRollback finds the first rollback of src, from the record that starts
// it to the record after which it is over, other attempts included, and widens
// that by a number of records before and after, as far as there are any. A
// history without a rollback is ErrNoRollback; one that ends within the
// rollback is an error too.
func AroundRollback(src Source, before, after int) (from, to leyline.Seq, err error) {
	if before < 0 || after < 0 {
		return 0, 0, fmt.Errorf("cannot cut around a rollback with %d records before and %d after it", before, after)
	}
	w := rollbackWindow{before: before}
	for e, err := range src.All(1) {
		if err != nil {
			return 0, 0, fmt.Errorf("cannot look for a rollback: %w", err)
		}
		if w.over {
			if w.after == after {
				break
			}
			w.after++
			w.to = e.Seq
			continue
		}
		if err := w.look(e); err != nil {
			return 0, 0, fmt.Errorf("cannot look for a rollback: %w", err)
		}
	}
	switch {
	case w.from == 0:
		return 0, 0, fmt.Errorf("cannot cut around a rollback: %w in %d records up to record %d", ErrNoRollback, w.seen, w.to)
	case !w.over:
		return 0, 0, fmt.Errorf("cannot cut around a rollback: that of record %d is not over at the last record, %d", w.start, w.to)
	}
	return w.from, w.to, nil
}

// rollbackWindow follows a history until its first rollback is over.
type rollbackWindow struct {
	before, after int
	recent        []leyline.Seq // the last records before the rollback, at most before+1
	seen          uint64
	from, to      leyline.Seq // widened; to is the last record seen
	start         leyline.Seq // of the rollback
	run           leyline.RunID
	over          bool
}

func (w *rollbackWindow) look(e Entry) error {
	r, err := whole(e)
	if err != nil {
		return err
	}
	w.seen++
	w.to = e.Seq
	if w.from == 0 {
		w.recent = append(w.recent, e.Seq)
		if w.before < math.MaxInt && len(w.recent) > w.before+1 {
			w.recent = w.recent[1:]
		}
	}
	for _, ev := range r.Events {
		w.event(e.Seq, ev)
	}
	return nil
}

// event opens and closes the window. A failed attempt and the next one are in
// the same record, so only the last event of a record counts.
func (w *rollbackWindow) event(at leyline.Seq, ev leyline.Event) {
	switch x := ev.(type) {
	case leyline.RollbackStarted:
		if w.from == 0 {
			w.from, w.start, w.run = w.recent[0], at, x.Run
		}
		if x.Run == w.run {
			w.over = false
		}
	case leyline.RollbackFinished:
		if w.from != 0 && x.Run == w.run {
			w.over = true
		}
	}
}
