package decider_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// want orders a command and demands the reason of its rejection.
func (o person) want(why leyline.RejectReason, c leyline.Command) []leyline.Event {
	o.t.Helper()
	got, ev := o.orders(c)
	if got != why {
		e, _ := first[leyline.CommandRejected](ev)
		o.t.Fatalf("%s is decided as %s (%s), want %s", c.Kind, got, e.Detail, why)
	}
	return ev
}

// TestKindsOfTheOperatorAlone: the policy may not issue them, whatever its key says.
func TestKindsOfTheOperatorAlone(t *testing.T) {
	w := newWorld(t)
	w.open()
	for _, c := range []leyline.Command{
		{Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Reason: "x"}},
		{Kind: leyline.CommandOptimizer, Optimizer: leyline.OptimizerCommand{Action: leyline.OptimizerRebuildNow, Reason: "x"}},
		{Kind: leyline.CommandCircuitBreaker}, {Kind: leyline.CommandStructuralPruning},
	} {
		v := w.valid(leyline.SeedCommand{})
		v.Kind, v.Rollback, v.Optimizer = c.Kind, c.Rollback, c.Optimizer
		w.s.Plane.Keys[0].Kinds = leyline.CommandUnknown.Members()
		w.at++
		v.ID = leyline.CommandID("k-" + w.at.String())
		if e := one[leyline.CommandRejected](w, w.must(w.received(v))); e.Reason != leyline.RejectOperatorOnly {
			t.Errorf("%s of the policy: %s (%s)", c.Kind, e.Reason, e.Detail)
		}
	}
	w.enrol("ada").want(leyline.RejectPruning, leyline.Command{Kind: leyline.CommandStructuralPruning})
}

func optimizes(action leyline.OptimizerAction, factor float64) leyline.Command {
	return leyline.Command{Kind: leyline.CommandOptimizer, Optimizer: leyline.OptimizerCommand{Action: action, Factor: factor, Reason: "test"}}
}

// TestOptimizerIsMadeAnew by the order that the trainer acknowledges anyway, and not
// twice at a time or too soon.
func TestOptimizerIsMadeAnew(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled, c.Tolaria.RebuildMin = false, 3 })
	w.open()
	w.steps(2)
	ada := w.enrol("ada")
	ev := ada.want(leyline.RejectNone, optimizes(leyline.OptimizerRebuildNow, 0))
	e := one[leyline.OptimizerRebuild](w, ev)
	if e.Stage != leyline.RebuildRequested || e.Fence != leyline.FenceCommand || e.Step != 2 {
		t.Errorf("ordered %+v", e)
	}
	if s := one[leyline.CommandSettled](w, ev); s.Outcome != leyline.OutcomeOK || len(w.s.Kasmina.Pending) != 0 {
		t.Errorf("settled %+v, pending %+v", s, w.s.Kasmina.Pending)
	}
	ada.want(leyline.RejectBarred, optimizes(leyline.OptimizerRebuildNow, 0))
	state := leyline.OptimizerState{Groups: 1, Parameters: 10, Digest: digest("optimizer")}
	x := w.report()
	x.Acks = []leyline.OrderAck{{Order: w.run().Rebuild.Order, Kind: leyline.EffectRebuild, Outcome: leyline.OutcomeOK, Before: state, After: state}}
	if e := one[leyline.OptimizerRebuild](w, w.must(x)); e.Stage != leyline.RebuildDone {
		t.Errorf("acknowledged as %+v", e)
	}
	ada.want(leyline.RejectBarred, optimizes(leyline.OptimizerRebuildNow, 0))
	w.steps(3)
	ada.want(leyline.RejectNone, optimizes(leyline.OptimizerRebuildNow, 0))
}

// TestOpenBreakerBarsTheOptimizer, which an operator may force CLOSED first.
func TestOpenBreakerBarsTheOptimizer(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	w.open()
	w.steps(1)
	ada := w.enrol("ada")
	force := func(s leyline.BreakerState) leyline.Command {
		return leyline.Command{Kind: leyline.CommandCircuitBreaker, Breaker: leyline.BreakerCommand{Breaker: leyline.BreakerOptimizer, State: s, Reason: "test"}}
	}
	for _, s := range leyline.BreakerUnknown.Members() {
		e := one[leyline.BreakerMoved](w, ada.want(leyline.RejectNone, force(s)))
		if e.Action != leyline.BreakerForced || e.To != s || w.run().Breaker(leyline.BreakerOptimizer).State != s {
			t.Errorf("forced %+v", e)
		}
	}
	ada.want(leyline.RejectNone, force(leyline.BreakerOpen))
	ada.want(leyline.RejectBarred, optimizes(leyline.OptimizerRebuildNow, 0))
	ada.want(leyline.RejectNone, force(leyline.BreakerClosed))
	ada.want(leyline.RejectNone, optimizes(leyline.OptimizerRebuildNow, 0))
	before := w.run().Breakers
	ada.want(leyline.RejectBreakerInvalid, force(leyline.BreakerUnknown))
	c := force(leyline.BreakerOpen)
	c.Breaker.Breaker = leyline.BreakerUnspecified
	ada.want(leyline.RejectBreakerInvalid, c)
	if d := cmp.Diff(before, w.run().Breakers); d != "" {
		t.Errorf("a command that was rejected has moved a breaker:\n%s", d)
	}
}

