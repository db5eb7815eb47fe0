package telemetry

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	l "github.com/esper-plane/esper/leyline"
)

// reader is a subscriber that keeps account of what it was given and told.
type reader struct {
	critical, high, normal uint64 // packets handed out
	capped, lostHigh, lost uint64 // packets it was told of
	cuts                   int
	last                   [lanes]id
	order                  bool // a lane went backwards
}

func (r *reader) note(d Delivery) {
	if d.Index < 0 {
		attrs := d.Packet.Events[0].Attrs
		n := uint64(d.Packet.Metrics[0].Value)
		switch {
		case attrs[0].Value == causeCap:
			r.capped += n
		case attrs[1].Value == l.PriorityHigh.String():
			r.lostHigh += n
		default:
			r.lost += n
		}
		return
	}
	lane := laneOf(priorityOf(&d.Packet))
	*[]*uint64{&r.critical, &r.high, &r.normal}[lane]++
	k := id{d.Packet.Seq, d.Index}
	if k.seq < r.last[lane].seq || k.seq == r.last[lane].seq && k.index <= r.last[lane].index {
		r.order = true
	}
	r.last[lane] = k
}

// read follows the stream to the end of the hub and comes back whenever it is
// cut off. Between two packets it does what pace does.
func (r *reader) read(t *testing.T, h *Hub, log Log, pace func()) {
	after := After(0)
	for {
		s, err := h.SubscribeFrom(log, after, Filter{})
		if err != nil {
			t.Errorf("coming back: %v", err)
			return
		}
		err = r.visit(t, s, &after, pace)
		s.Close()
		var slow *SlowError
		if !errors.As(err, &slow) {
			return
		}
		if After(slow.After) != after {
			t.Errorf("cut off after record %d, handed out %s", slow.After, after)
		}
		r.cuts++
	}
}

func (r *reader) visit(t *testing.T, s *Subscription, after *Cursor, pace func()) error {
	for {
		d, err := s.Next(t.Context())
		if err != nil {
			var slow *SlowError
			if errors.As(err, &slow) {
				*after = After(slow.After)
			}
			return err
		}
		*after = d.After
		r.note(d)
		pace()
	}
}

// total says how many packets of each lane the first n records have.
func total(n uint64) (critical, high, normal uint64) {
	return n / 100, n/100 + n/10, n
}

// TestBurstsWithSlowReaders publishes bursts of 100,000 records, each with at
// least one packet, to a reader that is fast, one that is slow, one that does
// not read at all until the last burst is over, and one that is never there
// while records are published. In the end each has every CRITICAL packet, and
// every other one was handed out or told of. What is queued meanwhile is bounded
// by the lanes.
func TestBurstsWithSlowReaders(t *testing.T) {
	const size, bursts = 100_000, 3
	var g generated
	h := newHub(t, HubOptions{Lanes: Limits{Critical: 256, High: 256, Normal: 256}, EmergencyPerMin: 3000})
	published := make(chan struct{})
	var wg sync.WaitGroup
	var fast, slow, blocked, returning reader
	var polls atomic.Uint64
	wg.Go(func() { fast.read(t, h, &g, func() {}) })
	wg.Go(func() {
		slow.read(t, h, &g, func() {
			if polls.Add(1)%1000 == 0 {
				runtime.Gosched()
			}
		})
	})
	wg.Go(func() { blocked.read(t, h, &g, func() { <-published }) })

	before := heap()
	for range bursts {
		g.publish(h, size)
		if grown := heap() - before; grown > 16<<20 {
			t.Errorf("the heap has grown by %d bytes", grown)
		}
	}
	close(published)
	returning.catchUp(t, h, &g)
	settle(t, h)
	h.Close()
	wg.Wait()

	st := h.Stats()
	t.Logf("fast %+v\nslow %+v\nblocked %+v\nreturning %+v\nhub %+v", fast, slow, blocked, returning, st)
	critical, high, normal := total(size * bursts)
	if st.Records != size*bursts {
		t.Errorf("%d records were published", st.Records)
	}
	for name, r := range map[string]*reader{"fast": &fast, "slow": &slow, "blocked": &blocked, "returning": &returning} {
		if r.order {
			t.Errorf("%s: a lane is out of order", name)
		}
		if r.critical != critical {
			t.Errorf("%s: %d CRITICAL packets of %d", name, r.critical, critical)
		}
		if r.normal+r.lost != normal {
			t.Errorf("%s: %d NORMAL packets and %d told of, want %d", name, r.normal, r.lost, normal)
		}
		if r.high+r.lostHigh+r.capped != high {
			t.Errorf("%s: %d HIGH packets, %d and %d told of, want %d", name, r.high, r.lostHigh, r.capped, high)
		}
	}
	if returning.high != high || returning.normal != normal {
		t.Errorf("the log gave %d HIGH and %d NORMAL packets, want %d and %d", returning.high, returning.normal, high, normal)
	}
	if blocked.cuts == 0 || st.Capped == 0 {
		t.Errorf("the blocked reader was cut off %d times and %d packets were capped; the test shows nothing", blocked.cuts, st.Capped)
	}
}

// catchUp reads the log to its end.
func (r *reader) catchUp(t *testing.T, h *Hub, log Log) {
	s, err := h.SubscribeFrom(log, After(0), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for s.past != nil {
		d, more, err := s.fromLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if more {
			r.note(d)
		}
	}
}

// settle waits until nobody is behind any more.
func settle(t *testing.T, h *Hub) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if h.idle() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the readers do not catch up")
}

// idle reports whether every subscriber is live and has been handed everything.
func (h *Hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.live {
		if s.waits() {
			return false
		}
	}
	return len(h.live) == h.stats.Subscribers && len(h.live) == 3
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSlotsAreLetGoOf: a lane that was full and is read keeps no packet alive,
// and one that is never used has no slots.
func TestSlotsAreLetGoOf(t *testing.T) {
	h := newHub(t, HubOptions{Lanes: Limits{Critical: 100, High: 100, Normal: 100}})
	s := subscribe(t, h, Filter{Stream: l.StreamNormal})
	for seq := range l.Seq(1000) {
		publish(h, 2+seq, l.LevelInfo)
	}
	if n := len(s.lanes[laneNormal].ring); n != 100 || len(s.lanes[laneHigh].ring)+len(s.lanes[laneCritical].ring) != 0 {
		t.Errorf("rings of %d, %d and %d slots", len(s.lanes[0].ring), len(s.lanes[1].ring), n)
	}
	got, _ := waiting(t, s)
	if told := got[0].Packet.Metrics[0].Value; int(told)+len(got)-1 != 1000 || len(got) < 90 {
		t.Errorf("%v told of and %d packets", told, len(got)-1)
	}
	for _, p := range s.lanes[laneNormal].ring {
		if p.Seq != 0 || p.Events != nil {
			t.Errorf("a slot holds %+v", p)
		}
	}
	for _, p := range h.items[:cap(h.items)] {
		if p.Seq != 0 {
			t.Errorf("the hub holds %+v", p)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	var g generated
	h, err := NewHub(HubOptions{EmergencyPerMin: 120})
	if err != nil {
		b.Fatal(err)
	}
	for range 8 {
		if _, err := h.Subscribe(Filter{}); err != nil {
			b.Fatal(err)
		}
	}
	r := g.record(1)
	packets := Packets(r)
	b.ReportAllocs()
	for seq := l.Seq(1); b.Loop(); seq++ {
		h.PublishPackets(seq, l.Instant(seq)*1e6, packets)
	}
}
