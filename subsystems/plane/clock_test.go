package plane_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// setClock is a wall clock that can be set. Its offset is in nanoseconds.
type setClock struct{ offset atomic.Int64 }

func (c *setClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// alarms lists the steps of the wall clock in a log, in order.
func alarms(rs []leyline.Record) (out []leyline.ClockAlarmed) {
	for _, r := range rs {
		for _, e := range r.Events {
			if x, ok := e.(leyline.ClockAlarmed); ok {
				out = append(out, x)
			}
		}
	}
	return out
}

// near reports whether a step is the one that was made, but for the slew.
func near(t *testing.T, got leyline.ClockAlarmed, want time.Duration) {
	t.Helper()
	if d := time.Duration(got.AmountNs) - want; d < -time.Second || d > time.Second {
		t.Errorf("alarmed as %v, the clock was set by %v", time.Duration(got.AmountNs), want)
	}
}

// TestClockSetWhileThePlaneRuns sets the wall clock by ten minutes, back and forward
// again: each is one alarm, no nonce comes to life again and honest commands, which
// carry plane time, go on.
func TestClockSetWhileThePlaneRuns(t *testing.T) {
	for _, first := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		var wall setClock
		d := newDesk(t)
		d.check(d.p.Shutdown(d.ctx()))
		d.wall = wall.now
		d.boot()
		ada := d.person("ada", 10)
		ada.bench.wall = nil // people's clocks are right
		send := func(what string, env leyline.Envelope, want leyline.RejectReason) {
			t.Helper()
			if why, _ := d.verdict(env); want == leyline.RejectNone && !leyline.Authentic(why) || want != leyline.RejectNone && why != want {
				t.Errorf("clock set by %v: %s: %s", first, what, why)
			}
		}
		victim := ada.sign(ada.next())
		send("before", victim, leyline.RejectNone)
		for _, step := range []time.Duration{first, -first} {
			wall.offset.Add(int64(step))
			for range 3 {
				send("a replay", victim, leyline.RejectNonceReplayed)
				send("an honest command", ada.sign(ada.next()), leyline.RejectNone)
			}
		}
		got := alarms(d.records())
		if len(got) != 2 {
			t.Fatalf("%d alarms for two steps: %+v", len(got), got)
		}
		near(t, got[0], first)
		near(t, got[1], -first)
	}
}

// TestClockSetBackWhileThePlaneWasDown starts a process whose wall clock is before the
// last record: plane time goes on from there, a spent command stays spent.
func TestClockSetBackWhileThePlaneWasDown(t *testing.T) {
	var wall setClock
	d := newDesk(t)
	ada := d.person("ada", 10)
	victim := ada.sign(ada.next())
	d.wants("before", victim, leyline.RejectNone)
	wall.offset.Store(-int64(10 * time.Minute))
	d.wall = wall.now
	d.restart()
	d.wall = nil
	d.wants("a replay", victim, leyline.RejectNonceReplayed)
	if why, _ := d.verdict(ada.sign(ada.next())); !leyline.Authentic(why) {
		t.Errorf("an honest command: %s", why)
	}
	rs := d.records()
	for i := 1; i < len(rs); i++ {
		if rs[i].At < rs[i-1].At {
			t.Fatalf("plane time goes back at record %d", rs[i].Seq)
		}
	}
	got := alarms(rs)
	if len(got) != 1 {
		t.Fatalf("%d alarms: %+v", len(got), got)
	}
	near(t, got[0], -10*time.Minute)
}

// TestSlewIsNoStep lets plane time be drawn toward a wall clock that was set, for a
// day, and the wall clock drift as real ones do: nothing of that is told as a step.
func TestSlewIsNoStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.config.Tamiyo.Enabled = false
		var wall setClock
		b.wall = wall.now
		log := b.newLog()
		p, err := b.start(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		look := func() {
			// Any input reads the clocks; one that is refused changes nothing.
			if _, err := p.Close(t.Context(), leyline.RunClosed{Run: "run-9"}); err == nil {
				t.Fatal("an unknown run was closed")
			}
		}
		wall.offset.Store(int64(20 * time.Second))
		var before time.Duration
		for minute := range 24 * 60 {
			time.Sleep(time.Minute)
			wall.offset.Add(int64(3 * time.Millisecond)) // 50 parts per million
			look()
			if minute == 0 {
				before = drift(t, p, &wall)
			}
		}
		if after := drift(t, p, &wall); after >= before/2 {
			t.Errorf("plane time was not drawn toward the wall clock: %v apart, then %v", before, after)
		}
		wall.offset.Add(-int64(6 * time.Second))
		look()
		if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		got := alarms(records(t, log))
		if len(got) != 2 {
			t.Fatalf("%d alarms for two steps: %+v", len(got), got)
		}
		near(t, got[0], 20*time.Second)
		near(t, got[1], -6*time.Second)
	})
}

// drift is how far the wall clock is ahead of plane time.
func drift(t *testing.T, p interface {
	View(context.Context, func(*projections.State)) error
}, wall *setClock) (d time.Duration) {
	t.Helper()
	if err := p.View(t.Context(), func(s *projections.State) { d = leyline.Instant(wall.now().UnixNano()).Sub(s.At) }); err != nil {
		t.Fatal(err)
	}
	return d
}
