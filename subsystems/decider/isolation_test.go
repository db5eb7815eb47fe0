package decider_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// leaking reports a step in which seed-a leaks, and returns what was made of it.
func (w *world) leaking(leak float64) leyline.IsolationAssessed {
	w.t.Helper()
	x := w.report()
	x.Seeds[0].Leak = leak
	return one[leyline.IsolationAssessed](w, w.must(x))
}

// unpaused leaves a seed that leaks in the network, so that it can leak again.
func unpaused(c *leyline.ExecutionConfig) { c.Tamiyo.IsolationMode = leyline.RuleShadow }

func TestViolationsAreCounted(t *testing.T) {
	w := ready(t, unpaused)
	type figures struct {
		Violations uint32
		Run        uint64
		Breaker    leyline.BreakerState
		Health     leyline.SeedHealth
		News       bool
	}
	of := func(e leyline.IsolationAssessed) figures {
		return figures{e.Violations, e.RunViolations, e.Breaker, e.Health, e.News}
	}
	for i, c := range []struct {
		leak float64
		want figures
	}{
		{0, figures{0, 0, leyline.BreakerClosed, leyline.SeedHealthy, false}},
		{1e-6, figures{0, 0, leyline.BreakerClosed, leyline.SeedHealthy, false}}, // at the limit
		{0.5, figures{1, 1, leyline.BreakerClosed, leyline.SeedUnhealthy, true}},
		{0.25, figures{2, 2, leyline.BreakerClosed, leyline.SeedUnhealthy, false}}, // goes on, and less
		{0, figures{2, 2, leyline.BreakerClosed, leyline.SeedUnhealthy, false}},
		{0.5, figures{3, 3, leyline.BreakerOpen, leyline.SeedUnhealthy, true}},
		{0.5, figures{4, 4, leyline.BreakerOpen, leyline.SeedCritical, true}},
		{0.5, figures{5, 5, leyline.BreakerOpen, leyline.SeedCritical, false}},
		{0.75, figures{6, 6, leyline.BreakerOpen, leyline.SeedCritical, true}}, // worse
	} {
		e := w.leaking(c.leak)
		if d := cmp.Diff(c.want, of(e)); d != "" || e.Violated != (c.leak > 1e-6) {
			t.Errorf("step %d, leak %v, violated %v: %s", i, c.leak, e.Violated, d)
		}
	}
	if s := w.seed(); s.Violations != 6 || s.Health != leyline.SeedCritical || w.s.Kasmina.Run("run-1").Violations != 6 {
		t.Errorf("the seed has %d, the run %d, health %s", s.Violations, w.s.Kasmina.Run("run-1").Violations, s.Health)
	}
	if b := w.run().Breaker(leyline.BreakerIsolation); b.Failures != 3 {
		t.Errorf("a violation that goes on keeps the breaker open: %+v", b)
	}
}

// TestCountsOutliveStagesAndSeeds: a gate begins to measure anew, the counts do not;
// those of a seed end with it, that of the run never.
func TestCountsOutliveStagesAndSeeds(t *testing.T) {
	w := blending(t, leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 1, Temperature: 0.1}, unpaused)
	w.leaking(0.5)
	w.steps(2)
	if got := w.command(leyline.SeedCommand{Operation: leyline.OpStabilize, Seed: "seed-a"}); got != leyline.RejectGateFailed {
		t.Fatalf("a seed that has leaked goes on: %s", got)
	}
	w.serve()
	if s := w.seed(); s.Violations != 1 {
		t.Errorf("the culled seed has %d violations", s.Violations)
	}
	due, _ := w.s.NextTimer()
	w.at = due.Due
	w.must(due)
	if s := w.seed(); s.Stage != leyline.StageDormant || s.Violations != 0 || s.Health != leyline.SeedHealthUnknown {
		t.Errorf("the empty slot is %+v", s)
	}
	if n := w.s.Kasmina.Run("run-1").Violations; n != 1 {
		t.Errorf("the run has %d", n)
	}
}

// TestCountsAreNotRewound: what leaked would leak again.
func TestCountsAreNotRewound(t *testing.T) {
	w := ready(t)
	w.must(w.snapshot("before"))
	w.steps(1) // proves it
	w.leaking(0.5)
	to := one[leyline.RollbackStarted](w, w.fault()).Snapshot
	w.must(w.rollback(leyline.PhasePrepare, w.run().Snapshot(to).Digest))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, w.run().Snapshot(to).Digest))).Incarnation
	if s := w.seed(); s.Stage != leyline.StageTraining || s.Violations != 1 || s.Health != leyline.SeedUnhealthy || w.s.Kasmina.Run("run-1").Violations != 1 {
		t.Errorf("after a rollback the seed is %+v, the run has %d", s, w.s.Kasmina.Run("run-1").Violations)
	}
}

// TestStrictIsolationCullsAtOnce: in the record of the violation, which tells it all.
func TestStrictIsolationCullsAtOnce(t *testing.T) {
	w := ready(t, func(c *leyline.ExecutionConfig) { c.Kasmina.StrictIsolation = true })
	e := w.leaking(0.5)
	if !e.Violated || !e.News || e.Violations != 1 || e.Leak != 0.5 || e.Health != leyline.SeedUnhealthy {
		t.Errorf("the violation is told as %+v", e)
	}
	if b := one[leyline.BreakerMoved](w, w.last); b.Breaker != leyline.BreakerIsolation || b.Reason != leyline.BreakerIsolationViolation || b.Failures != 1 {
		t.Errorf("the breaker is told as %+v", b)
	}
	if m := one[leyline.SeedMoved](w, w.last); m.To != leyline.StageCulled || m.Cause != "isolation_violation" {
		t.Errorf("the seed moves as %+v", m)
	}
	if w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("the seed is %s", w.seed().Stage)
	}
}

