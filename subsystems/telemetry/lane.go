package telemetry

import "github.com/esper-plane/esper/leyline"

// item is a packet with its place among the packets of its record.
type item struct {
	leyline.Packet
	index int
	held  bool // back by the emergency cap; never in a lane
}

// lane is a bounded queue that counts what passes through it and what it loses.
// It is guarded by the lock of its owner.
type lane struct {
	ring      []item // Invariant: at most limit long; slots outside the queue are zero
	limit     int
	head      int // slot of the oldest packet
	queued    int // Invariant: at most len(ring)
	peak      int
	routed    uint64 // Invariant: routed = delivered + dropped + queued
	delivered uint64
	dropped   uint64
	firstLost leyline.Seq
	lastLost  leyline.Seq
}

// push appends a packet; in a full lane the oldest one makes room.
func (l *lane) push(p item) {
	l.routed++
	switch {
	case l.queued < len(l.ring):
	case len(l.ring) < l.limit:
		l.grow()
	default:
		l.lost(l.take().Seq)
	}
	l.ring[(l.head+l.queued)%len(l.ring)] = p
	l.queued++
	l.peak = max(l.peak, l.queued)
}

// grow doubles a full ring, up to the limit.
func (l *lane) grow() {
	ring := make([]item, min(max(2*len(l.ring), 16), l.limit))
	n := copy(ring, l.ring[l.head:])
	copy(ring[n:], l.ring[:l.head])
	l.ring, l.head = ring, 0
}

// pop hands the oldest packet to a reader.
func (l *lane) pop() (item, bool) {
	if l.queued == 0 {
		return item{}, false
	}
	l.delivered++
	return l.take(), true
}

// take removes the oldest packet of a lane that has one, and lets go of it.
func (l *lane) take() item {
	p := l.ring[l.head]
	l.ring[l.head] = item{}
	l.head = (l.head + 1) % len(l.ring)
	l.queued--
	return p
}

// lost counts a packet that found no room.
func (l *lane) lost(seq leyline.Seq) {
	if l.dropped == 0 {
		l.firstLost = seq
	}
	l.dropped++
	l.firstLost, l.lastLost = min(l.firstLost, seq), max(l.lastLost, seq)
}

func (l *lane) stats() LaneStats {
	return LaneStats{
		Capacity: l.limit, Queued: l.queued, Peak: l.peak,
		Routed: l.routed, Delivered: l.delivered, Dropped: l.dropped,
		FirstLost: l.firstLost, LastLost: l.lastLost,
	}
}
