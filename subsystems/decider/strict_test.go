package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// silent lets a question of the policy pass its deadline.
func (w *world) silent() []leyline.Event {
	w.t.Helper()
	return w.must(leyline.PolicyFailed{Request: w.ask(), Run: "run-1", Outcome: leyline.OutcomeDeadline, Reason: "late", TookNs: 5e6})
}

// pair reports the two steps of a window and returns what the second led to.
func (w *world) pair() []leyline.Event {
	w.t.Helper()
	w.must(w.report())
	return w.must(w.report())
}

func (w *world) standing(id leyline.BreakerID) leyline.BreakerState { return w.run().Breaker(id).State }

// Three timeouts open the breaker, which then lets no question pass; after its
// cool-down it lets one through at a time, and enough answers close it. None of it
// proposes a command.
func TestBreakerOfThePolicyBlocksAndProbes(t *testing.T) {
	for _, lockstep := range []bool{false, true} {
		w := newWorld(t, onWorker, func(c *leyline.ExecutionConfig) { c.Breaker.OpenSteps = 4 })
		w.lockstep = lockstep
		p := plan()
		p.Lockstep = lockstep
		w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
		for i := range 3 {
			ev := w.silent()
			moved := one[leyline.BreakerMoved](w, ev)
			if moved.Breaker != leyline.BreakerInference || moved.Failures != uint32(i+1) || moved.Reason != leyline.BreakerPolicyTimeout {
				t.Errorf("timeout %d moves %+v", i+1, moved)
			}
			if _, ok := first[leyline.CommandProposed](ev); ok {
				t.Error("a command took the place of an answer")
			}
		}
		if w.standing(leyline.BreakerInference) != leyline.BreakerOpen || !w.s.Tamiyo.Run("run-1").Caution.Conservative {
			t.Fatalf("after three timeouts: %s, %+v", w.standing(leyline.BreakerInference), w.s.Tamiyo.Run("run-1").Caution)
		}
		ev := w.pair()
		if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskPolicyBreaker {
			t.Errorf("nothing is done for %s", e.Reason)
		}
		if _, ok := first[leyline.PolicyAsked](ev); ok {
			t.Error("an open breaker let a question pass")
		}
		if e := one[leyline.BreakerMoved](w, ev); e.Action != leyline.BreakerDenied {
			t.Errorf("the refusal is told as %+v", e)
		}
		if lockstep {
			w.must(w.report())
			w.must(w.report())
		} else {
			w.at = w.at.Add(w.config.Breaker.Open.Duration())
		}
		w.must(w.honest(w.ask()))
		if w.standing(leyline.BreakerInference) != leyline.BreakerHalfOpen || w.run().Breaker(leyline.BreakerInference).Successes != 1 {
			t.Fatalf("after one answer on trial: %+v", w.run().Breaker(leyline.BreakerInference))
		}
		w.must(w.honest(w.ask()))
		if w.standing(leyline.BreakerInference) != leyline.BreakerClosed {
			t.Errorf("after two answers on trial: %+v", w.run().Breaker(leyline.BreakerInference))
		}
	}
}

// A run that may grow kinds of seed and has no slot for one leaves the policy nothing
// that it could name: that is a failure, not a quiet nothing.
func TestNoSeedCandidates(t *testing.T) {
	for _, inline := range []bool{true, false} {
		w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.PolicyInline = inline })
		p := plan()
		p.Seeds = nil
		w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
		w.must(w.report())
		w.must(w.report())
		ev := w.pair()
		if !inline {
			ev = w.must(w.honest(w.s.Tamiyo.Run("run-1").Asked.Effect))
		}
		if e := one[leyline.PolicyRefused](w, ev); e.Reason != leyline.RiskNoCandidates || e.Refusal.Identifier != "run-1" || e.Step != 4 {
			t.Errorf("refused as %+v", e)
		}
		if e := one[leyline.BreakerMoved](w, ev); e.Breaker != leyline.BreakerInference || e.Failures != 1 {
			t.Errorf("counted as %+v", e)
		}
		if e := one[leyline.ConservativeEntered](w, ev); e.Reason != leyline.RiskNoCandidates {
			t.Errorf("entered as %+v", e)
		}
		if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskNoCandidates {
			t.Errorf("nothing is done for %s", e.Reason)
		}
		for _, e := range ev {
			if k := e.EventKind(); k == leyline.EventRiskAssessed || k == leyline.EventCommandProposed {
				t.Errorf("%s without anything to weigh", k)
			}
		}
		if q := w.s.Tamiyo.Run("run-1").Asked; !q.Effect.IsZero() {
			t.Errorf("the question stays open: %+v", q)
		}
	}
}

// Budgets are learned from answers, each change is recorded, and the next question
// is held to it. A lockstep run learns nothing.
func TestBudgetIsLearned(t *testing.T) {
	learning := func(c *leyline.ExecutionConfig) {
		onWorker(c)
		c.Tamiyo.BudgetMode, c.Tamiyo.BudgetSamples, c.Tamiyo.BudgetFactor = leyline.BudgetsLearned, 2, 3
		c.Tolaria.HookBudget = 20
	}
	w := newWorld(t, learning)
	w.open()
	answer := func(ms uint64) []leyline.Event {
		x := w.honest(w.ask())
		x.TookNs = ms * 1e6
		ev := w.must(x)
		w.serve()
		return ev
	}
	if e := one[leyline.BudgetLearned](w, answer(2)); e.OldNs != 5e6 || e.NewNs != 5e6 || e.MaxNs != 2e6 || e.Samples != 1 {
		t.Errorf("the first answer teaches %+v", e)
	}
	if e := one[leyline.BudgetLearned](w, answer(1)); e.OldNs != 5e6 || e.NewNs != 6e6 || e.MaxNs != 2e6 || e.Samples != 2 || e.Effect != leyline.EffectPolicy {
		t.Errorf("the second answer teaches %+v", e)
	}
	w.ask()
	if e := one[leyline.PolicyAsked](w, w.last); e.Deadline.Sub(w.at) != 6*time.Millisecond {
		t.Errorf("the next question may take %s", e.Deadline.Sub(w.at))
	}
	w.must(w.honest(w.s.Tamiyo.Run("run-1").Asked.Effect)) // 1 ms, no longer than the longest
	if e, ok := first[leyline.BudgetLearned](w.last); ok {
		t.Errorf("an answer that teaches nothing is told: %+v", e)
	}
	if e := one[leyline.BudgetLearned](w, answer(15)); e.NewNs >= 20e6 || e.NewNs < 19e6 {
		t.Errorf("the budget grows to %d ns, and an answer may take 20 ms", e.NewNs)
	}
	l := newWorld(t, learning)
	p := plan()
	p.Lockstep = true
	l.inc = one[leyline.RunStarted](l, l.must(p)).Incarnation
	for range 4 {
		if e, ok := first[leyline.BudgetLearned](l.must(l.honest(l.ask()))); ok {
			t.Fatalf("a lockstep run learns %+v", e)
		}
		l.serve()
	}
}
