package telemetry

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// twin is a router made of plain slices.
type twin struct{ critical, high, normal []l.Seq }

func (w *twin) route(seq l.Seq, level l.Level) {
	switch level {
	case l.LevelCritical:
		if len(w.critical) < 3 {
			w.critical = append(w.critical, seq)
		}
	case l.LevelError:
		w.high = append(w.high, seq)
		w.high = w.high[max(0, len(w.high)-2):]
	default:
		w.normal = append(w.normal, seq)
		w.normal = w.normal[max(0, len(w.normal)-5):]
	}
}

func take(lanes ...*[]l.Seq) l.Seq {
	for _, q := range lanes {
		if len(*q) > 0 {
			seq := (*q)[0]
			*q = (*q)[1:]
			return seq
		}
	}
	return 0
}

// TestRouterAgainstASlowTwin plays random operations on both.
func TestRouterAgainstASlowTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	r := newRouter(t, Limits{Critical: 3, High: 2, Normal: 5})
	var w twin
	levels := []l.Level{l.LevelCritical, l.LevelCritical, l.LevelError, l.LevelInfo, l.LevelInfo}
	for i := range l.Seq(20_000) {
		var got l.Packet
		var want l.Seq
		switch op := rng.IntN(8); {
		case op < len(levels):
			r.Route(packet(i+1, levels[op]))
			w.route(i+1, levels[op])
		case op < 7:
			got, _ = r.NextEmergency()
			want = take(&w.critical, &w.high)
		default:
			got, _ = r.NextNormal()
			want = take(&w.normal)
		}
		if got.Seq != want {
			t.Fatalf("operation %d: read packet %d, the twin has %d", i, got.Seq, want)
		}
		balance(t, r.Stats())
	}
}

func balance(t *testing.T, s Stats) {
	t.Helper()
	for _, x := range []LaneStats{s.Critical, s.High, s.Normal} {
		if x.Routed != x.Delivered+x.Dropped+uint64(x.Queued) || x.Queued > x.Capacity || x.Peak < x.Queued {
			t.Fatalf("a lane does not balance: %+v", x)
		}
	}
}

// TestConcurrentUse: four writers and two readers; every packet is delivered
// once or counted as dropped. Run it with -race.
func TestConcurrentUse(t *testing.T) {
	const writers, each = 4, 2000
	levels := []l.Level{l.LevelInfo, l.LevelWarning, l.LevelCritical}
	r := newRouter(t, Limits{Critical: 8, High: 8, Normal: 8})
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				r.Route(packet(l.Seq(w*each+i+1), levels[i%len(levels)]))
			}
		})
	}
	got := make([][]l.Seq, 2)
	for i, next := range []func() (l.Packet, bool){r.NextEmergency, r.NextNormal} {
		reading.Go(func() { got[i] = drainUntil(done, next) })
	}
	writing.Wait()
	close(done)
	reading.Wait()
	s := r.Stats()
	balance(t, s)
	if n := s.Critical.Routed + s.High.Routed + s.Normal.Routed; n != writers*each {
		t.Errorf("%d packets routed, want %d", n, writers*each)
	}
	if s.Critical.Queued+s.High.Queued+s.Normal.Queued != 0 {
		t.Errorf("packets are left over: %+v", s)
	}
	all := slices.Concat(got...)
	if uint64(len(all)) != s.Critical.Delivered+s.High.Delivered+s.Normal.Delivered {
		t.Errorf("%d packets received, statistics say %+v", len(all), s)
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != len(all) {
		t.Error("a packet was delivered twice")
	}
}

// drainUntil reads until done is closed and nothing is left.
func drainUntil(done <-chan struct{}, next func() (l.Packet, bool)) []l.Seq {
	var out []l.Seq
	for {
		select {
		case <-done:
			return append(out, drain(next)...)
		default:
			out = append(out, drain(next)...)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	r := newRouter(b, Limits{})
	p := packet(1, l.LevelWarning)
	b.ReportAllocs()
	for b.Loop() {
		r.Route(p)
	}
}
