package decider_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// compiling opens a run of torch that compiles its step.
func (w *world) compiling() {
	w.t.Helper()
	p := plan()
	p.Framework = leyline.FrameworkTorch
	p.Posture = leyline.Posture{
		Version: "2.8.0+cpu", Device: "cpu", Compile: leyline.SwitchOn, CompileMode: "default", Inference: leyline.SwitchOn,
		Matmul: leyline.MatmulHighest, TF32: leyline.SwitchOff, WeightsOnly: leyline.SwitchOn,
		Cudnn: leyline.Cudnn{Benchmark: leyline.SwitchOff, Deterministic: leyline.SwitchOn, TF32: leyline.SwitchOff},
	}
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
}

func (w *world) fallback(seed leyline.SeedID) leyline.CompileFallback {
	return leyline.CompileFallback{
		Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Seed: seed, Stage: leyline.FallbackRuntime, Reason: "RuntimeError: no kernel",
	}
}

func TestPostureIsJudgedAtTheDoor(t *testing.T) {
	w := newWorld(t)
	p := plan()
	p.Framework = "jax"
	if r := w.refused(p); r.Kind != leyline.RefusalPosture || r.Field != "framework" {
		t.Errorf("%+v", r)
	}
	w.compiling()
	if w.run().Plan.Posture.Version != "2.8.0+cpu" {
		t.Errorf("the run holds %+v", w.run().Plan.Posture)
	}
}

// TestResumeMayBringANewerFramework, but not one that the baseline refuses.
func TestResumeMayBringANewerFramework(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	w.steps(3)
	again := w.run().Plan
	again.Resume, again.Posture.Version = true, "2.7.1"
	if r := w.refused(again); r.Kind != leyline.RefusalPosture || r.Field != "posture.version" {
		t.Errorf("%+v", r)
	}
	again.Posture.Version = "2.9.0"
	w.must(again)
	if v := w.run().Plan.Posture.Version; v != "2.9.0" {
		t.Errorf("the run holds torch %s", v)
	}
}

func TestFallbackFailsTheSeedsNextGate(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	w.until(leyline.StageTraining)
	e := one[leyline.CompileFellBack](w, w.must(w.fallback("seed-a")))
	if e.Count != 1 || e.Seed != "seed-a" || e.Reason == "" {
		t.Errorf("%+v", e)
	}
	w.until(leyline.StageEmbargoed)
	gates := w.gates()
	if last := gates[len(gates)-1]; last != "G2_STABILITY failed compile_fallbacks" {
		t.Errorf("gates %v", gates)
	}
}

func TestFallbackInShadowIsOnlySeen(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Kasmina.FallbackMode = leyline.RuleShadow })
	w.compiling()
	w.until(leyline.StageTraining)
	w.must(w.fallback("seed-a"))
	w.until(leyline.StageProbationary)
	if b := w.run().Breaker(leyline.BreakerCompile); b.Failures != 1 {
		t.Errorf("a seed that fell back closed the breaker: %+v", b)
	}
}

// TestOpenCompileBreakerClosesGateG1 opens the breaker with fallbacks of the host
// and waits for its cool-down.
func TestOpenCompileBreakerClosesGateG1(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Breaker.Open = 60_000 })
	w.compiling()
	for range 3 {
		w.must(w.fallback(""))
	}
	if b := w.run().Breaker(leyline.BreakerCompile); b.State != leyline.BreakerOpen || w.run().Fallbacks != 3 {
		t.Fatalf("%+v after %d fallbacks", b, w.run().Fallbacks)
	}
	w.until(leyline.StageEmbargoed)
	if d := cmp.Diff([]string{"G0_SANITY passed", "G1_GRADIENT_HEALTH failed compile_breaker"}, w.gates()); d != "" {
		t.Error(d)
	}
	if s := w.run().Breaker(leyline.BreakerCompile).State; s != leyline.BreakerOpen {
		t.Errorf("a refusal moved the breaker to %s", s)
	}
}

func TestHalfOpenCompileBreakerIsClosedByGoodSeeds(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Breaker.Successes = 1 })
	w.compiling()
	for range 3 {
		w.must(w.fallback(""))
	}
	w.at = w.at.Add(time.Hour)
	w.until(leyline.StageTraining)
	if s := w.run().Breaker(leyline.BreakerCompile).State; s != leyline.BreakerHalfOpen {
		t.Errorf("after the cool-down the breaker is %s", s)
	}
	w.until(leyline.StageBlending)
	if s := w.run().Breaker(leyline.BreakerCompile).State; s != leyline.BreakerClosed {
		t.Errorf("after a seed without a fallback the breaker is %s", s)
	}
}

// TestBreakersAreNotRewound: what made the compiler fail is there after a
// rollback too.
func TestBreakersAreNotRewound(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	w.steps(12)
	w.must(w.fallback(""))
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, w.run().Snapshot(w.run().Rollback.Snapshot).Digest))
	w.must(w.rollback(leyline.PhaseCommit, w.run().Snapshot(w.run().Rollback.Snapshot).Digest))
	if b := w.run().Breaker(leyline.BreakerCompile); b.Failures != 1 || w.run().Rollback.Active() {
		t.Errorf("%+v", b)
	}
}

func TestFallbackRefusals(t *testing.T) {
	w := newWorld(t)
	w.open() // does not compile
	w.steps(1)
	if r := w.refused(w.fallback("")); r.Kind != leyline.RefusalCompileOff {
		t.Errorf("%+v", r)
	}
	w = newWorld(t)
	w.compiling()
	w.steps(1)
	if r := w.refused(w.fallback("seed-a")); r.Kind != leyline.RefusalUnknownSeed {
		t.Errorf("a seed that is not grafted: %+v", r)
	}
	x := w.fallback("")
	x.Step = 9
	if r := w.refused(x); r.Kind != leyline.RefusalStepOrder {
		t.Errorf("another step: %+v", r)
	}
}
