package telemetry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	l "github.com/esper-plane/esper/leyline"
)

// burst publishes packets of a level all at one moment, the first with seq.
func burst(h *Hub, at time.Duration, seq l.Seq, n int, level l.Level) {
	for i := range l.Seq(n) {
		h.PublishPackets(seq+i, l.Instant(at)+1, []l.Packet{packet(seq+i, level)})
	}
}

// TestEmergencyCap plays the oracles of SPEC.md 8.5.
func TestEmergencyCap(t *testing.T) {
	t.Run("cap 5, burst", func(t *testing.T) {
		h := newHub(t, HubOptions{EmergencyPerMin: 5})
		s := subscribe(t, h, Filter{})
		burst(h, 0, 2, 100, l.LevelWarning)
		wantWords(t, s, "emergency_cap HIGH 7 101 95 true", "2", "3", "4", "5", "6")
		if st := h.Stats(); st.Capped != 95 || st.Tokens != 0 {
			t.Errorf("statistics %+v", st)
		}
	})
	t.Run("cap 3 of 10, then the end", func(t *testing.T) {
		h := newHub(t, HubOptions{EmergencyPerMin: 3})
		s := subscribe(t, h, Filter{})
		burst(h, 0, 2, 10, l.LevelWarning)
		if st := h.Stats(); st.Capped != 7 || st.Tokens > 1 {
			t.Errorf("statistics %+v", st)
		}
		h.Close()
		got, _ := waiting(t, s)
		if want := []string{"emergency_cap HIGH 5 11 7 false", "2", "3", "4"}; !slices.Equal(words(got), want) {
			t.Errorf("got %q, want %q", words(got), want)
		}
	})
	t.Run("tokens come back evenly", func(t *testing.T) {
		h := newHub(t, HubOptions{EmergencyPerMin: 120})
		burst(h, 0, 2, 120, l.LevelWarning)
		before := h.Stats().Tokens
		burst(h, 1100*time.Millisecond, 200, 1, l.LevelInfo)
		if after := h.Stats().Tokens; before != 0 || after != 2.2 {
			t.Errorf("%v tokens, after 1.1 s %v; want 0 and 2.2", before, after)
		}
	})
	t.Run("no cap", func(t *testing.T) {
		h := newHub(t, HubOptions{})
		s := subscribe(t, h, Filter{})
		burst(h, 0, 2, 1000, l.LevelWarning)
		if got, _ := waiting(t, s); len(got) != 1000 || h.Stats().Capped != 0 {
			t.Errorf("%d packets, %+v", len(got), h.Stats())
		}
	})
}

// TestCapIsTold when it shuts, and when packets may pass again before the next one does; a
// reader of the normal stream, of CRITICAL packets alone, or who came later has
// missed nothing and is not told.
func TestCapIsTold(t *testing.T) {
	h := newHub(t, HubOptions{EmergencyPerMin: 60})
	all, critical, normal := subscribe(t, h, Filter{}), subscribe(t, h, Filter{Minimum: l.PriorityCritical}), subscribe(t, h, Filter{Stream: l.StreamNormal})
	burst(h, 0, 2, 62, l.LevelWarning)
	burst(h, 7*time.Second, 70, 1, l.LevelInfo) // 7 tokens of 7.5: not yet
	got, _ := waiting(t, all)
	if len(got) != 62 || !slices.Equal(words(got[:2]), []string{"emergency_cap HIGH 62 63 2 true", "2"}) {
		t.Fatalf("%d packets, want a notice, 60 warnings and one of the normal stream; the first are %q", len(got), words(got[:2]))
	}
	if after := got[61].After.String(); after != "70,61,70" {
		t.Errorf("the cursor %s is past what was not told in full", after)
	}
	late := subscribe(t, h, Filter{})
	burst(h, 8*time.Second, 71, 1, l.LevelWarning)
	wantWords(t, all, "emergency_cap HIGH 62 63 2 false", "71")
	wantWords(t, critical)
	wantWords(t, normal, "70")
	wantWords(t, late, "71")
}

