package telemetry

import (
	"cmp"
	"fmt"
	"sync"

	"github.com/esper-plane/esper/leyline"
)

// The default capacities and the largest one allowed, in packets.
const (
	DefaultCritical = leyline.DefaultQueueCritical
	DefaultHigh     = leyline.DefaultQueueHigh
	DefaultNormal   = leyline.DefaultQueueNormal
	MaxLane         = leyline.MaxLane
)

// Limits are the capacities of a router's lanes, in packets. A zero takes its
// default; a negative one and one above MaxLane are refused.
type Limits struct {
	Critical int // reserved for CRITICAL packets
	High     int // WARNING and ERROR packets
	Normal   int // all others
}

// LaneStats says what became of the packets of one lane. At any time
// Routed = Delivered + Dropped + Queued.
type LaneStats struct {
	Capacity  int
	Queued    int         // waiting now
	Peak      int         // most that ever waited
	Routed    uint64      // given to Route
	Delivered uint64      // handed to a reader
	Dropped   uint64      // lost to a full lane
	FirstLost leyline.Seq // lowest sequence number lost, 0 if none
	LastLost  leyline.Seq // highest sequence number lost
}

// Stats says what became of every packet since the router was made.
type Stats struct{ Critical, High, Normal LaneStats }

// Gap is a range of records in which CRITICAL packets were lost to a full lane.
// Packets computes them again.
type Gap struct {
	First   leyline.Seq // the first record of which a packet was lost
	Last    leyline.Seq // the last one
	Packets uint64      // how many were lost
}

// Router holds packets in bounded lanes until they are read. It is safe for
// concurrent use. Packets must not be changed once they have been routed.
type Router struct {
	mu       sync.Mutex // guards everything below
	critical lane
	high     lane
	normal   lane
	gap      Gap // CRITICAL losses since TakeGap
}

// NewRouter makes a router and allocates its lanes.
func NewRouter(l Limits) (*Router, error) {
	l, err := l.complete()
	if err != nil {
		return nil, fmt.Errorf("cannot make a router: %w", err)
	}
	return &Router{
		critical: lane{limit: l.Critical, ring: make([]item, l.Critical)},
		high:     lane{limit: l.High, ring: make([]item, l.High)},
		normal:   lane{limit: l.Normal, ring: make([]item, l.Normal)},
	}, nil
}

// complete fills in the defaults.
func (l Limits) complete() (Limits, error) {
	for _, x := range []struct {
		name  string
		size  *int
		other int
	}{
		{"critical", &l.Critical, DefaultCritical},
		{"high", &l.High, DefaultHigh},
		{"normal", &l.Normal, DefaultNormal},
	} {
		if *x.size < 0 || *x.size > MaxLane {
			return l, fmt.Errorf("capacity of the %s lane is %d; want 1 to %d, or 0 for %d", x.name, *x.size, MaxLane, x.other)
		}
		*x.size = cmp.Or(*x.size, x.other)
	}
	return l, nil
}

// Route puts a packet into the lane of its highest event. It never blocks on a
// reader.
func (r *Router) Route(p leyline.Packet) {
	priority := leyline.PriorityOf(highest(p.Events))
	r.mu.Lock()
	defer r.mu.Unlock()
	switch priority {
	case leyline.PriorityCritical:
		r.routeCritical(p)
	case leyline.PriorityHigh:
		r.high.push(item{Packet: p})
	default:
		r.normal.push(item{Packet: p})
	}
}

// routeCritical refuses the newcomer when the lane is full: the packets already
// in it are the beginning of what went wrong.
func (r *Router) routeCritical(p leyline.Packet) {
	l := &r.critical
	if l.queued < l.limit {
		l.push(item{Packet: p})
		return
	}
	l.routed++
	l.lost(p.Seq)
	if r.gap.Packets == 0 {
		r.gap.First, r.gap.Last = p.Seq, p.Seq
	}
	r.gap = Gap{min(r.gap.First, p.Seq), max(r.gap.Last, p.Seq), r.gap.Packets + 1}
}

// NextEmergency takes the next packet of the emergency stream: the oldest
// CRITICAL one, else the oldest HIGH one.
func (r *Router) NextEmergency() (leyline.Packet, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.emergency()
}

func (r *Router) emergency() (leyline.Packet, bool) {
	p, ok := r.critical.pop()
	if !ok {
		p, ok = r.high.pop()
	}
	return p.Packet, ok
}

// NextNormal takes the oldest packet of the normal stream.
func (r *Router) NextNormal() (leyline.Packet, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.normal.pop()
	return p.Packet, ok
}

// Next takes the next packet of both streams, CRITICAL before HIGH before
// NORMAL, for a reader that follows both.
func (r *Router) Next() (leyline.Packet, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.emergency(); ok {
		return p, true
	}
	p, ok := r.normal.pop()
	return p.Packet, ok
}

// TakeGap returns where CRITICAL packets were lost since it was last called,
// and whether any were. One reader should own it.
func (r *Router) TakeGap() (Gap, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gap
	r.gap = Gap{}
	return g, g.Packets > 0
}

// Stats returns the state of the lanes at one moment.
func (r *Router) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Critical: r.critical.stats(), High: r.high.stats(), Normal: r.normal.stats()}
}
