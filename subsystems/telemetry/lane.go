package telemetry

import "github.com/esper-plane/esper/leyline"

// lane is a bounded queue that counts what passes through it and what it loses.
// It belongs to a Router and is guarded by its lock.
type lane struct {
	ring      []leyline.Packet // Invariant: never grows; slots outside the queue are zero
	head      int              // slot of the oldest packet
	queued    int              // Invariant: at most len(ring)
	peak      int
	routed    uint64 // Invariant: routed = delivered + dropped + queued
	delivered uint64
	dropped   uint64
	firstLost leyline.Seq
	lastLost  leyline.Seq
}

// push appends a packet; in a full lane the oldest one makes room.
func (l *lane) push(p leyline.Packet) {
	l.routed++
	if l.queued == len(l.ring) {
		l.lost(l.take().Seq)
	}
	l.ring[(l.head+l.queued)%len(l.ring)] = p
	l.queued++
	l.peak = max(l.peak, l.queued)
}

// pop hands the oldest packet to a reader.
func (l *lane) pop() (leyline.Packet, bool) {
	if l.queued == 0 {
		return leyline.Packet{}, false
	}
	l.delivered++
	return l.take(), true
}

// take removes the oldest packet of a lane that has one, and lets go of it.
func (l *lane) take() leyline.Packet {
	p := l.ring[l.head]
	l.ring[l.head] = leyline.Packet{}
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
		Capacity: len(l.ring), Queued: l.queued, Peak: l.peak,
		Routed: l.routed, Delivered: l.delivered, Dropped: l.dropped,
		FirstLost: l.firstLost, LastLost: l.lastLost,
	}
}