// TestOpenIsolationBreakerClosesGateG1, is half open once it has cooled down, and is
// closed by seeds that pass.
func TestOpenIsolationBreakerClosesGateG1(t *testing.T) {
	w := newWorld(t, unpaused, func(c *leyline.ExecutionConfig) { c.Breaker.Open, c.Kasmina.Embargo = 120_000, 1000 })
	w.open()
	w.until(leyline.StageTraining)
	for range 3 {
		w.leaking(0.5)
	}
	if b := w.run().Breaker(leyline.BreakerIsolation); b.State != leyline.BreakerOpen {
		t.Fatalf("%+v", b)
	}
	w.refill()
	w.until(leyline.StageEmbargoed)
	gates := w.gates()
	if last := gates[len(gates)-1]; last != "G1_GRADIENT_HEALTH failed isolation_breaker" {
		t.Fatalf("gates %v", gates)
	}
	w.at = w.at.Add(2 * time.Minute)
	for i, want := range []leyline.BreakerState{leyline.BreakerHalfOpen, leyline.BreakerClosed} {
		w.refill()
		w.until(leyline.StageTraining)
		if b := w.run().Breaker(leyline.BreakerIsolation); b.State != want {
			t.Errorf("after %d good seeds: %+v", i+1, b)
		}
	}
}

// TestHalfOpenIsolationBreakerOpensAtOnce.
func TestHalfOpenIsolationBreakerOpensAtOnce(t *testing.T) {
	w := newWorld(t, unpaused, func(c *leyline.ExecutionConfig) { c.Kasmina.Embargo = 1000 })
	w.open()
	w.until(leyline.StageTraining)
	for range 3 {
		w.leaking(0.5)
	}
	w.at = w.at.Add(time.Hour)
	w.refill()
	w.until(leyline.StageTraining)
	if e := w.leaking(0.5); e.Breaker != leyline.BreakerOpen || !e.News {
		t.Errorf("%+v", e)
	}
}

// refill has seed-a culled if it lives, waits for the slot to open and lets the same
// kind grow again, which the rules would not.
func (w *world) refill() {
	w.t.Helper()
	if leyline.OnTrial(w.seed().Stage) {
		w.command(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a", Reason: "test"})
	}
	w.serve()
	for w.seed().Stage != leyline.StageDormant {
		due, ok := w.s.NextTimer()
		if !ok {
			w.t.Fatal("the slot never opens")
		}
		w.at = max(w.at, due.Due)
		w.must(due)
	}
	if got := w.command(leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "bp-1", Mesh: []string{"trunk"}}); got != leyline.RejectNone {
		w.t.Fatalf("germinating again is rejected as %s", got)
	}
	w.serve()
}

// TestCosineRule: off, it says nothing; in shadow it only tells; enforced, it is a
// violation like a leak. It is asked while a seed trains and blends, and of those
// alone, while a leak is watched for in every seed of the network.
func TestCosineRule(t *testing.T) {
	for _, c := range []struct {
		mode              leyline.RuleMode
		cosine            float64
		coupled, violated bool
	}{
		{leyline.RuleOff, 1, false, false},
		{leyline.RuleShadow, 0.95, false, false}, // at the limit
		{leyline.RuleShadow, 0.96, true, false},
		{leyline.RuleEnforce, -0.95, false, false},
		{leyline.RuleEnforce, -0.96, true, true},
		{leyline.RuleEnforce, math.NaN(), true, true},
		{leyline.RuleEnforce, math.Inf(1), true, true},
	} {
		w := ready(t, func(x *leyline.ExecutionConfig) { x.Kasmina.CosineMode = c.mode })
		x := w.report()
		x.Seeds[0].Cosine = c.cosine
		e := one[leyline.IsolationAssessed](w, w.must(x))
		if e.Coupled != c.coupled || e.Violated != c.violated || e.News != c.violated || w.seed().Isolation.Violated != c.violated {
			t.Errorf("%s, %v: %+v", c.mode, c.cosine, e)
		}
	}
}

func TestIsolationAfterBlending(t *testing.T) {
	w := newWorld(t, func(x *leyline.ExecutionConfig) { x.Kasmina.CosineMode = leyline.RuleEnforce })
	w.open()
	w.until(leyline.StageShadowing)
	x := w.report()
	x.Seeds[0].Cosine = 1
	if e := one[leyline.IsolationAssessed](w, w.must(x)); e.Coupled || e.Violated {
		t.Errorf("the cosine of a seed that shadows is judged: %+v", e)
	}
	if e := w.leaking(0.5); !e.Violated || e.Violations != 1 {
		t.Errorf("the leak of a seed that shadows is not: %+v", e)
	}
}

// TestHealthOfASeed: a slow kernel and code that was given up are less than health.
func TestHealthOfASeed(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.until(leyline.StageTraining)
	if e := w.leaking(0); e.Health != leyline.SeedHealthy {
		t.Errorf("%s", e.Health)
	}
	w.seed().Kernel.TookNs = uint64(time.Second)
	if e := w.leaking(0); e.Health != leyline.SeedDegraded {
		t.Errorf("with a slow kernel %s", e.Health)
	}
	w = newWorld(t)
	w.compiling()
	w.until(leyline.StageTraining)
	w.must(w.fallback("seed-a"))
	if e := w.leaking(0); e.Health != leyline.SeedDegraded {
		t.Errorf("with code that was given up %s", e.Health)
	}
	if e := w.leaking(0.5); e.Health != leyline.SeedUnhealthy {
		t.Errorf("after a violation %s", e.Health)
	}
}
