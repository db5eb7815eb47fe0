package telemetry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	l "github.com/esper-plane/esper/leyline"
	"github.com/google/go-cmp/cmp"
)

func newHub(t *testing.T, o HubOptions) *Hub {
	t.Helper()
	h, err := NewHub(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func subscribe(t *testing.T, h *Hub, f Filter) *Subscription {
	t.Helper()
	s, err := h.Subscribe(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// publish gives a record with one packet of a level to the hub, one second after
// the record before it.
func publish(h *Hub, seq l.Seq, level l.Level) {
	h.PublishPackets(seq, l.Instant(seq)*1e9, []l.Packet{packet(seq, level)})
}

// words writes deliveries short: the number of the record or, for a notice, what
// it says.
func words(ds []Delivery) []string {
	var out []string
	for _, d := range ds {
		if d.Index >= 0 {
			out = append(out, fmt.Sprint(d.Packet.Seq))
			continue
		}
		var attrs []string
		for _, a := range d.Packet.Events[0].Attrs {
			attrs = append(attrs, a.Value)
		}
		out = append(out, strings.Join(attrs, " "))
	}
	return out
}

// waiting reads what waits and returns it with the error behind it, if any.
func waiting(t *testing.T, s *Subscription) ([]Delivery, error) {
	t.Helper()
	var out []Delivery
	for {
		d, ok, err := Delivery{}, false, error(nil)
		if s.past != nil {
			d, ok, err = s.fromLog(t.Context())
		}
		if !ok && err == nil {
			d, ok, err = s.take()
		}
		if !ok || err != nil {
			return out, err
		}
		out = append(out, d)
	}
}

func wantWords(t *testing.T, s *Subscription, want ...string) {
	t.Helper()
	got, err := waiting(t, s)
	if err != nil {
		t.Errorf("the stream ends: %v", err)
	}
	if diff := cmp.Diff(want, words(got)); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestHubDeliversByPriority(t *testing.T) {
	h := newHub(t, HubOptions{})
	s := subscribe(t, h, Filter{})
	for seq, level := range []l.Level{2: l.LevelInfo, 3: l.LevelWarning, 4: l.LevelCritical, 5: l.LevelError, 6: l.LevelCritical, 7: l.LevelInfo} {
		if level != 0 {
			publish(h, l.Seq(seq), level)
		}
	}
	wantWords(t, s, "4", "6", "3", "5", "2", "7")
}

// TestHubDoesNotLatch: one warning does not send what follows it to the
// emergency stream (SPEC.md 8.5).
func TestHubDoesNotLatch(t *testing.T) {
	h := newHub(t, HubOptions{EmergencyPerMin: 120})
	emergency, normal := subscribe(t, h, Filter{Stream: l.StreamEmergency}), subscribe(t, h, Filter{Stream: l.StreamNormal})
	publish(h, 2, l.LevelWarning)
	for seq := range l.Seq(4) {
		publish(h, 3+seq, l.LevelInfo)
	}
	wantWords(t, emergency, "2")
	wantWords(t, normal, "3", "4", "5", "6")
}

func TestFilters(t *testing.T) {
	levels := []l.Level{l.LevelInfo, l.LevelWarning, l.LevelCritical}
	for _, c := range []struct {
		filter Filter
		want   []string
	}{
		{Filter{}, []string{"4", "7", "3", "6", "2", "5"}},
		{Filter{Stream: l.StreamBoth}, []string{"4", "7", "3", "6", "2", "5"}},
		{Filter{Stream: l.StreamEmergency}, []string{"4", "7", "3", "6"}},
		{Filter{Stream: l.StreamNormal}, []string{"2", "5"}},
		{Filter{Minimum: l.PriorityHigh}, []string{"4", "7", "3", "6"}},
		{Filter{Minimum: l.PriorityCritical}, []string{"4", "7"}},
		{Filter{Stream: l.StreamNormal, Minimum: l.PriorityHigh}, nil},
		{Filter{Run: "r2"}, []string{"7", "6", "5"}},
		{Filter{Run: "r3"}, nil},
	} {
		h := newHub(t, HubOptions{})
		s := subscribe(t, h, c.filter)
		for i := range 6 {
			p := packet(l.Seq(i+2), levels[i%3])
			p.Run = []l.RunID{"r1", "r2"}[i/3]
			h.PublishPackets(p.Seq, 1, []l.Packet{p})
		}
		wantWords(t, s, c.want...)
	}
	for _, bad := range []Filter{{Stream: 99}, {Minimum: 99}} {
		if _, err := newHub(t, HubOptions{}).Subscribe(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// TestSlowSubscriberIsTold: what a full lane loses is said before what follows
// it.
func TestSlowSubscriberIsTold(t *testing.T) {
	h := newHub(t, HubOptions{Lanes: Limits{Critical: 2, High: 2, Normal: 32}})
	s := subscribe(t, h, Filter{})
	for seq := range l.Seq(36) {
		publish(h, 2+seq, l.LevelInfo)
	}
	publish(h, 38, l.LevelWarning)
	next := func() string {
		d, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return words([]Delivery{d})[0] + " " + d.After.String()
	}
	got := []string{next(), next()}
	publish(h, 39, l.LevelInfo)
	publish(h, 40, l.LevelInfo)
	publish(h, 41, l.LevelInfo) // two make room at once, twice
	got = append(got, next(), next())
	want := []string{
		"38 38,38,1", "slow_subscriber NORMAL 2 5 4 false 38,38,5", // the cursor is not past what was not told
		"slow_subscriber NORMAL 6 9 4 false 41,41,9", "10 41,41,10",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if st := h.Stats(); st.Normal != 8 || st.High != 0 || st.Cut != 0 {
		t.Errorf("statistics %+v", st)
	}
}

// TestNoticeIsAPacket looks at one in full: it has a level, keys and a unit of
// the catalogue.
func TestNoticeIsAPacket(t *testing.T) {
	h := newHub(t, HubOptions{Lanes: Limits{High: 1}})
	s := subscribe(t, h, Filter{})
	for seq := range l.Seq(4) {
		publish(h, 2+seq, l.LevelWarning)
	}
	got, _ := waiting(t, s)
	attrs := []l.Attr{{Key: "cause", Value: "slow_subscriber"}, {Key: "priority", Value: "HIGH"}}
	want := l.Packet{
		Seq: 4, Source: l.SubsystemPlane, Level: l.LevelWarning, Priority: l.PriorityHigh,
		Metrics: []l.Metric{{Name: l.MetricDropped, Value: 3, Unit: "count", Attrs: attrs}},
		Events: []l.TelemetryEvent{{Name: l.NameOverflow, Level: l.LevelWarning, Attrs: append(slices.Clone(attrs),
			l.Attr{Key: "first", Value: "2"}, l.Attr{Key: "last", Value: "4"}, l.Attr{Key: "packets", Value: "3"}, l.Attr{Key: "ongoing", Value: "false"})}},
	}

	if diff := cmp.Diff(want, got[0].Packet); diff != "" {
		t.Error(diff)
	}
	row, _ := l.DescribeEvent(l.NameOverflow)
	if keys := "cause priority first last packets ongoing"; row.Keys != keys || row.Levels[0] != l.LevelWarning {
		t.Errorf("its row is %+v", row)
	}
}

// TestFullCriticalLaneCutsOff: a reader who does not take CRITICAL packets is
// handed what it has, then told where to come back, and comes back.
func TestFullCriticalLaneCutsOff(t *testing.T) {
	log := &recorded{}
	h := newHub(t, HubOptions{Lanes: Limits{Critical: 2}, Subscribers: 1})
	s := subscribe(t, h, Filter{Minimum: l.PriorityHigh})
	for range 5 {
		h.Publish(log.halt())
	}
	got, err := waiting(t, s)
	var slow *SlowError
	if !errors.As(err, &slow) || slow.After != 3 || !slices.Equal(words(got), []string{"2", "3"}) {
		t.Fatalf("got %v and %v", words(got), err)
	}
	if _, err := s.Next(t.Context()); !errors.As(err, &slow) {
		t.Errorf("asked again it says %v", err)
	}
	if st := h.Stats(); st.Cut != 1 || st.Subscribers != 0 {
		t.Errorf("statistics %+v", st)
	}
	back, err := h.SubscribeFrom(log, After(slow.After), Filter{Minimum: l.PriorityHigh})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	wantWords(t, back, "4", "5", "6")
	h.Publish(log.halt())
	wantWords(t, back, "7")
}

func TestClosing(t *testing.T) {
	h := newHub(t, HubOptions{Subscribers: 2, Lanes: Limits{Normal: 1}})
	a, b := subscribe(t, h, Filter{}), subscribe(t, h, Filter{})
	if _, err := h.Subscribe(Filter{}); !errors.Is(err, ErrFull) {
		t.Errorf("a third subscriber: %v", err)
	}
	a.Close()
	a.Close()
	if n := h.Stats().Subscribers; n != 1 {
		t.Errorf("%d subscribers", n)
	}
	if _, err := a.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed subscription says %v", err)
	}
	publish(h, 2, l.LevelInfo)
	publish(h, 3, l.LevelInfo)
	h.Close()
	h.Close()
	publish(h, 4, l.LevelInfo)
	got, err := waiting(t, b)
	if want := []string{"slow_subscriber NORMAL 2 2 1 false", "3"}; !errors.Is(err, ErrClosed) || !slices.Equal(words(got), want) {
		t.Errorf("got %v and %v", words(got), err)
	}
	if _, err := h.Subscribe(Filter{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed hub says %v", err)
	}
}

// TestNextWaits for a packet, for the end of its context, and for the hub.
func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, HubOptions{})
		s := subscribe(t, h, Filter{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a packet: %v", err)
		}
		go func() {
			time.Sleep(time.Minute)
			publish(h, 2, l.LevelInfo)
			time.Sleep(time.Minute)
			h.Close()
		}()
		if d, err := s.Next(t.Context()); err != nil || d.Packet.Seq != 2 {
			t.Errorf("got %v, %v", d, err)
		}
		if s.Waiting() {
			t.Error("something waits")
		}
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("at the end: %v", err)
		}
	})
}

func TestHubOptionsAreChecked(t *testing.T) {
	for _, bad := range []HubOptions{
		{Lanes: Limits{High: -1}}, {EmergencyPerMin: MaxEmergencyPerMin + 1}, {Subscribers: -1}, {Subscribers: MaxSubscribers + 1},
	} {
		if _, err := NewHub(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// recorded is a log in memory that makes its own records.
type recorded struct{ records []l.Record }

func (g *recorded) next() l.Seq { return l.Seq(len(g.records) + 2) }

func (g *recorded) add(events ...l.Event) l.Record {
	r := l.Record{Seq: g.next(), At: l.Instant(g.next()) * 1e9, Run: "r1", Events: events}
	g.records = append(g.records, r)
	return r
}

func (g *recorded) halt() l.Record { return g.add(l.RunHalted{Run: "r1"}) }

// Records implements Log.
func (g *recorded) Records(from l.Seq) iter.Seq2[l.Record, error] {
	records := g.records
	return func(yield func(l.Record, error) bool) {
		for _, r := range records {
			if r.Seq >= from && !yield(r, nil) {
				return
			}
		}
	}
}
