package telemetry

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/esper-plane/esper/leyline"
)

// The bounds of a hub.
const (
	DefaultSubscribers = 64
	MaxSubscribers     = 1024
	MaxEmergencyPerMin = leyline.MaxEmergencyPerMin
)

// HubOptions configure a hub.
type HubOptions struct {
	Lanes           Limits      // of each subscriber
	EmergencyPerMin uint32      // HIGH packets that may pass per minute of plane time; 0: no cap; at most MaxEmergencyPerMin
	Subscribers     int         // at a time, 1 to MaxSubscribers; 0: DefaultSubscribers
	After           leyline.Seq // the end of the log when the hub is made, whatever it is that the log holds there
}

// HubStats says what a hub has done so far.
type HubStats struct {
	Published   leyline.Seq // the last record, or where the log ended before
	Records     uint64      // published
	Subscribers int         // now, those who are still reading the log included
	Cut         uint64      // subscribers cut off
	Capped      uint64      // HIGH packets that the emergency cap has held back
	High        uint64      // HIGH packets that slow subscribers have lost
	Normal      uint64      // NORMAL packets that slow subscribers have lost
	Tokens      float64     // HIGH packets that the cap would let through at once; 0 without a cap
}

// ErrFull says that a hub has as many subscribers as it may.
var ErrFull = errors.New("no more subscribers are allowed at the moment")

// ErrClosed says that a subscription has ended: it was closed, or the hub was.
var ErrClosed = errors.New("the stream has ended")

// Ended is ErrClosed with the reason, if there is one.
func Ended(why error) error {
	if why == nil {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrClosed, why)
}

// Log is where a hub's records come from. Records yields those that are
// durable, in their order, from the given one on; it must hold every record
// that was published. An error ends it.
type Log interface {
	Records(from leyline.Seq) iter.Seq2[leyline.Record, error]
}

// Hub gives the packets of each record to its subscribers. Publishing waits for
// nobody. It is safe for concurrent use; records must be published in their
// order.
type Hub struct {
	limits Limits
	most   int

	mu     sync.Mutex // guards everything below; taken before that of a subscription
	live   []*Subscription
	bucket bucket
	items  []item      // of the record being published
	ended  error       // wraps ErrClosed; nil while it goes on
	shown  leyline.Seq // the last record given to Publish, 0 if none
	stats  HubStats
}

// NewHub makes a hub.
func NewHub(o HubOptions) (*Hub, error) {
	limits, err := o.Lanes.complete()
	switch {
	case err != nil:
	case o.EmergencyPerMin > MaxEmergencyPerMin:
		err = fmt.Errorf("the emergency cap is %d a minute; want at most %d", o.EmergencyPerMin, MaxEmergencyPerMin)
	case o.Subscribers < 0 || o.Subscribers > MaxSubscribers:
		err = fmt.Errorf("%d subscribers; want 1 to %d, or 0 for %d", o.Subscribers, MaxSubscribers, DefaultSubscribers)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make a telemetry hub: %w", err)
	}
	h := &Hub{limits: limits, most: o.Subscribers, bucket: newBucket(o.EmergencyPerMin)}
	if h.most == 0 {
		h.most = DefaultSubscribers
	}
	h.stats.Published = o.After
	return h, nil
}

// Publish gives the packets of a released record to the subscribers.
func (h *Hub) Publish(r leyline.Record) { h.PublishPackets(r.Seq, r.At, Packets(r)) }

// PublishPackets is Publish for a caller who has computed the packets of a
// record already: exactly those of Packets, and also when there are none. They
// must not be changed afterwards. A record that was published before is not
// published again.
func (h *Hub) PublishPackets(seq leyline.Seq, at leyline.Instant, packets []leyline.Packet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended != nil || seq <= h.stats.Published {
		return
	}
	h.shown, h.stats.Published = seq, seq
	h.stats.Records++
	h.bucket.refill(at)
	if h.bucket.opens() {
		for _, s := range h.live {
			s.release()
		}
	}
	for i := range packets {
		h.items = append(h.items, item{Packet: packets[i], index: i, held: !h.passes(&packets[i])})
	}
	h.live = slices.DeleteFunc(h.live, func(s *Subscription) bool { return !h.offer(s, seq) })
	clear(h.items)
	h.items = h.items[:0]
}

