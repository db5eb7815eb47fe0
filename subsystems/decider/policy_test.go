package decider_test

import (
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

func onWorker(c *leyline.ExecutionConfig) { c.Tamiyo.PolicyBudget = 5 }

// ask reports steps until the policy is asked.
func (w *world) ask() leyline.EffectID {
	w.t.Helper()
	for range 20 {
		w.must(w.report())
		if q := w.s.Tamiyo.Run("run-1").Asked; !q.Effect.IsZero() {
			return q.Effect
		}
	}
	w.t.Fatal("the policy is never asked")
	return leyline.EffectID{}
}

// honest is what the rules answer now.
func (w *world) honest(q leyline.EffectID) leyline.PolicyAnswered {
	c := policy.Next(policy.Ask(w.s, "run-1"))
	return leyline.PolicyAnswered{Request: q, Run: "run-1", Command: c.Command, Reason: c.Reason, Why: c.Why, TookNs: 1e6}
}

func TestPolicyOnTheWorkerProposes(t *testing.T) {
	w := newWorld(t, onWorker)
	w.open()
	q := w.ask()
	if _, ok := first[leyline.CommandProposed](w.last); ok {
		t.Error("something was proposed before the answer")
	}
	p := one[leyline.CommandProposed](w, w.must(w.honest(q)))
	if p.Seed.Operation != leyline.OpGerminate || !w.s.Tamiyo.Run("run-1").Asked.Effect.IsZero() {
		t.Errorf("proposes %+v", p)
	}
	if r := w.refused(w.honest(q)); r.Kind != leyline.RefusalUnknownRequest {
		t.Errorf("a second answer is refused as %s", r.Kind)
	}
}

func TestLatePolicyProposesNothing(t *testing.T) {
	for _, x := range []struct {
		outcome leyline.Outcome
		why     leyline.RiskReason
	}{{leyline.OutcomeDeadline, leyline.RiskPolicyTimeout}, {leyline.OutcomeFailed, leyline.RiskPolicyFailed}} {
		w := newWorld(t, onWorker)
		w.open()
		q := w.ask()
		ev := w.must(leyline.PolicyFailed{Request: q, Run: "run-1", Outcome: x.outcome, Reason: "context deadline exceeded", TookNs: 5e6})
		if e := one[leyline.PolicyMissed](w, ev); e.Outcome != x.outcome || e.Request != q || e.Step != w.run().Track.Step {
			t.Errorf("missed as %+v", e)
		}
		if e := one[leyline.ConservativeEntered](w, ev); e.Reason != x.why {
			t.Errorf("conservative for %s, want %s", e.Reason, x.why)
		}
		if e := one[leyline.ActionNone](w, ev); e.Reason != x.why {
			t.Errorf("nothing is done for %s, want %s", e.Reason, x.why)
		}
		if _, ok := first[leyline.CommandProposed](ev); ok {
			t.Error("a command took the place of the policy's answer")
		}
		if r := w.refused(w.honest(q)); r.Kind != leyline.RefusalUnknownRequest {
			t.Errorf("the late answer is refused as %s", r.Kind)
		}
	}
}

// What an unanswered question interrupts begins again: windows that were healthy
// before it do not count.
func TestMissedPolicyInterruptsARowOfHealthyWindows(t *testing.T) {
	w := newWorld(t, onWorker, func(c *leyline.ExecutionConfig) { c.Tamiyo.HealthyWindows = 2 })
	w.open()
	miss := func() []leyline.Event {
		return w.must(leyline.PolicyFailed{Request: w.ask(), Run: "run-1", Outcome: leyline.OutcomeFailed, Reason: "x"})
	}
	one[leyline.ConservativeEntered](w, miss())
	w.must(w.honest(w.ask()))
	miss()
	if e, ok := first[leyline.ConservativeLeft](w.must(w.honest(w.ask()))); ok {
		t.Errorf("left after %d healthy windows, one before and one behind a miss", e.Healthy)
	}
	one[leyline.ConservativeLeft](w, w.must(w.honest(w.ask())))
}

func TestNoPolicyIsAskedOnASuspectStep(t *testing.T) {
	for _, budget := range []leyline.Millis{0, 5} {
		w := newWorld(t, spiky, func(c *leyline.ExecutionConfig) { c.Tamiyo.PolicyBudget = budget })
		w.open()
		for w.run().Track.Step < 11 {
			w.must(w.report())
			if q := w.s.Tamiyo.Run("run-1").Asked.Effect; !q.IsZero() {
				w.must(w.honest(q))
			}
			w.serve()
		}
		for _, e := range w.must(w.spike()) { // step 12, the end of a window
			switch e.EventKind() {
			case leyline.EventPolicyAsked, leyline.EventRiskAssessed, leyline.EventCommandProposed:
				t.Errorf("budget %d: %s on a suspect step", budget, e.EventKind())
			}
		}
	}
}

func TestAnswerThatIsNotTheRulesIsStale(t *testing.T) {
	for _, stale := range []bool{false, true} {
		w := newWorld(t, onWorker)
		w.open()
		x := w.honest(w.ask())
		if stale {
			x.Command.Seed = "seed-z"
		}
		ev := w.must(x)
		if p := one[leyline.CommandProposed](w, ev); p.Seed.Seed != "seed-a" {
			t.Errorf("proposes %+v, the rules say seed-a", p.Seed)
		}
		checks := one[leyline.RiskAssessed](w, ev).Checks
		if got := slices.ContainsFunc(checks, func(c leyline.RiskCheck) bool {
			return c.Reason == leyline.RiskPolicyStale && !c.OK && c.Mode == leyline.RuleShadow
		}); got != stale {
			t.Errorf("stale %v: the checks are %+v", stale, checks)
		}
	}
}

func TestQuestionIsVoidAfterARewind(t *testing.T) {
	w := newWorld(t, onWorker)
	w.open()
	for w.run().Track.Step < 11 {
		w.must(w.report())
		if q := w.s.Tamiyo.Run("run-1").Asked.Effect; !q.IsZero() && w.run().Track.Step < 10 {
			w.must(w.honest(q))
			w.serve()
		}
		if s := w.run().Track.Step; s%5 == 0 {
			w.must(w.snapshot("s-1-" + itoa(s)))
		}
	}
	q := w.s.Tamiyo.Run("run-1").Asked.Effect
	if q.IsZero() {
		t.Fatal("nothing is asked at step 10")
	}
	w.fault()
	id := digest(string(w.run().Rollback.Snapshot))
	w.must(w.rollback(leyline.PhasePrepare, id))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, id))).Incarnation
	if r := w.refused(leyline.PolicyFailed{Request: q, Run: "run-1", Outcome: leyline.OutcomeDeadline, Reason: "late"}); r.Kind != leyline.RefusalUnknownRequest {
		t.Errorf("the answer of a void question is refused as %s", r.Kind)
	}
}