// TestRatesAreScaled on top of what the run declared, on top of a policy, and after
// a rollback as before it.
func TestRatesAreScaled(t *testing.T) {
	declared := plan()
	declared.Groups = []leyline.ParamGroup{{Name: "net", Rate: 0.1, Parameters: 10}}
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	w.inc = one[leyline.RunStarted](w, w.must(declared)).Incarnation
	w.steps(1)
	ada := w.enrol("ada")
	ev := ada.want(leyline.RejectNone, optimizes(leyline.OptimizerScale, 0.5))
	if e := one[leyline.RatesScaled](w, ev); e.Factor != 0.5 {
		t.Errorf("scaled by %+v", e)
	}
	e := one[leyline.RateSet](w, w.must(w.report()))
	if e.Policy != leyline.LRNone || e.Factor != 0.5 || !slices.Equal(e.Rates, []float64{0.05}) {
		t.Errorf("ordered %+v", e)
	}
	if _, again := first[leyline.RateSet](w.must(w.report())); again {
		t.Error("the same rates are ordered twice")
	}
	w.steps(8)
	w.fault()
	to := w.run().Rollback.Snapshot
	w.must(w.rollback(leyline.PhasePrepare, digest(string(to))))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest(string(to))))).Incarnation
	if e := one[leyline.RateSet](w, w.must(w.report())); e.Factor != 0.5 {
		t.Errorf("after the rollback: %+v", e)
	}
	ada.want(leyline.RejectNone, optimizes(leyline.OptimizerScale, 1))
	if e := one[leyline.RateSet](w, w.must(w.report())); !slices.Equal(e.Rates, []float64{0.1}) {
		t.Errorf("taken back: %+v", e)
	}
	bare := newWorld(t)
	bare.open()
	bare.enrol("ada").want(leyline.RejectUndeclared, optimizes(leyline.OptimizerScale, 0.5))
	bare.enrol("ada").want(leyline.RejectMalformed, optimizes(leyline.OptimizerScale, -1))
}

func back(id leyline.SnapshotID, step leyline.Step) leyline.Command {
	return leyline.Command{Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Snapshot: id, Step: step, Reason: "test"}}
}

// TestOperatorRollsBack to a step or to a snapshot by name. The trainer may take its
// time.
func TestOperatorRollsBack(t *testing.T) {
	for name, c := range map[string]leyline.Command{"by step": back("", 7), "by name": back("s-1-5", 0)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			ada := w.enrol("ada")
			ada.want(leyline.RejectNoSnapshot, back("", 0))
			w.steps(12)
			e := one[leyline.RollbackStarted](w, ada.want(leyline.RejectNone, c))
			if e.Cause != leyline.FaultOperator || e.Snapshot != "s-1-5" || e.FaultStep != 12 || e.Deadline != 0 {
				t.Errorf("started %+v", e)
			}
			ada.want(leyline.RejectRollbackActive, c)
			w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
			f := one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5"))))
			if w.inc = f.Incarnation; f.Outcome != leyline.OutcomeOK || w.run().Track.Step != 5 || w.run().Emergency != leyline.EmergencyNotice {
				t.Errorf("finished %+v at step %d, level %s", f, w.run().Track.Step, w.run().Emergency)
			}
			w.steps(3)
		})
	}
}

func TestRollbacksThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(10)
	ada := w.enrol("ada")
	ada.want(leyline.RejectNoSnapshot, back("s-9-9", 0))
	ada.want(leyline.RejectNoSnapshot, back("s-1-10", 0)) // not proven yet
	ada.want(leyline.RejectMalformed, back("s-1-5", 5))
	w.run().Snapshot("s-1-5").Rollbacks = w.config.Tolaria.RollbackLimit
	ada.want(leyline.RejectNoSnapshot, back("s-1-5", 0))
	if w.run().Rollback.Active() || w.run().Status != leyline.RunStatusOpen {
		t.Errorf("the run is %s, its rollback %+v", w.run().Status, w.run().Rollback)
	}
	w.must(leyline.RunClosed{Run: "run-1", Incarnation: w.inc, Step: 10, Outcome: leyline.OutcomeOK, Digest: digest("end")})
	for _, c := range []leyline.Command{
		back("s-1-5", 0), paused(leyline.PauseStart, "seed-a"), optimizes(leyline.OptimizerRebuildNow, 0),
		{Kind: leyline.CommandCircuitBreaker, Breaker: leyline.BreakerCommand{Breaker: leyline.BreakerCompile, State: leyline.BreakerOpen, Reason: "x"}},
	} {
		ada.want(leyline.RejectRunNotOpen, c)
	}
}
