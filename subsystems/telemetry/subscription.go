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
//
// enum: local because they index an array of the subscription and never leave it.
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

// queue is a lane with what its reader was not told of yet.
type queue struct {
	lane
	lost loss
}

// add appends a packet. A full lane loses the oldest sixteenth at once, so that
// a reader who stays slow is not told of every single packet.
func (q *queue) add(p item) {
	if q.queued == q.limit {
		for range max(q.limit/16, 1) {
			oldest := q.take()
			q.lane.lost(oldest.Seq)
			q.lost.add(&oldest)
		}
	}
	q.push(p)
}

// done returns the position behind everything that the reader has of the lane,
// of which records up to the given one were offered.
func (q *queue) done(upto leyline.Seq) Position {
	p := Position{Seq: upto + 1}
	if q.queued > 0 {
		oldest := &q.ring[q.head]
		p = Position{oldest.Seq, oldest.index}
	}
	return q.lost.holdBack(p)
}

// Subscription is one reader's place in the streams of a hub. Its methods are
// for one goroutine; Close may be called from any.
type Subscription struct {
	hub    *Hub
	filter Filter
	wake   chan struct{} // holds one signal when something may have come
	past   *history      // nil when live; owned by the reader

	mu       sync.Mutex // guards everything below
	lanes    [lanes]queue
	held     loss        // what the emergency cap holds back since it last let packets pass
	released loss        // what it held back before that, and the reader was not told of in full
	upto     leyline.Seq // the last record that was offered
	err      error       // why it has ended; told when nothing waits any more
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
// its order. When HIGH or NORMAL packets were lost to a full lane or held back, a
// notice says how many and between which records. The error is a *SlowError, ErrClosed, that
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

// cursor returns what the reader has. It is not past what the reader was not told
// of.
func (s *Subscription) cursor() Cursor {
	return Cursor{
		Critical: s.lanes[laneCritical].done(s.upto),
		High:     s.released.holdBack(s.held.holdBack(s.lanes[laneHigh].done(s.upto))),
		Normal:   s.lanes[laneNormal].done(s.upto),
	}
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
	return s.capNews() != capQuiet || s.err != nil
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
		switch p := priorityOf(&items[i].Packet); {
		case !s.filter.wants(&items[i].Packet, p):
		case items[i].held:
			s.held.add(&items[i])
			came = came || s.held.packets == 1 // the reader is told at once that the cap is shut
		default:
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

func (s *Subscription) critical(items []item) int {
	n := 0
	for i := range items {
		if p := priorityOf(&items[i].Packet); p == leyline.PriorityCritical && s.filter.wants(&items[i].Packet, p) {
			n++
		}
	}
	return n
}

// begin makes the subscription live behind a record.
func (s *Subscription) begin(upto leyline.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upto = upto
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
	s.opened() // nothing follows that would open the cap
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}
