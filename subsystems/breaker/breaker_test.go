package breaker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// machine plays a story against one breaker: "f" a failure, "s" a success, "?"
// an attempt that must be allowed, "!" one that must be refused, and a digit
// lets as much time, or as many steps, go by.
type machine struct {
	t   *testing.T
	cfg leyline.BreakerConfig
	now breaker.Now
	b   projections.Breaker
}

func (m *machine) take(e leyline.BreakerMoved) {
	if e.From != m.b.State || e.Breaker != m.b.ID || e.Run != m.now.Run {
		m.t.Errorf("moved %+v from %+v", e, m.b)
	}
	m.b = projections.Breaker{ID: e.Breaker, State: e.To, Failures: e.Failures, Successes: e.Successes, Until: e.Until, UntilStep: e.UntilStep}
}

func (m *machine) play(story string) {
	for i, c := range story {
		switch c {
		case 'f':
			m.take(breaker.Fail(&m.cfg, m.b, m.now, leyline.BreakerCompileFallback))
		case 's':
			if e, moves := breaker.Succeed(&m.cfg, m.b, m.now); moves {
				m.take(e)
			}
		case '?', '!':
			ok, e, moves := breaker.Allow(m.b, m.now)
			if !ok && (!moves || e.Action != leyline.BreakerDenied) {
				m.t.Errorf("%q: a refusal is told as %+v", story, e)
			}
			if ok != (c == '?') {
				m.t.Errorf("%q: attempt %d: allowed %v in state %+v", story, i, ok, m.b)
			}
			if moves {
				m.take(e)
			}
		default:
			m.now.At = m.now.At.Add(leyline.Millis(c - '0').Duration())
			m.now.Steps += uint64(c - '0')
		}
	}
}

func TestStories(t *testing.T) {
	for _, x := range []struct {
		name, story string
		want        leyline.BreakerState
	}{
		{"closed until the threshold", "?ff?", leyline.BreakerClosed},
		{"opens at the threshold", "fff!", leyline.BreakerOpen},
		{"a success starts the count again", "ffsff?", leyline.BreakerClosed},
		{"refuses during the cool-down", "fff4!", leyline.BreakerOpen},
		{"half open after it", "fff5?", leyline.BreakerHalfOpen},
		{"refusals do not extend it", "fff2!2!1?", leyline.BreakerHalfOpen},
		{"a failure extends it", "fff4f4!1?", leyline.BreakerHalfOpen},
		{"a failure while half open", "fff5?f4!1?", leyline.BreakerHalfOpen},
		{"enough successes close it", "fff5?ss?", leyline.BreakerClosed},
		{"one is not enough", "fff5?s?", leyline.BreakerHalfOpen},
		{"successes must be in a row", "fff5?sf5?s", leyline.BreakerHalfOpen},
		{"a failure forgets successes", "fff5?sf5?ss", leyline.BreakerClosed},
		{"successes while open say nothing", "fffsss!", leyline.BreakerOpen},
		{"closed again it takes as many failures", "fff5?ssff?f!", leyline.BreakerOpen},
	} {
		for _, lockstep := range []bool{false, true} {
			m := machine{t: t, cfg: leyline.BreakerConfig{Failures: 3, Open: 5, OpenSteps: 5, Successes: 2}}
			m.now = breaker.Now{Run: "r", At: 1000, Steps: 7, Lockstep: lockstep}
			m.b = (&projections.Run{}).Breaker(leyline.BreakerCompile)
			m.play(x.story)
			if m.b.State != x.want {
				t.Errorf("%s (lockstep %v): %+v, want %s", x.name, lockstep, m.b, x.want)
			}
			if lockstep && m.b.Until != 0 || !lockstep && m.b.UntilStep != 0 {
				t.Errorf("%s: the wrong clock decides: %+v", x.name, m.b)
			}
		}
	}
}

func TestMovesSayWhatHappened(t *testing.T) {
	cfg := leyline.BreakerConfig{Failures: 2, Open: 1, OpenSteps: 1, Successes: 1}
	now := breaker.Now{Run: "r", At: 10}
	b := projections.Breaker{ID: leyline.BreakerCompile, State: leyline.BreakerClosed, Failures: 1}
	want := leyline.BreakerMoved{
		Run: "r", Breaker: leyline.BreakerCompile, Action: leyline.BreakerTransition, From: leyline.BreakerClosed, To: leyline.BreakerOpen,
		Reason: leyline.BreakerCompileFallback, Failures: 2, Until: 1_000_010,
	}
	if d := cmp.Diff(want, breaker.Fail(&cfg, b, now, leyline.BreakerCompileFallback)); d != "" {
		t.Error(d)
	}
	b.State, b.Failures, b.Until = leyline.BreakerOpen, 2, 20
	want = leyline.BreakerMoved{
		Run: "r", Breaker: leyline.BreakerCompile, Action: leyline.BreakerTransition, From: leyline.BreakerOpen, To: leyline.BreakerHalfOpen,
		Reason: leyline.BreakerCooldownElapsed, Failures: 2,
	}
	now.At = 20
	if _, got, _ := breaker.Allow(b, now); cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
}

// TestOracle is the breaker of SPEC.md 8.4: two failures, 100 ms, two successes.
func TestOracle(t *testing.T) {
	m := machine{t: t, cfg: leyline.BreakerConfig{Failures: 2, Open: 100, OpenSteps: 100, Successes: 2}}
	m.now, m.b = breaker.Now{Run: "r", At: 1000}, (&projections.Run{}).Breaker(leyline.BreakerKernel)
	at := func(state leyline.BreakerState, failures, successes uint32) {
		t.Helper()
		if m.b.State != state || m.b.Failures != failures || m.b.Successes != successes {
			t.Errorf("it is %+v, want %s with %d failures and %d successes", m.b, state, failures, successes)
		}
	}
	m.play("f")
	at(leyline.BreakerClosed, 1, 0)
	m.play("f!")
	at(leyline.BreakerOpen, 2, 0)
	m.now.At = m.now.At.Add(leyline.Millis(200).Duration())
	m.play("?s")
	at(leyline.BreakerHalfOpen, 2, 1)
	m.play("s")
	at(leyline.BreakerClosed, 0, 0)
	for _, c := range []struct {
		to       leyline.BreakerState
		failures uint32
		story    string
	}{
		{leyline.BreakerOpen, 2, "!"}, {leyline.BreakerHalfOpen, 0, "?"}, {leyline.BreakerClosed, 0, "?f?"}, {leyline.BreakerOpen, 2, "!f!"},
	} {
		e, ok := breaker.Force(&m.cfg, m.b, m.now, c.to)
		if !ok || e.Validate() != nil || e.Action != leyline.BreakerForced || e.Reason != leyline.BreakerOperator {
			t.Fatalf("forcing %s says %+v (%v)", c.to, e, e.Validate())
		}
		m.take(e)
		at(c.to, c.failures, 0)
		m.play(c.story)
	}
}

// TestForceRefusesWhatIsNoState leaves the breaker alone.
func TestForceRefusesWhatIsNoState(t *testing.T) {
	for _, to := range []leyline.BreakerState{leyline.BreakerUnknown, 9} {
		if e, ok := breaker.Force(&leyline.BreakerConfig{}, projections.Breaker{}, breaker.Now{}, to); ok {
			t.Errorf("%s: %+v", to, e)
		}
	}
}
