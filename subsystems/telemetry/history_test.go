package telemetry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// generated is a log whose record n is a function of n, so that it takes no
// memory. Up to its last record it may be read while it grows.
type generated struct{ last atomic.Uint64 }

// record makes record seq: a step and, of some records, what Tamiyo finds or
// Kasmina refuses. Of 100 records one is CRITICAL and ten are HIGH.
func (g *generated) record(seq l.Seq) l.Record {
	r := l.Record{Seq: seq, At: l.Instant(seq) * 1e6, Run: "r1", Input: l.StepObserved{Run: "r1", Step: l.Step(seq)}}
	switch {
	case seq%100 == 7:
		r.Events = []l.Event{
			l.ConservativeEntered{Run: "r1"},
			l.CommandRejected{Run: "r1", Reason: l.RejectStale},
		}
	case seq%10 == 3:
		r.Events = []l.Event{l.ConservativeEntered{Run: "r1"}}
	}
	return r
}

func (g *generated) Records(from l.Seq) iter.Seq2[l.Record, error] {
	last := l.Seq(g.last.Load())
	return func(yield func(l.Record, error) bool) {
		for seq := from; seq <= last; seq++ {
			if !yield(g.record(seq), nil) {
				return
			}
		}
	}
}

// publish makes records durable and gives them to a hub, one by one.
func (g *generated) publish(h *Hub, n int) {
	for range n {
		h.Publish(g.record(l.Seq(g.last.Add(1))))
	}
}

// id names a packet.
type id struct {
	seq   l.Seq
	index int
}

// all returns the packets of a log in which a filter is interested.
func (g *generated) all(f Filter) map[id]bool {
	out := map[id]bool{}
	for r := range g.Records(1) {
		for i, p := range Packets(r) {
			if f.wants(&p, priorityOf(&p)) {
				out[id{r.Seq, i}] = true
			}
		}
	}
	return out
}

// TestComingBackAnywhere reads a stream in short visits, each with a small lane
// and from the cursor with which the one before it ended, in the middle of what
// waits. In the end every packet was handed out once.
func TestComingBackAnywhere(t *testing.T) {
	for _, f := range []Filter{{}, {Stream: l.StreamEmergency}, {Stream: l.StreamNormal}, {Minimum: l.PriorityCritical}, {Run: "r1"}} {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) { comeBack(t, f) })
	}
}