// TestCapIsNeverSilent: a reader who waits is woken when the cap shuts, though no
// record follows, and once. It comes back with the notice's cursor and is served
// what was held back.
func TestCapIsNeverSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &recorded{}
		h := newHub(t, HubOptions{EmergencyPerMin: 10})
		s := subscribe(t, h, Filter{})
		var got []Delivery
		go func() {
			for {
				d, err := s.Next(t.Context())
				if err != nil {
					return
				}
				got = append(got, d)
			}
		}()
		for range 100 {
			r := log.add(l.TrainerStalled{Run: "r1"})
			r.At = 1
			h.Publish(r)
			synctest.Wait()
		}
		time.Sleep(time.Hour) // of the reader, not of the packets
		synctest.Wait()
		if w := words(got); len(w) < 11 || w[len(w)-1] != "emergency_cap HIGH 12 12 1 true" {
			t.Fatalf("got %q", w)
		}
		if v := got[len(got)-1].Packet.Metrics[0].Value; v != 1 {
			t.Errorf("the first notice counts %v", v)
		}
		back, err := h.SubscribeFrom(log, got[len(got)-1].After, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		served, err := waiting(t, back)
		if w := words(served); err != nil || len(w) != 90 || w[0] != "12" || w[89] != "101" {
			t.Errorf("back, it is served %q and %v", w, err)
		}
		back.Close()
		h.Close()
		synctest.Wait()
		last := got[len(got)-1]
		if w := words(got); w[len(w)-1] != "emergency_cap HIGH 12 101 90 false" || last.Packet.Metrics[0].Value != 89 {
			t.Errorf("in the end it is told %q and counted %v", w[len(w)-1], last.Packet.Metrics[0].Value)
		}
	})
}

// TestCapShutsTwiceBeforeItIsRead: what was held back before packets passed and
// what is held back behind them are told apart; several times that are over are
// told as one.
func TestCapShutsTwiceBeforeItIsRead(t *testing.T) {
	h := newHub(t, HubOptions{EmergencyPerMin: 16})
	s := subscribe(t, h, Filter{})
	burst(h, 0, 2, 18, l.LevelWarning)
	wantWords(t, s, append([]string{"emergency_cap HIGH 18 19 2 true"}, numbers(2, 17)...)...)
	burst(h, 0, 20, 1, l.LevelWarning)
	burst(h, 8*time.Second, 30, 4, l.LevelWarning) // two tokens
	got, _ := waiting(t, s)
	if w, want := words(got), []string{"emergency_cap HIGH 18 20 3 false", "emergency_cap HIGH 32 33 2 true", "30", "31"}; !slices.Equal(w, want) {
		t.Fatalf("got %q, want %q", w, want)
	}
	if a := got[3].After.String(); a != "33,31,33" {
		t.Errorf("the cursor is %s", a)
	}
	burst(h, 16*time.Second, 40, 4, l.LevelWarning)
	burst(h, 24*time.Second, 50, 4, l.LevelWarning)
	got, _ = waiting(t, s)
	if w, want := words(got), []string{"emergency_cap HIGH 32 43 4 false", "emergency_cap HIGH 52 53 2 true", "40", "41", "50", "51"}; !slices.Equal(w, want) {
		t.Fatalf("got %q, want %q", w, want)
	}
	if n := got[0].Packet.Metrics[0].Value; n != 2 {
		t.Errorf("%v of the four were not counted before", n)
	}
}

