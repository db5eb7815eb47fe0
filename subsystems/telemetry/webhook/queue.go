package webhook

import (
	"slices"
	"time"
)

// batchMost bounds the alerts of one notification.
const batchMost = 64

func (s *Sender) enqueue(alerts []alert) {
	for _, a := range alerts {
		if len(s.queue) >= s.o.Queue {
			s.makeRoom()
		}
		s.queue = append(s.queue, a)
		signal(s.wake)
		if a.critical {
			signal(s.urgent)
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // who waits will look anyway
	}
}

// makeRoom drops the oldest alert that is not CRITICAL, else the oldest.
func (s *Sender) makeRoom() {
	i := max(slices.IndexFunc(s.queue, func(a alert) bool { return !a.critical }), 0)
	s.queue = slices.Delete(s.queue, i, i+1)
	s.lose(1)
}

func (s *Sender) lose(alerts int) {
	s.truncated += uint64(alerts)
	s.stats.Dropped += uint64(alerts)
}

// notification is what is posted at once: alerts of one group, all of them
// CRITICAL or none.
type notification struct {
	alerts   []alert // at least one
	attempts int     // that have failed
	pause    time.Duration
	due      time.Time // of the next attempt
}

func (n *notification) critical() bool { return n.alerts[0].critical }

// next returns the notification to post next, nil when nothing waits: that of the
// oldest CRITICAL alert, else the one that waits for another attempt, else that of
// the oldest alert.
func (s *Sender) next() *notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.queue, isCritical)
	switch {
	case i < 0 && s.parked != nil:
		n := s.parked
		s.parked = nil
		return n
	case len(s.queue) == 0:
		return nil
	}
	return &notification{alerts: s.take(&s.queue[max(i, 0)]), pause: firstPause}
}

func isCritical(a alert) bool { return a.critical }

func (s *Sender) criticalWaits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.queue, isCritical)
}

// take removes an alert from the queue with those of its group and urgency behind
// it, as long as none of them is told twice.
func (s *Sender) take(first *alert) (batch []alert) {
	group, critical, full := selector(first.group()), first.critical, false
	s.queue = slices.DeleteFunc(s.queue, func(a alert) bool {
		if full || a.critical != critical || selector(a.group()) != group {
			return false
		}
		again := slices.ContainsFunc(batch, func(b alert) bool { return b.Fingerprint == a.Fingerprint })
		if full = again || len(batch) == batchMost; full {
			return false
		}
		batch = append(batch, a)
		return true
	})
	return batch
}

// park keeps a notification that something CRITICAL goes before.
func (s *Sender) park(n *notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked = n
}

// giveBack returns what was not posted to the head of the queue.
func (s *Sender) giveBack(n *notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(n.alerts, s.queue...)
	for len(s.queue) > s.o.Queue {
		s.makeRoom()
	}
}