func comeBack(t *testing.T, f Filter) {
	rng := rand.New(rand.NewPCG(9, 10))
	var g generated
	h := newHub(t, HubOptions{Lanes: Limits{Critical: 100, High: 1000, Normal: 1000}})
	got, after := map[id]bool{}, After(0)
	visit := func(publish, read int) {
		g.publish(h, rng.IntN(publish)) // away
		s, err := h.SubscribeFrom(&g, after, f)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for s.past != nil && read > 0 { // catches up, or leaves before
			d, more, err := s.fromLog(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if more {
				after = take1(t, got, d)
				read--
			}
		}
		if s.past == nil {
			g.publish(h, rng.IntN(publish))
		}
		for range read {
			d, ok, err := s.take()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			after = take1(t, got, d)
		}
	}
	for range 200 {
		visit(60, 1+rng.IntN(100))
	}
	visit(1, 1<<20)
	if want := g.all(f); len(got) != len(want) || len(want) < 50 {
		t.Errorf("%d packets were handed out of %d", len(got), len(want))
	}
}

// take1 notes a delivery and returns the cursor behind it, which has to survive
// being written down.
func take1(t *testing.T, got map[id]bool, d Delivery) Cursor {
	t.Helper()
	if d.Index < 0 {
		t.Fatalf("a notice: %+v", d.Packet)
	}
	k := id{d.Packet.Seq, d.Index}
	if got[k] {
		t.Fatalf("packet %v is handed out twice", k)
	}
	got[k] = true
	c, err := ParseCursor(d.After.String())
	if err != nil || c != d.After {
		t.Fatalf("%+v is read back as %+v, %v", d.After, c, err)
	}
	return c
}

// TestGoingAwayHidesNothing is TestComingBackAnywhere with lanes that overflow
// and a cap that holds back. Nothing is handed out twice, and what is not handed
// out is within a notice, also when the reader went before it was told.
func TestGoingAwayHidesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	var g generated
	h := newHub(t, HubOptions{Lanes: Limits{Critical: 1, High: 8, Normal: 40}, EmergencyPerMin: 600})
	got, told, after, cuts := map[id]bool{}, map[id]bool{}, After(0), 0
	lanesOf := map[id]l.Priority{}
	visit := func(publish, read int) {
		s, err := h.SubscribeFrom(&g, after, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		live := false
		for range read {
			d, ok, err := s.poll(t)
			if err != nil {
				cuts++
				after = After(err.After)
				return
			}
			if !ok && live {
				return
			}
			if !ok {
				live = true
				g.publish(h, publish)
				continue
			}
			if after = d.After; d.Index >= 0 {
				take1(t, got, d)
				continue
			}
			attrs := d.Packet.Events[0].Attrs
			for seq, last := number64(t, attrs[2]), number64(t, attrs[3]); seq <= last; seq++ {
				for index := range 5 {
					if k := (id{seq, index}); lanesOf[k].String() == attrs[1].Value || lanesOf[k] == 0 {
						told[k] = true
					}
				}
			}
		}
	}
	for range 400 {
		n := rng.IntN(120)
		for seq := l.Seq(g.last.Load()) + 1; seq <= l.Seq(g.last.Load())+l.Seq(n); seq++ {
			for i, p := range Packets(g.record(seq)) {
				lanesOf[id{seq, i}] = priorityOf(&p)
			}
		}
		visit(n, 1+rng.IntN(200))
	}
	for range 10 {
		visit(0, 1<<20) // and to the end
	}
	missing, hidden := 0, 0
	for k := range g.all(Filter{}) {
		if !got[k] {
			missing++
			if !told[k] {
				hidden++
			}
			if lanesOf[k] == l.PriorityCritical {
				t.Errorf("CRITICAL packet %v is missing", k)
			}
		}
	}
	if hidden > 0 || missing == 0 || cuts == 0 || h.Stats().Capped == 0 {
		t.Errorf("%d packets are missing, %d without a word; %d times cut off, %+v", missing, hidden, cuts, h.Stats())
	}
}

// poll returns what Next would without waiting.
func (s *Subscription) poll(t *testing.T) (d Delivery, ok bool, slow *SlowError) {
	t.Helper()
	var err error
	if s.past != nil {
		d, ok, err = s.fromLog(t.Context())
	}
	if !ok && err == nil {
		d, ok, err = s.take()
	}
	if err != nil && !errors.As(err, &slow) {
		t.Fatal(err)
	}
	return d, ok, slow
}

func number64(t *testing.T, a l.Attr) l.Seq {
	t.Helper()
	n, err := strconv.ParseUint(a.Value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return l.Seq(n)
}

// TestCatchingUpWhilePublishing lets readers come while records are published by
// another goroutine. Each has the whole log once, in order within a lane.
func TestCatchingUpWhilePublishing(t *testing.T) {
	const records, readers = 20_000, 8
	var g generated
	h := newHub(t, HubOptions{Lanes: Limits{Critical: records, High: records, Normal: records}})
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			for l.Seq(i*records/readers/2) > l.Seq(g.last.Load()) {
				continue // comes when so many are there
			}
			follow(t, h, &g, records)
		})
	}
	g.publish(h, records)
	wg.Wait()
}

func follow(t *testing.T, h *Hub, g *generated, upto l.Seq) {
	s, err := h.SubscribeFrom(g, After(0), Filter{})
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	got := map[id]bool{}
	for len(got) < int(upto)+int(upto)/100*2+int(upto)/10 {
		d, err := s.Next(t.Context())
		if err != nil {
			t.Errorf("after %d packets: %v", len(got), err)
			return
		}
		k := id{d.Packet.Seq, d.Index}
		if d.Index < 0 || got[k] {
			t.Errorf("packet %v is a notice or handed out twice", k)
			return
		}
		got[k] = true
	}
	if s.Waiting() {
		t.Error("more packets wait than the log has")
	}
}

// racing publishes a record each time someone has found nothing more to read.
type racing struct {
	*generated
	hub  *Hub
	left int
}

func (g *racing) Records(from l.Seq) iter.Seq2[l.Record, error] {
	return func(yield func(l.Record, error) bool) {
		none := true
		for r := range g.generated.Records(from) {
			if none = false; !yield(r, nil) {
				return
			}
		}
		if none && g.left > 0 {
			g.left--
			g.publish(g.hub, 1)
		}
	}
}

