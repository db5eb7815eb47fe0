package worker

import (
	"slices"
)

// Stats is a consistent picture of a worker: all of it holds at one moment. At
// any time
//
//	Submitted = Queued + Running + Done + Failed + TimedOut + Cancelled.
type Stats struct {
	Options Options // in force, with defaults filled in

	Submitted uint64 // jobs accepted
	Rejected  uint64 // jobs refused by Submit, for whatever reason

	Queued  int // jobs that wait
	Running int // jobs that run and whose outcome is open

	Done, Failed, TimedOut, Cancelled uint64 // jobs ended, by state

	// Leaked is the number of jobs that have ended but whose Run has not
	// returned; LeakedNames are their names, sorted. A job that obeys its
	// context is here for a moment only.
	Leaked      int
	LeakedNames []string

	Callbacks      int    // Done functions being called now
	CallbackPanics uint64 // Done functions that panicked
	LatePanics     uint64 // panics of Run after the job had ended, which no outcome shows

	// Waited has Outcome.Queued of every job that has ended, and Ran has
	// Outcome.Ran of every one of them that had started.
	Waited, Ran Latency

	// Classes are the parts of the classes: urgent, normal, background.
	Classes [classes]Class
}

// Latency holds a histogram for each way a job can end.
type Latency struct {
	Done, Failed, TimedOut, Cancelled Histogram
}

// Of returns the histogram of a state, or nil for one that is no end.
func (l *Latency) Of(s State) *Histogram {
	switch s {
	case Done:
		return &l.Done
	case Failed:
		return &l.Failed
	case TimedOut:
		return &l.TimedOut
	case Cancelled:
		return &l.Cancelled
	}
	return nil
}

// All returns the histogram of all ends together.
func (l *Latency) All() Histogram {
	all := l.Done
	all.Merge(&l.Failed)
	all.Merge(&l.TimedOut)
	all.Merge(&l.Cancelled)
	return all
}

// Class is the part of one class in Stats. At any time
//
//	Submitted = Queued + Running + Waited.Count().
type Class struct {
	Priority  Priority
	Submitted uint64 // jobs accepted
	Full      uint64 // jobs refused because as many waited as may
	Queued    int    // jobs that wait
	QueuedMax int    // the most that waited at once after a submission
	Running   int    // jobs that run and whose outcome is open
	Leaked    int    // jobs that have ended but whose Run has not returned
	Waited    Histogram
}

// Stats returns the counters. It copies some four kilobytes, and the cost grows
// with the number of leaked jobs.
func (w *Worker) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, t := w.stats, w.totals()
	s.Options = w.o
	s.Running, s.Leaked, s.Callbacks = t.running, t.leaked, t.callbacks()
	s.LeakedNames = w.leakedNames()
	for i := range s.Classes {
		c := &s.Classes[i]
		c.Priority = Urgent - Priority(i)
		c.Queued, c.Running, c.Leaked = w.queue.lanes[i].jobs.Len(), w.use[i].running, w.use[i].leaked
		s.Queued += c.Queued
	}
	return s
}

// leakedNames returns the sorted names of leaked jobs. It needs w.mu.
func (w *Worker) leakedNames() []string {
	var names []string
	for j := range w.leaked {
		names = append(names, j.Name)
	}
	slices.Sort(names)
	return names
}

// count adds the outcome of a job to the counters. It needs w.mu.
func (s *Stats) count(p Priority, o Outcome) {
	switch o.State {
	case Done:
		s.Done++
	case Failed:
		s.Failed++
	case TimedOut:
		s.TimedOut++
	case Cancelled:
		s.Cancelled++
	}
	s.Waited.Of(o.State).observe(o.Queued)
	s.Classes[p.lane()].Waited.observe(o.Queued)
	if o.Started {
		s.Ran.Of(o.State).observe(o.Ran)
	}
}
