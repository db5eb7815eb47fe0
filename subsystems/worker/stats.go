package worker

import (
	"slices"
	"time"
)

// Stats is a consistent picture of a worker. At any time
//
//	Submitted = Queued + Running + Done + Failed + TimedOut + Cancelled.
type Stats struct {
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

	// Sums and maxima over all jobs that have ended; see Outcome.
	QueuedTotal, QueuedMax time.Duration
	RanTotal, RanMax       time.Duration
}

// Stats returns the counters. The cost grows with the number of leaked jobs.
func (w *Worker) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Queued, s.Running = w.queue.Len(), w.running
	s.Leaked, s.LeakedNames = len(w.leaked), w.leakedNames()
	s.Callbacks = w.callbacks[fromQueue] + w.callbacks[fromRun]
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

// count adds an outcome to the counters. It needs w.mu.
func (s *Stats) count(o Outcome) {
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
	s.QueuedTotal += o.Queued
	s.QueuedMax = max(s.QueuedMax, o.Queued)
	s.RanTotal += o.Ran
	s.RanMax = max(s.RanMax, o.Ran)
}
