package telemetry

import (
	"context"
	"fmt"
	"sync"

	"github.com/esper-plane/esper/leyline"
)

// Delivery is one packet as it is handed to a subscriber.
type Delivery struct {
	Packet leyline.Packet
	Index  int    // its place among the packets of its record; -1 for a notice, which no record holds
	After  Cursor // what the subscriber has with this packet
}

// SlowError says that a subscriber was cut off: its CRITICAL lane was full, and
// no CRITICAL packet may be lost. It was handed everything that waited for it;
// with After it can come back and be served from the log.
type SlowError struct {
	After leyline.Seq // the last record of which the subscriber was handed what it wants
}

func (e *SlowError) Error() string {
	return fmt.Sprintf("the subscriber was too slow and is cut off after record %d; nothing is lost when it comes back with that number", e.After)
}

// The lanes of a subscription.
const (
	laneCritical = iota
	laneHigh
	laneNormal
	lanes
)

func laneOf(p leyline.Priority) int {
	switch p {
	case leyline.PriorityCritical:
		return laneCritical
	case leyline.PriorityHigh:
		return laneHigh
	}
	return laneNormal
}

// queue is a lane with what its reader has to be told.
type queue struct {
	lane
	lost loss   // that the reader was not told of yet
	tell uint64 // the next notice is due when this many packets were delivered, or none wait
}

// due reports whether the reader is to be told of a loss now. A reader that stays
// slow is told at most once per quarter of a lane, lest the notices slow it down
// further.
func (q *queue) due() bool {
	return q.lost.packets > 0 && (q.queued == 0 || q.delivered >= q.tell)
}

// Subscription is one reader's place in the streams of a hub. Its methods are
// for one goroutine; Close may be called from any.
type Subscription struct {
	hub    *Hub
	filter Filter
	wake   chan struct{} // holds one signal when something may have come
	past   *history      // nil when live; owned by the reader

	mu     sync.Mutex // guards everything below
	lanes  [lanes]queue
	capped loss        // held back by the emergency cap, not told yet
	start  leyline.Seq // live since this record
	upto   leyline.Seq // the last record that was offered
	err    error       // why it has ended; told when nothing waits any more
}

func newSubscription(h *Hub, f Filter) *Subscription {
	s := &Subscription{hub: h, filter: f, wake: make(chan struct{}, 1)}
	s.lanes[laneCritical].limit = h.limits.Critical
	s.lanes[laneHigh].limit = h.limits.High
	s.lanes[laneNormal].limit = h.limits.Normal
	return s
}

// Next returns the next packet and waits for it as long as the context allows.
// Live packets come CRITICAL before HIGH before NORMAL, packets from the log in
// its order. When HIGH or NORMAL packets were lost to a full lane, a notice says
// how many and between which records. The error is a *SlowError, ErrClosed, that
// of the context, or that of the log; after any but the context's the
// subscription is over.
func (s *Subscription) Next(ctx context.Context) (Delivery, error) {
	if s.past != nil {
		d, more, err := s.fromLog(ctx)
		if more || err != nil {
			return d, err
		}
	}
	for {
		if d, ok, err := s.take(); ok || err != nil {
			return d, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		}
	}
}

// take hands out what waits, the most urgent first.
func (s *Subscription) take() (Delivery, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lanes {
		if i > laneCritical {
			if p, told := s.notice(i); told {
				return Delivery{p, -1, s.cursor()}, true, nil
			}
		}
		if p, ok := s.lanes[i].pop(); ok {
			return Delivery{p.Packet, p.index, s.cursor()}, true, nil
		}
	}
	return Delivery{}, false, s.err
}

// notice returns what is to be told before a packet of a lane is handed out.
func (s *Subscription) notice(i int) (leyline.Packet, bool) {
	q, priority := &s.lanes[i], leyline.PriorityNormal
	if i == laneHigh {
		priority = leyline.PriorityHigh
		if s.capped.packets > 0 {
			l := s.capped
			s.capped = loss{}
			return l.packet(causeCap, priority), true
		}
	}
	if !q.due() {
		return leyline.Packet{}, false
	}
	l := q.lost
	q.lost, q.tell = loss{}, q.delivered+uint64(q.limit+3)/4
	return l.packet(causeSlow, priority), true
}

// cursor returns what the reader has: of a lane in which packets wait those
// before the oldest, of another everything that was offered.
func (s *Subscription) cursor() Cursor {
	at := func(i int) Position {
		if q := &s.lanes[i]; q.queued > 0 {
			oldest := &q.ring[q.head]
			return Position{oldest.Seq, oldest.index}
		}
		return Position{Seq: s.upto + 1}
	}
	return Cursor{at(laneCritical), at(laneHigh), at(laneNormal)}
}

// Waiting reports whether Next would return at once, without waiting for anyone
// and without reading the log.
func (s *Subscription) Waiting() bool { return s.past != nil && s.past.waiting() || s.waits() }

func (s *Subscription) waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lanes {
		if s.lanes[i].queued > 0 || s.lanes[i].lost.packets > 0 {
			return true
		}
	}
	return s.capped.packets > 0 || s.err != nil
}

// Close ends the subscription. What waits is still handed out. It may be called
// more than once.
func (s *Subscription) Close() { s.hub.leave(s) }

// offer appends the packets of a record that the reader wants. It counts what
// full lanes lose, and refuses the record, and all after it, when a CRITICAL
// packet finds no room.
func (s *Subscription) offer(seq leyline.Seq, items []item) (high, normal uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq <= s.upto {
		return 0, 0, true
	}
	if q := &s.lanes[laneCritical]; q.limit-q.queued < s.critical(items) {
		s.finish(&SlowError{After: s.upto})
		return 0, 0, false
	}
	high, normal = s.lanes[laneHigh].dropped, s.lanes[laneNormal].dropped
	came := false
	for i := range items {
		if p := priorityOf(&items[i].Packet); s.filter.wants(&items[i].Packet, p) {
			s.lanes[laneOf(p)].add(items[i])
			came = true
		}
	}
	s.upto = seq
	if came {
		s.signal()
	}
	return s.lanes[laneHigh].dropped - high, s.lanes[laneNormal].dropped - normal, true
}

// add appends a packet and notes what it displaces.
func (q *queue) add(p item) {
	if q.queued == q.limit {
		oldest := &q.ring[q.head]
		q.lost.add(oldest.Seq, oldest.At)
	}
	q.push(p)
}

func (s *Subscription) critical(items []item) int {
	n := 0
	for i := range items {
		if p := priorityOf(&items[i].Packet); p == leyline.PriorityCritical && s.filter.wants(&items[i].Packet, p) {
			n++
		}
	}
	return n
}

// held notes packets that the emergency cap has held back since the
// subscription began.
func (s *Subscription) held(l loss) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.last > s.start && s.filter.takes(leyline.PriorityHigh) {
		s.capped.merge(l)
		s.signal()
	}
}

// begin makes the subscription live behind a record.
func (s *Subscription) begin(upto leyline.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start, s.upto = upto, upto
}

// end ends the subscription and reports whether it was still alive.
func (s *Subscription) end(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.finish(err)
	return true
}

func (s *Subscription) finish(err error) {
	s.err = err
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}
