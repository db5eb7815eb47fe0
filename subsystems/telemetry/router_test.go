package telemetry

import (
	"slices"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

func packet(seq l.Seq, levels ...l.Level) l.Packet {
	p := l.Packet{Seq: seq, Level: l.LevelInfo, Priority: l.PriorityNormal}
	for _, v := range levels {
		p.Events = append(p.Events, l.TelemetryEvent{Name: "e", Level: v})
		p.Level = max(p.Level, v)
	}
	p.Priority = l.PriorityOf(p.Level)
	return p
}

func newRouter(t testing.TB, limits Limits) *Router {
	t.Helper()
	r, err := NewRouter(limits)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func drain(next func() (l.Packet, bool)) []l.Seq {
	var out []l.Seq
	for p, ok := next(); ok; p, ok = next() {
		out = append(out, p.Seq)
	}
	return out
}

func expect(t *testing.T, what string, got, want []l.Seq) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestStreamsAndOrder(t *testing.T) {
	r := newRouter(t, Limits{})
	r.Route(packet(1))
	r.Route(packet(2, l.LevelInfo))
	r.Route(packet(3, l.LevelWarning))
	r.Route(packet(4, l.LevelError, l.LevelInfo))
	r.Route(packet(5, l.LevelWarning, l.LevelCritical, l.LevelInfo))
	r.Route(packet(6, l.LevelCritical))
	r.Route(packet(7, l.LevelWarning))
	expect(t, "emergency stream", drain(r.NextEmergency), []l.Seq{5, 6, 3, 4, 7})
	expect(t, "normal stream", drain(r.NextNormal), []l.Seq{1, 2})
}

func TestPeakOutlastsTheQueue(t *testing.T) {
	r := newRouter(t, Limits{})
	for i := range l.Seq(3) {
		r.Route(packet(i + 1))
	}
	drain(r.NextNormal)
	r.Route(packet(4))
	if s := r.Stats().Normal; s.Peak != 3 || s.Queued != 1 {
		t.Errorf("peak %d and queued %d, want 3 and 1", s.Peak, s.Queued)
	}
}

func TestNextFollowsBothStreams(t *testing.T) {
	r := newRouter(t, Limits{})
	r.Route(packet(1, l.LevelInfo))
	r.Route(packet(2, l.LevelWarning))
	r.Route(packet(3, l.LevelCritical))
	expect(t, "both streams", drain(r.Next), []l.Seq{3, 2, 1})
}

// TestFloodDoesNotDisplaceCritical: one CRITICAL packet before, within and
// after a flood of 100,000 warnings and as many informations.
func TestFloodDoesNotDisplaceCritical(t *testing.T) {
	const flood = 100_000
	r := newRouter(t, Limits{Critical: 3, High: 100, Normal: 100})
	r.Route(packet(1, l.LevelCritical))
	for i := range l.Seq(flood) {
		if i == flood/2 {
			r.Route(packet(2, l.LevelCritical))
		}
		r.Route(packet(10+i, l.LevelWarning))
		r.Route(packet(10+i, l.LevelInfo))
	}
	r.Route(packet(3, l.LevelCritical))
	s := r.Stats()
	if s.Critical.Dropped != 0 || s.Critical.Queued != 3 {
		t.Errorf("critical lane: %+v", s.Critical)
	}
	want := LaneStats{
		Capacity: 100, Queued: 100, Peak: 100, Routed: flood, Dropped: flood - 100, FirstLost: 10, LastLost: 10 + flood - 101,
	}
	if s.High != want || s.Normal != want {
		t.Errorf("high lane %+v\nnormal lane %+v\nwant %+v", s.High, s.Normal, want)
	}
	got := drain(r.NextEmergency)
	expect(t, "critical packets", got[:3], []l.Seq{1, 2, 3})
	if len(got) != 103 || got[3] != 10+flood-100 || got[102] != 10+flood-1 {
		t.Errorf("the newest 100 warnings should be left; got %d packets, %v ... %v", len(got), got[3], got[len(got)-1])
	}
	if _, lost := r.TakeGap(); lost {
		t.Error("a gap is reported although no critical packet was lost")
	}
}

// TestLabelsDoNotRoute: the level and priority written on a packet neither
// promote nor demote it.
func TestLabelsDoNotRoute(t *testing.T) {
	r := newRouter(t, Limits{Critical: 1})
	hidden := packet(1, l.LevelCritical)
	hidden.Level, hidden.Priority = l.LevelInfo, l.PriorityLow
	pretender := packet(2, l.LevelInfo)
	pretender.Level, pretender.Priority = l.LevelCritical, l.PriorityCritical
	r.Route(pretender)
	r.Route(hidden)
	expect(t, "emergency stream", drain(r.NextEmergency), []l.Seq{1})
	expect(t, "normal stream", drain(r.NextNormal), []l.Seq{2})
}

// TestCriticalOverflowCanBeRecomputed loses CRITICAL packets and gets them back
// from the records, as the package comment tells a reader to.
func TestCriticalOverflowCanBeRecomputed(t *testing.T) {
	record := func(seq l.Seq) l.Record {
		return l.Record{Seq: seq, Events: []l.Event{l.RunHalted{Run: "r1", Step: l.Step(seq)}}}
	}
	r := newRouter(t, Limits{Critical: 2})
	route := func(from, to l.Seq) {
		for seq := from; seq <= to; seq++ {
			for _, p := range Packets(record(seq)) {
				r.Route(p)
			}
		}
	}
	route(2, 6)
	delivered := drain(r.NextEmergency)
	expect(t, "the first ones are kept", delivered, []l.Seq{2, 3})
	gap, lost := r.TakeGap()
	if want := (Gap{First: 4, Last: 6, Packets: 3}); !lost || gap != want {
		t.Fatalf("gap is %+v, want %+v", gap, want)
	}
	for seq := gap.First; seq <= gap.Last; seq++ {
		for _, p := range Packets(record(seq)) {
			delivered = append(delivered, p.Seq)
		}
	}
	expect(t, "nothing is missing", delivered, []l.Seq{2, 3, 4, 5, 6})

	if gap, lost := r.TakeGap(); lost {
		t.Errorf("a gap is taken twice: %+v", gap)
	}
	route(7, 9)
	if gap, _ := r.TakeGap(); gap != (Gap{First: 9, Last: 9, Packets: 1}) {
		t.Errorf("the second gap is %+v", gap)
	}
	s := r.Stats().Critical
	if s.Dropped != 4 || s.FirstLost != 4 || s.LastLost != 9 {
		t.Errorf("statistics cover all losses: %+v", s)
	}
}

func TestLimits(t *testing.T) {
	s := newRouter(t, Limits{High: 7}).Stats()
	if s.Critical.Capacity != DefaultCritical || s.High.Capacity != 7 || s.Normal.Capacity != DefaultNormal {
		t.Errorf("capacities are %+v", s)
	}
	for _, bad := range []Limits{{Critical: -1}, {High: -1}, {Normal: MaxLane + 1}} {
		if _, err := NewRouter(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// TestMemoryIsBounded: routing and reading allocate nothing, a ring never
// grows, and a packet that was read or dropped is let go of.
func TestMemoryIsBounded(t *testing.T) {
	r := newRouter(t, Limits{Critical: 4, High: 4, Normal: 4})
	packets := []l.Packet{packet(1, l.LevelCritical), packet(2, l.LevelWarning), packet(3)}
	round := func() {
		for range 100 {
			for _, p := range packets {
				r.Route(p)
			}
		}
		for _, ok := r.Next(); ok; _, ok = r.Next() {
		}
	}
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("a round allocates %v times", n)
	}
	for _, ln := range []*lane{&r.critical, &r.high, &r.normal} {
		holds := func(p item) bool { return p.Seq != 0 || p.Events != nil }
		if len(ln.ring) != 4 || slices.ContainsFunc(ln.ring, holds) {
			t.Errorf("a ring of 4 empty slots is now %+v", ln.ring)
		}
	}
}
