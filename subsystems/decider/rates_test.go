package decider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// cosine is a short schedule that ends at its floor.
func cosine(c *leyline.ExecutionConfig) {
	c.Tolaria.LRPolicy, c.Tolaria.LRPeriod, c.Tolaria.LRFloor = leyline.LRCosine, 8, 0.1
}

// openGroups opens a run of two groups whose rates differ by a factor of 4.
func (w *world) openGroups() {
	w.t.Helper()
	x := plan()
	x.Groups = []leyline.ParamGroup{{Name: "trunk", Rate: 0.1, Parameters: 8}, {Name: "heads", Rate: 0.4, Parameters: 2}}
	w.inc = one[leyline.RunStarted](w, w.must(x)).Incarnation
}

// obeyed is the next report of a trainer that does what it is told at once.
func (w *world) obeyed() leyline.StepObserved {
	x := w.report()
	if id := w.run().Rates.Order; !id.IsZero() {
		x.Acks = []leyline.OrderAck{{Order: id, Kind: leyline.EffectRates, Outcome: leyline.OutcomeOK, TookNs: 1000}}
	}
	return x
}

func TestRatesFollowTheirPolicyAndKeepTheirRatios(t *testing.T) {
	w := newWorld(t, cosine)
	w.openGroups()
	last := 1.0
	for step := leyline.Step(1); step <= 9; step++ {
		ev := w.must(w.obeyed())
		set := one[leyline.RateSet](w, ev)
		if set.Step != step || set.Rates[1] != float64(0.4*set.Factor) || set.Rates[0] != float64(0.1*set.Factor) {
			t.Errorf("step %d: %+v", step, set)
		}
		if step == 1 && set.Factor != 1 || step > 1 && set.Factor >= last || step == 9 && set.Factor != 0.1 {
			t.Errorf("step %d has factor %v after %v", step, set.Factor, last)
		}
		last = set.Factor
		if a, answered := first[leyline.RateAcked](ev); answered != (step > 1) || answered && a.Outcome != leyline.OutcomeOK {
			t.Errorf("step %d: acknowledged as %+v", step, a)
		}
		w.serve()
	}
	if set, again := first[leyline.RateSet](w.must(w.obeyed())); again {
		t.Errorf("rates that did not change were ordered again: %+v", set)
	}
	if !w.run().Rates.Order.IsZero() {
		t.Error("an order is still open")
	}
}

func TestRatesAreLeftAloneWithoutAPolicy(t *testing.T) {
	w := newWorld(t)
	w.openGroups()
	if set, any := first[leyline.RateSet](w.must(w.report())); any {
		t.Errorf("the plane set %+v", set)
	}
}

func TestPolicyNeedsDeclaredRates(t *testing.T) {
	w := newWorld(t, cosine)
	if r := w.refused(plan()); r.Kind != leyline.RefusalMissingField || r.Field != "groups" {
		t.Errorf("a run without groups is refused as %+v", r)
	}
}

// TestRatesRewindWithTheNetwork trains steps 6 to 9 twice. They have the same
// rates, and the first of them is ordered although it is the one ordered last.
func TestRatesRewindWithTheNetwork(t *testing.T) {
	w := newWorld(t, cosine)
	w.openGroups()
	var before, after [][]float64
	train := func(to *[][]float64) {
		for range 4 {
			*to = append(*to, one[leyline.RateSet](w, w.must(w.obeyed())).Rates)
			w.serve()
		}
	}
	for w.run().Track.Step < 5 {
		w.must(w.obeyed())
		w.serve()
	}
	w.must(w.snapshot("s-1-5"))
	train(&before)
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
	ev := w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5")))
	w.inc = one[leyline.RollbackFinished](w, ev).Incarnation
	if a := one[leyline.RateAcked](w, ev); a.Outcome != leyline.OutcomeSuperseded {
		t.Errorf("the order to the network that is gone ended %s", a.Outcome)
	}
	train(&after)
	if d := cmp.Diff(before, after); d != "" {
		t.Error(d)
	}
}

// TestRatesAreOrderedAnewAfterARollback also when they are those ordered last and
// were acknowledged: what a restored trainer uses is not known.
func TestRatesAreOrderedAnewAfterARollback(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.LRPolicy = leyline.LRConstant })
	w.openGroups()
	for w.run().Track.Step < 5 {
		w.must(w.obeyed())
		w.serve()
	}
	w.must(w.snapshot("s-1-5"))
	if set, again := first[leyline.RateSet](w.must(w.obeyed())); again {
		t.Fatalf("a constant rate was ordered again: %+v", set)
	}
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5")))).Incarnation
	one[leyline.RateSet](w, w.must(w.report()))
}

func TestOrderThatIsNotCarriedOut(t *testing.T) {
	w := newWorld(t, cosine)
	w.openGroups()
	w.must(w.report())
	id := w.run().Rates.Order
	x := w.report()
	x.Acks = []leyline.OrderAck{{Order: id, Kind: leyline.EffectRates, Outcome: leyline.OutcomeFailed, Reason: "no such group"}}
	ev := w.must(x)
	if a := one[leyline.RateAcked](w, ev); a.Outcome != leyline.OutcomeFailed || a.Reason != "no such group" {
		t.Errorf("closed as %+v", a)
	}
	ev = w.must(w.report()) // says nothing of the next order, which the one after it overtakes
	if a := one[leyline.RateAcked](w, ev); a.Outcome != leyline.OutcomeSuperseded {
		t.Errorf("closed as %+v", a)
	}
	x = w.report()
	x.Acks = []leyline.OrderAck{{Order: id, Kind: leyline.EffectRates, Outcome: leyline.OutcomeOK}}
	ev = w.must(x)
	acked := leyline.RateAcked{Run: "run-1", Order: id, Outcome: leyline.OutcomeSuperseded, Reason: "was closed before the trainer answered ok"}
	if d := cmp.Diff(acked, one[leyline.RateAcked](w, ev)); d != "" {
		t.Errorf("a late word: %s", d)
	}
	w.serve()
	due, ok := w.s.NextTimer()
	if !ok || due.Timer != leyline.TimerRates || due.Subject != w.run().Rates.Order.String() {
		t.Fatalf("armed is %+v", due)
	}
	w.at = due.Due
	if a := one[leyline.RateAcked](w, w.must(due)); a.Outcome != leyline.OutcomeDeadline || w.run().Rates.Policy != 0 {
		t.Errorf("closed as %+v, rates %+v", a, w.run().Rates)
	}
	one[leyline.RateSet](w, w.must(w.report()))
}

// TestOrdersAfterARestart: whether a trainer that is gone set its rates is
// unknown, and the resumed one is told them at its first step.
func TestOrdersAfterARestart(t *testing.T) {
	w := newWorld(t, cosine)
	w.openGroups()
	w.must(w.report())
	id := w.run().Rates.Order
	ev := w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	if e := one[leyline.EffectRecovered](w, ev); e.Effect != id || e.Kind != leyline.EffectRates || e.Reissued {
		t.Errorf("recovered as %+v", e)
	}
	x := plan()
	x.Groups, x.Resume = w.run().Plan.Groups, true
	w.inc = one[leyline.RunResumed](w, w.must(x)).Incarnation
	if set := one[leyline.RateSet](w, w.must(w.report())); set.Step != 1 || set.Factor != 1 {
		t.Errorf("the resumed trainer is told %+v", set)
	}
}
