package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

func (w *world) caution() *projections.Caution { return &w.s.Tamiyo.Run("run-1").Caution }

func cautions(mode leyline.Switch) leyline.Command {
	return leyline.Command{Kind: leyline.CommandConservative, Conservative: leyline.ConservativeCommand{Mode: mode, Reason: "test"}}
}

func quick(c *leyline.ExecutionConfig) { c.Tamiyo.HealthyWindows = 1 }

// Entering twice is one event; a further reason refreshes the last one, starts the
// healthy windows and the cool-down anew, and leaving says why, after what and how long.
func TestEnteredOnceLeftWithReasonAndDuration(t *testing.T) {
	w := newWorld(t, onWorker, func(c *leyline.ExecutionConfig) { c.Tamiyo.HealthyWindows, c.Tamiyo.CooldownMs = 2, 1_000 })
	w.open()
	in := one[leyline.ConservativeEntered](w, w.silent())
	if in.By != leyline.PartyPlane || in.Wanted != 2 || in.Until != w.at.Add(time.Second) || in.UntilStep != 0 || in.Cause != "" {
		t.Errorf("entered as %+v", in)
	}
	began, steps := w.at, w.run().Steps
	w.must(w.honest(w.ask()))
	ev := w.must(leyline.PolicyFailed{Request: w.ask(), Run: "run-1", Outcome: leyline.OutcomeFailed, Reason: "x"})
	if _, ok := first[leyline.ConservativeEntered](ev); ok {
		t.Error("entered twice")
	}
	if e := one[leyline.ConservativeRefreshed](w, ev); e.Reason != leyline.RiskPolicyFailed || e.Previous != leyline.RiskPolicyTimeout || e.Times != 2 || e.Until != w.at.Add(time.Second) {
		t.Errorf("refreshed as %+v", e)
	}
	if c := w.caution(); c.Healthy != 0 || c.Reason != leyline.RiskPolicyTimeout || c.Last != leyline.RiskPolicyFailed {
		t.Errorf("the caution is %+v", c)
	}
	for range 3 {
		if _, ok := first[leyline.ConservativeLeft](w.must(w.honest(w.ask()))); ok {
			t.Fatal("left within the cool-down")
		}
	}
	w.at = w.at.Add(time.Second)
	out := one[leyline.ConservativeLeft](w, w.must(w.honest(w.ask())))
	if out.Reason != leyline.RiskStabilised || out.Previous != leyline.RiskPolicyFailed || out.By != leyline.PartyPlane || out.Healthy != 4 {
		t.Errorf("left as %+v", out)
	}
	if out.LastedNs != uint64(w.at.Sub(began)) || out.LastedSteps != w.run().Steps-steps {
		t.Errorf("lasted %d ns and %d steps, want %d and %d", out.LastedNs, out.LastedSteps, w.at.Sub(began), w.run().Steps-steps)
	}
}

// In a lockstep run the cool-down counts training steps.
func TestCooldownOfALockstepRunCountsSteps(t *testing.T) {
	w := newWorld(t, onWorker, quick, func(c *leyline.ExecutionConfig) { c.Tamiyo.CooldownSteps, c.Tamiyo.CooldownMs = 7, 3_600_000 })
	p := plan()
	p.Lockstep = true
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	in := one[leyline.ConservativeEntered](w, w.silent())
	if in.Until != 0 || in.UntilStep != w.run().Track.Step+7 {
		t.Errorf("entered as %+v at %d steps", in, w.run().Steps)
	}
	for range 3 {
		if _, ok := first[leyline.ConservativeLeft](w.must(w.honest(w.ask()))); ok {
			t.Fatalf("left after %d steps, not before %d", w.run().Steps, in.UntilStep)
		}
	}
	one[leyline.ConservativeLeft](w, w.must(w.honest(w.ask())))
}

// A cool-down that begins with a rollback counts from the step that it goes back to.
func TestCooldownOfARollbackCountsFromItsSnapshot(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.CooldownSteps = 3 })
	p := plan()
	p.Lockstep = true
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	w.steps(14)
	if e := one[leyline.ConservativeEntered](w, w.fault()); e.UntilStep != 13 {
		t.Errorf("a rollback from step 15 to step 10 is entered as %+v", e)
	}
}

// While the breaker of the policy is not CLOSED nothing is left, however healthy the
// windows are.
func TestNotLeftWhileABreakerIsOnTrial(t *testing.T) {
	w := newWorld(t, onWorker, quick, func(c *leyline.ExecutionConfig) { c.Breaker.Failures, c.Breaker.Successes, c.Breaker.Open = 1, 3, 1 })
	w.open()
	w.silent()
	for i := range 2 {
		ev := w.must(w.honest(w.ask()))
		if _, ok := first[leyline.ConservativeLeft](ev); ok || w.standing(leyline.BreakerInference) != leyline.BreakerHalfOpen {
			t.Fatalf("answer %d on trial: %s, left %v", i+1, w.standing(leyline.BreakerInference), ok)
		}
	}
	one[leyline.ConservativeLeft](w, w.must(w.honest(w.ask())))
}

