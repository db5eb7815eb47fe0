package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func rates(c *leyline.ExecutionConfig) {
	c.Tamiyo.ConflictMode, c.Tamiyo.RiskSamples = leyline.RuleEnforce, 1
}

// TestRatesAreLoweredAndGivenBack: what is about training lowers them window by
// window, not below the floor, and once it is over they are as they were.
func TestRatesAreLoweredAndGivenBack(t *testing.T) {
	w := newWorld(t, rates)
	w.openGroups()
	for _, want := range []float64{0.9, 0.81, 0.729, 0.6561, 0.59049, 0.531441, 0.5} {
		e, ev := w.assessed()
		p := one[leyline.CommandProposed](w, ev)
		if e.Proposed != leyline.OpGerminate || e.Effect != leyline.EffectSlow || e.Reason != leyline.RiskConflict {
			t.Fatalf("%s of %s for %s", e.Effect, e.Proposed, e.Reason)
		}
		if d := p.Optimizer.Factor - want; p.Kind != leyline.CommandOptimizer || d > 1e-12 || d < -1e-12 || p.Seed.Operation != leyline.OpUnknown {
			t.Fatalf("proposes %+v, want a factor of %v", p, want)
		}
		if w.run().RateScale != p.Optimizer.Factor || w.run().RateBy != leyline.PartyPolicy {
			t.Fatalf("in force is %v of %s", w.run().RateScale, w.run().RateBy)
		}
	}
	_, ev := w.assessed()
	if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskRatesLowered {
		t.Errorf("at the floor: nothing for %s", e.Reason)
	}
	for range 60 {
		if w.next(agreed); w.run().RateScale == 1 {
			break
		}
	}
	if w.run().RateScale != 1 {
		t.Errorf("the rates are still at %v", w.run().RateScale)
	}
}

// TestRatesOfAProposalAreLoweredOnce: a risky proposal comes back in every window.
func TestRatesOfAProposalAreLoweredOnce(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.BlueprintRisk = 0.05 })
	w.openGroups()
	w.assessed()
	for range 10 {
		_, ev := w.assessed()
		if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskRatesLowered || w.run().RateScale != 0.9 {
			t.Fatalf("nothing for %s, rates at %v", e.Reason, w.run().RateScale)
		}
	}
	if n := len(proposals(w)); n != 1 {
		t.Errorf("%d commands", n)
	}
}

// TestRatesThatCannotBeLowered: nothing goes out, and the reason says why.
func TestRatesThatCannotBeLowered(t *testing.T) {
	w := newWorld(t, rates)
	w.open() // declares no groups
	e, ev := w.assessed()
	if n := one[leyline.ActionNone](w, ev); n.Reason != leyline.RiskUndeclared || e.Reason != leyline.RiskConflict {
		t.Errorf("nothing for %s, assessed for %s", n.Reason, e.Reason)
	}

	w = newWorld(t, rates)
	w.openGroups()
	half := leyline.Command{Kind: leyline.CommandOptimizer, Optimizer: leyline.OptimizerCommand{Action: leyline.OptimizerScale, Factor: 0.5, Reason: "test"}}
	w.enrol("ada").want(leyline.RejectNone, half)
	_, ev = w.assessed()
	if n := one[leyline.ActionNone](w, ev); n.Reason != leyline.RiskRatesHeld || w.run().RateScale != 0.5 {
		t.Errorf("nothing for %s, rates at %v", n.Reason, w.run().RateScale)
	}
	for _, c := range []leyline.OptimizerCommand{
		{Action: leyline.OptimizerScale, Factor: 0.9, Reason: "test"}, {Action: leyline.OptimizerRebuildNow, Reason: "test"},
	} {
		own := leyline.Command{
			Kind: leyline.CommandOptimizer, Optimizer: c, Issuer: leyline.IssuerTamiyo, Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"},
			ID: leyline.CommandID("own-" + c.Action.String()), Sequence: w.s.Kasmina.High(w.tamiyo.KeyID()) + 1, IssuedAt: w.at,
		}
		if r := one[leyline.CommandRejected](w, w.must(w.received(own))); r.Reason != leyline.RejectOperatorOnly {
			t.Errorf("%s by the policy: %s", c.Action, r.Reason)
		}
	}
}
