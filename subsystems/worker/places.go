package worker

import "time"

// Where a job was when its outcome became known.
//
// enum: local because they index an array of the worker and never leave it.
const (
	fromQueue = iota
	fromRun
)

// usage is what jobs hold of the places of a worker.
type usage struct {
	running int // jobs started whose outcome is open
	held    int // jobs started of which Run or Done has not returned
	leaked  int // jobs started whose outcome is known and whose Run has not returned
	// calling counts Done functions being called, by where their job ended. One
	// from the queue keeps its place there until it has returned.
	calling [2]int
}

// callbacks is the number of Done functions being called.
func (u usage) callbacks() int { return u.calling[fromQueue] + u.calling[fromRun] }

// totals adds up the classes. It needs w.mu.
func (w *Worker) totals() usage {
	var t usage
	for _, u := range w.use {
		t.running += u.running
		t.held += u.held
		t.leaked += u.leaked
		t.calling[fromQueue] += u.calling[fromQueue]
		t.calling[fromRun] += u.calling[fromRun]
	}
	return t
}

// vacant reports whether one more job of a class may start; the package comment
// has the rule. Nothing starts once the worker is closed. It needs w.mu.
func (w *Worker) vacant(p Priority) bool {
	c, all := w.o.Concurrency, w.totals()
	if w.closed || all.running >= c || all.held >= 2*c {
		return false
	}
	if p == Urgent {
		return true
	}
	urgent := w.use[Urgent.lane()]
	return all.running-urgent.running < c-w.o.Reserved && all.held-urgent.held < 2*c-w.o.Reserved
}

// full reports whether a job of a class can neither start nor wait. It needs w.mu.
func (w *Worker) full(p Priority) bool {
	waiting := w.queue.lanes[p.lane()].jobs.Len() + w.use[p.lane()].calling[fromQueue]
	return waiting >= w.o.Queue && !w.vacant(p)
}

// dispatch starts queued jobs while there is room. It needs w.mu.
func (w *Worker) dispatch() {
	for {
		j, shared := w.next()
		if j == nil {
			return
		}
		if j.ctx.Err() != nil { // its hook has not come through yet
			w.settle(j, 0, nil)
			go w.finish(j, fromQueue)
			continue
		}
		w.queue.drop(j)
		if shared {
			w.queue.passed(j.Priority.lane())
		}
		j.started = time.Now()
		use := &w.use[j.Priority.lane()]
		use.running++
		use.held++
		go w.run(j)
	}
}

// vacate gives back the place of a job once its Run and its Done have returned; it
// is called after each of them. A job that never started has none, and its Run does
// not return. It needs w.mu.
func (w *Worker) vacate(j *job) {
	if j.returned && j.notified {
		w.use[j.Priority.lane()].held--
	}
}

// next returns the job to start now, or nil, and whether its place is one that
// every class may take. It needs w.mu.
func (w *Worker) next() (j *job, shared bool) {
	switch {
	case w.vacant(Normal):
		return w.queue.next(), true
	case w.vacant(Urgent):
		return w.queue.urgent(), false
	}
	return nil, false
}

// Reconfigure replaces the options of a live worker, as if it had been made with
// them; a zero field takes its default. The error is that of New or ErrClosed,
// and then nothing has changed.
//
// What may start now starts at once. Nothing that was accepted is taken back:
// jobs that run beyond a smaller Concurrency run on and none starts before enough
// of them have ended, and jobs that wait beyond a smaller Queue wait on and none
// is accepted before enough of them have left.
func (w *Worker) Reconfigure(o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	w.o = o
	w.dispatch()
	return nil
}