// What an operator has set is left by an operator only: not by healthy windows, not by
// a rewind, and a further reason does not make it a rule's.
func TestOperatorsModeIsTheOperators(t *testing.T) {
	w := newWorld(t, quick)
	w.open()
	w.steps(5)
	ada := w.enrol("ada")
	ada.want(leyline.RejectNotCautious, cautions(leyline.SwitchOff))
	e := one[leyline.ConservativeEntered](w, ada.want(leyline.RejectNone, cautions(leyline.SwitchOn)))
	if e.By != leyline.PartyOperator || e.Reason != leyline.RiskOperator || e.Cause == "" || e.Wanted != 0 || e.Step != 5 {
		t.Errorf("entered as %+v", e)
	}
	ada.want(leyline.RejectConservative, cautions(leyline.SwitchOn))
	w.steps(6)
	if !w.caution().Conservative {
		t.Fatal("healthy windows have left the operator's mode")
	}
	if e := one[leyline.ConservativeRefreshed](w, w.fault()); e.By != leyline.PartyOperator || e.Reason != leyline.RiskRollback || e.Wanted != 0 {
		t.Errorf("a rollback makes it %+v", e)
	}
	d := digest(string(w.run().Rollback.Snapshot))
	w.must(w.rollback(leyline.PhasePrepare, d))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, d))).Incarnation
	w.steps(6)
	p := plan()
	p.Resume = true
	w.inc = one[leyline.RunResumed](w, w.must(p)).Incarnation
	if w.steps(6); !w.caution().Conservative || w.caution().By != leyline.PartyOperator {
		t.Fatalf("after a rollback and a resume: %+v", w.caution())
	}
	out := one[leyline.ConservativeLeft](w, ada.want(leyline.RejectNone, cautions(leyline.SwitchOff)))
	if out.By != leyline.PartyOperator || out.Reason != leyline.RiskOperator || out.Previous != leyline.RiskRollback || out.Cause == "" || out.LastedSteps == 0 {
		t.Errorf("left as %+v", out)
	}
	w.must(p)
	if w.caution().Conservative {
		t.Error("a resume brings back what the operator has left")
	}
}

// An operator takes a rule's mode over, and may leave it.
func TestOperatorTakesAMode(t *testing.T) {
	w := newWorld(t, onWorker, quick)
	w.open()
	ada := w.enrol("ada")
	w.silent()
	if e := one[leyline.ConservativeRefreshed](w, ada.want(leyline.RejectNone, cautions(leyline.SwitchOn))); e.By != leyline.PartyOperator || e.Previous != leyline.RiskPolicyTimeout {
		t.Errorf("taken over as %+v", e)
	}
	if _, ok := first[leyline.ConservativeLeft](w.must(w.honest(w.ask()))); ok {
		t.Error("a healthy window leaves what the operator has taken over")
	}
	ada.want(leyline.RejectNone, cautions(leyline.SwitchOff))
	w.silent()
	ada.want(leyline.RejectNone, cautions(leyline.SwitchOff))
	if w.caution().Conservative {
		t.Error("the operator could not leave a rule's mode")
	}
}

// The policy may neither set nor leave the mode by command.
func TestPolicyMayNotCommandCaution(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(1)
	v := w.valid(leyline.SeedCommand{})
	v.Kind, v.Conservative = leyline.CommandConservative, cautions(leyline.SwitchOn).Conservative
	w.s.Plane.Keys[0].Kinds = leyline.CommandUnknown.Members()
	if e := one[leyline.CommandRejected](w, w.must(w.received(v))); e.Reason != leyline.RejectOperatorOnly {
		t.Errorf("rejected as %s", e.Reason)
	}
}

// tamiyo.conservative makes runs begin so, as an operator's.
func TestRunsBeginConservative(t *testing.T) {
	w := newWorld(t, quick, func(c *leyline.ExecutionConfig) { c.Tamiyo.Conservative = true })
	ev := w.must(plan())
	w.inc = one[leyline.RunStarted](w, ev).Incarnation
	if e := one[leyline.ConservativeEntered](w, ev); e.By != leyline.PartyOperator || e.Reason != leyline.RiskConfigured || e.Step != 0 {
		t.Errorf("begun as %+v", e)
	}
	for range 20 {
		if _, ok := first[leyline.CommandProposed](w.must(w.report())); ok {
			t.Fatal("a conservative run proposes")
		}
	}
	if !w.caution().Conservative {
		t.Error("left without an operator")
	}
	p := plan()
	p.Resume = true
	if n := len(w.must(p)); n == 0 || w.caution().Times != 1 {
		t.Errorf("a resume is one more reason: %+v", w.caution())
	}
}