// TestPublishedWhileAttaching: what is published between the end of the log and
// the moment at which the reader is live is not lost.
func TestPublishedWhileAttaching(t *testing.T) {
	for left := range 5 {
		var g generated
		h := newHub(t, HubOptions{})
		g.publish(h, 3)
		s, err := h.SubscribeFrom(&racing{&g, h, left}, After(0), Filter{Stream: l.StreamNormal})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		got, err := waiting(t, s)
		if err != nil {
			t.Fatal(err)
		}
		g.publish(h, 1)
		more, _ := waiting(t, s)
		if n := len(got) + len(more); n != 4+left || h.Stats().Published != l.Seq(4+left) {
			t.Errorf("%d of %d packets", n, 4+left)
		}
	}
}

// failing is a log that ends with an error.
type failing struct{ recorded }

func (g *failing) Records(from l.Seq) iter.Seq2[l.Record, error] {
	return func(yield func(l.Record, error) bool) {
		for r := range g.recorded.Records(from) {
			if !yield(r, nil) {
				return
			}
		}
		yield(l.Record{}, errors.New("disk on fire"))
	}
}

func TestWhatCanGoWrongWithALog(t *testing.T) {
	ends := func(log Log, o HubOptions, shown l.Seq, after Cursor, say string) {
		t.Helper()
		h := newHub(t, o)
		if shown > 0 {
			publish(h, shown, l.LevelInfo)
		}
		s, err := h.SubscribeFrom(log, after, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if _, err = s.Next(t.Context()); err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("got %v, want %q", err, say)
		}
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("afterwards: %v", err)
		}
		if n := h.Stats().Subscribers; n != 0 {
			t.Errorf("%d subscribers are left", n)
		}
	}
	var log recorded
	for range 3 {
		log.halt()
	}
	ends(&failing{log}, HubOptions{}, 0, After(0), "disk on fire")
	ends(&log, HubOptions{}, 9, After(0), "cannot read on after record 4: the log ends there, and record 9 was published")
	ends(&recorded{}, HubOptions{}, 4, After(0), "cannot read on after record 0")
	ends(&log, HubOptions{After: 4}, 0, After(5), "5 is past the end of the stream, record 4")
	ends(&log, HubOptions{}, 0, After(1<<40), "is past the end")
	ends(&log, HubOptions{After: 4}, 0, Cursor{Critical: Position{99, 0}}, "98,0,0 is past the end")
}

// TestLogEndsWithACheckpoint: behind the last record the log holds something that
// is none. A reader goes live there, with whatever it came.
func TestLogEndsWithACheckpoint(t *testing.T) {
	for _, after := range []Cursor{After(0), After(3), After(4), After(6)} {
		var log recorded
		for range 3 {
			log.halt()
		}
		h := newHub(t, HubOptions{After: 6})
		s, err := h.SubscribeFrom(&log, after, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		want := []string{"2", "3", "4"}[min(max(after.Normal.Seq, 2)-2, 3):]
		if len(want) == 0 {
			want = nil
		}
		wantWords(t, s, want...)
		publish(h, 7, l.LevelInfo)
		wantWords(t, s, "7")
	}
}

// TestDurableBeforePublished: a reader may come with a record that the log holds
// and the hub has not published yet. It is not given that record again.
func TestDurableBeforePublished(t *testing.T) {
	var log recorded
	for range 3 {
		log.halt()
	}
	h := newHub(t, HubOptions{After: 2})
	s, err := h.SubscribeFrom(&log, After(4), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantWords(t, s)
	for _, r := range log.records {
		h.Publish(r)
		h.Publish(r) // twice is once
	}
	h.Publish(log.halt())
	wantWords(t, s, "5")
}

// TestHeartbeatsDoNotDisturb: a context that ends while the log is read ends the
// call and nothing else.
func TestHeartbeatsDoNotDisturb(t *testing.T) {
	var log recorded
	for range 5 {
		log.halt()
	}
	h := newHub(t, HubOptions{After: 6})
	s, err := h.SubscribeFrom(&log, After(0), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var got []Delivery
	for range 5 {
		d, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
	if want := []string{"2", "3", "4", "5", "6"}; !slices.Equal(words(got), want) {
		t.Errorf("got %q", words(got))
	}
}