// passes applies the emergency cap. CRITICAL always passes and uses a token if
// there is one; NORMAL has nothing to do with it.
func (h *Hub) passes(p *leyline.Packet) bool {
	switch priorityOf(p) {
	case leyline.PriorityCritical:
		h.bucket.spend()
	case leyline.PriorityHigh:
		if !h.bucket.take() {
			h.stats.Capped++
			return false
		}
	}
	return true
}

// offer gives the packets of a record to one subscriber and reports whether it
// is still one.
func (h *Hub) offer(s *Subscription, seq leyline.Seq) bool {
	high, normal, ok := s.offer(seq, h.items)
	h.stats.High += high
	h.stats.Normal += normal
	if !ok {
		h.stats.Cut++
		h.stats.Subscribers--
	}
	return ok
}

// Subscribe begins with the next record that is published.
func (h *Hub) Subscribe(f Filter) (*Subscription, error) {
	s, err := h.admit(f)
	if err != nil {
		return nil, err
	}
	if err := h.attachNow(s); err != nil {
		h.leave(s)
		return nil, err
	}
	return s, nil
}

// SubscribeFrom begins with what a reader does not have yet and serves it from
// the log until it has caught up; then it goes on live, without a gap and
// without a packet twice. The emergency cap does not hold back what comes from
// the log.
func (h *Hub) SubscribeFrom(log Log, after Cursor, f Filter) (*Subscription, error) {
	s, err := h.admit(f)
	if err != nil {
		return nil, err
	}
	s.past = newHistory(log, after)
	return s, nil
}

func (h *Hub) admit(f Filter) (*Subscription, error) {
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("cannot subscribe: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended != nil:
		return nil, h.ended
	case h.stats.Subscribers >= h.most:
		return nil, ErrFull
	}
	h.stats.Subscribers++
	return newSubscription(h, f), nil
}

// attachNow makes a subscription live that begins with the next record.
func (h *Hub) attachNow(s *Subscription) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.join(s, h.stats.Published)
}

// attach makes a subscription live that has everything up to a record, unless
// more was published: then the subscription has to read that first. It returns
// the last record that was published.
func (h *Hub) attach(s *Subscription, upto leyline.Seq) (published leyline.Seq, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if upto >= h.stats.Published {
		err = h.join(s, upto)
	}
	return h.stats.Published, err
}

func (h *Hub) join(s *Subscription, upto leyline.Seq) error {
	if h.ended != nil {
		return h.ended
	}
	s.begin(upto)
	h.live = append(h.live, s)
	return nil
}

// published returns where the hub stands, and the last record that it was given.
func (h *Hub) published() (upto, shown leyline.Seq) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats.Published, h.shown
}

// leave forgets a subscription that its reader closes.
func (h *Hub) leave(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.end(ErrClosed) {
		h.stats.Subscribers--
		h.live = slices.DeleteFunc(h.live, func(x *Subscription) bool { return x == s })
	}
}

// Close ends every subscription: each is handed what waits for it, is told what
// was lost, and then gets ErrClosed. One that reads the log gets it at the log's
// end. Nothing is published any more.
func (h *Hub) Close() { h.End(nil) }

// End is Close for a hub whose records end before their time: what ends it is told
// to every subscription behind ErrClosed, and to who subscribes afterwards. What
// was told first holds.
func (h *Hub) End(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended != nil {
		return
	}
	h.ended = Ended(why)
	for _, s := range h.live {
		s.end(h.ended)
		h.stats.Subscribers--
	}
	h.live = nil
}

// Stats returns what the hub has done so far.
func (h *Hub) Stats() HubStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Tokens = h.bucket.tokens()
	return s
}

// Metrics returns the statistics under their names in the catalogue. Counters
// hold their totals since the hub was made.
func (h *Hub) Metrics() []leyline.Metric {
	x := h.Stats()
	var s section
	lost := func(n uint64, cause string, p leyline.Priority) {
		s.metric(leyline.MetricDropped, float64(n), text(keyCause, cause), name(keyPriority, p))
	}
	s.metric(leyline.MetricPublished, float64(x.Records))
	s.metric(leyline.MetricSubscribers, float64(x.Subscribers))
	s.metric(leyline.MetricCut, float64(x.Cut))
	s.metric(leyline.MetricCapped, float64(x.Capped))
	s.metric(leyline.MetricTokens, x.Tokens)
	lost(x.Capped, causeCap, leyline.PriorityHigh)
	lost(x.High, causeSlow, leyline.PriorityHigh)
	lost(x.Normal, causeSlow, leyline.PriorityNormal)
	return s.metrics
}