// numbers are the words of packets.
func numbers(from, to int) (out []string) {
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// TestCapIsToldPerRun: a reader of one run is told of its packets only.
func TestCapIsToldPerRun(t *testing.T) {
	h := newHub(t, HubOptions{EmergencyPerMin: 1})
	s := subscribe(t, h, Filter{Run: "r2"})
	for i, run := range []l.RunID{"r1", "r1", "r2", "r1"} {
		p := packet(l.Seq(i+2), l.LevelWarning)
		p.Run = run
		h.PublishPackets(p.Seq, 1, []l.Packet{p})
	}
	h.Close()
	got, _ := waiting(t, s)
	if want := []string{"emergency_cap HIGH 4 4 1 false"}; !slices.Equal(words(got), want) {
		t.Errorf("got %q, want %q", words(got), want)
	}
}

// TestCapUnderAFlood: warnings keep passing in rows, each between two notices.
func TestCapUnderAFlood(t *testing.T) {
	h := newHub(t, HubOptions{EmergencyPerMin: 60})
	s := subscribe(t, h, Filter{})
	seq, notices, packets := l.Seq(2), 0, 0
	var told uint64
	count := func() {
		got, _ := waiting(t, s)
		for _, d := range got {
			if d.Index < 0 {
				notices++
				told += uint64(d.Packet.Metrics[0].Value)
			} else {
				packets++
			}
		}
	}
	for second := range 601 {
		burst(h, time.Duration(second)*time.Second, seq, 10, l.LevelWarning)
		seq += 10
		count()
	}
	if notices != 75+74 || packets != 660-2 { // two notices every 8 seconds, the last one is due; 60 packets at once and 60 a minute, two tokens are left
		t.Errorf("%d notices and %d packets in ten minutes", notices, packets)
	}
	h.Close()
	if count(); notices != 2*75 {
		t.Errorf("%d notices in the end", notices)
	}
	if told != 6010-uint64(packets) || told != h.Stats().Capped {
		t.Errorf("told of %d, held back %d of 6010", told, h.Stats().Capped)
	}
}

// TestCriticalPassesTheCap and uses up what is left for others.
func TestCriticalPassesTheCap(t *testing.T) {
	h := newHub(t, HubOptions{EmergencyPerMin: 3})
	s := subscribe(t, h, Filter{})
	burst(h, 0, 2, 2, l.LevelCritical)
	burst(h, 0, 10, 3, l.LevelWarning)
	burst(h, 0, 20, 5, l.LevelCritical)
	wantWords(t, s, "2", "3", "20", "21", "22", "23", "24", "emergency_cap HIGH 11 12 2 true", "10")
}

// TestBucketAgainstASlowTwin compares with a bucket that keeps fractions, for
// times that stand still, jump and go back.
func TestBucketAgainstASlowTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, perMin := range []uint32{1, 3, 120, MaxEmergencyPerMin} {
		b := newBucket(perMin)
		level, shut, last, now := float64(perMin), false, l.Instant(0), l.Instant(1)
		for range 20_000 {
			now += l.Instant(rng.Int64N(int64(3 * time.Minute / time.Duration(perMin))))
			at := now
			if rng.IntN(50) == 0 {
				at -= l.Instant(time.Hour)
			}
			b.refill(at)
			if last != 0 && at > last {
				level = min(level+at.Sub(last).Minutes()*float64(perMin), float64(perMin))
			}
			last = max(last, at)
			enough := min(max(2, float64(perMin)/8), float64(perMin))
			opened := b.opens()
			if close := math.Abs(level-enough) < 1e-3; !close && opened != (shut && level >= enough) {
				t.Fatalf("cap %d: shut %v, opened %v with %v tokens", perMin, shut, opened, level)
			}
			shut = shut && !opened
			got := b.take()
			if close := math.Abs(level-1) < 1e-3; !close && got != (!shut && level >= 1) {
				t.Fatalf("cap %d: shut %v, taken %v with %v tokens", perMin, shut, got, level)
			}
			if shut = !got; got {
				level--
			}
			if got := b.tokens(); got < 0 || got > float64(perMin) || got-level > 1e-3 || level-got > 1e-3 {
				t.Fatalf("cap %d: %v tokens, want %v", perMin, got, level)
			}
		}
	}
	if b := newBucket(MaxEmergencyPerMin); b.full()+int64(time.Minute)*b.perMin < 0 {
		t.Error("the largest cap overflows")
	}
}