func TestSecondWindowWaitsForTheFirst(t *testing.T) {
	w := newWorld(t, onWorker)
	w.open()
	w.ask()
	w.must(w.report())
	if e := one[leyline.ActionNone](w, w.must(w.report())); e.Reason != leyline.RiskPolicyPending {
		t.Errorf("nothing is done for %s", e.Reason)
	}
}

// An answer that comes while the network is in doubt or being rolled back is
// closed without looking at it.
func TestAnswerIsVoidWhileTheNetworkIsInDoubt(t *testing.T) {
	w := newWorld(t, onWorker, spiky, func(c *leyline.ExecutionConfig) { c.Tamiyo.HealthyWindows = 1 })
	w.open()
	for w.run().Track.Step < 11 {
		w.must(w.report())
		if q := w.s.Tamiyo.Run("run-1").Asked.Effect; !q.IsZero() {
			w.must(w.honest(q))
			w.serve()
		}
		if s := w.run().Track.Step; s%5 == 0 {
			w.must(w.snapshot("s-1-" + itoa(s)))
		}
	}
	q := w.ask()
	w.must(w.spike())
	ev := w.must(w.honest(q))
	if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskLossWarning || len(ev) != 1 {
		t.Errorf("while suspect: %s, %+v", kinds(ev), e)
	}
	w.must(w.report())
	q = w.ask()
	w.fault()
	ev = w.must(w.honest(q))
	if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskRollback || len(ev) != 1 {
		t.Errorf("during a rollback: %s, %+v", kinds(ev), e)
	}
	if !w.s.Tamiyo.Run("run-1").Asked.Effect.IsZero() {
		t.Error("the question is still open")
	}
}

func TestQuestionDiesWithItsProcess(t *testing.T) {
	w := newWorld(t, onWorker)
	w.open()
	w.ask()
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	if q := w.s.Tamiyo.Run("run-1").Asked; !q.Effect.IsZero() {
		t.Errorf("%+v waits for a process that is gone", q)
	}
}
