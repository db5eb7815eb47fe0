package plane

import (
	"context"
	"sync"

	"github.com/esper-plane/esper/leyline"
)

// turns lets the callers of a run go one after the other. Files of snapshots are read by
// a few workers that all runs share: without turns one run could hold every one of them.
type turns struct {
	mu   sync.Mutex
	runs map[leyline.RunID]*turn
}

// turn is the place of a run.
type turn struct {
	taken chan struct{} // holds one while somebody has it
	n     int           // who has it or waits for it
}

// take waits for the turn of a run; leave gives it to the next. The error is that of ctx.
func (t *turns) take(ctx context.Context, run leyline.RunID) (leave func(), err error) {
	x := t.join(run)
	select {
	case x.taken <- struct{}{}:
		return func() { <-x.taken; t.part(run, x) }, nil
	case <-ctx.Done():
		t.part(run, x)
		return nil, ctx.Err()
	}
}

func (t *turns) join(run leyline.RunID) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.runs == nil {
		t.runs = map[leyline.RunID]*turn{}
	}
	x := t.runs[run]
	if x == nil {
		x = &turn{taken: make(chan struct{}, 1)}
		t.runs[run] = x
	}
	x.n++
	return x
}

func (t *turns) part(run leyline.RunID, x *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.n--; x.n == 0 {
		delete(t.runs, run)
	}
}
