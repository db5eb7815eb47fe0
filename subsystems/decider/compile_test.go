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
	p.Framework, p.Lockstep = leyline.FrameworkTorch, w.lockstep
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

// fallbacks reports n different ones of the host.
func (w *world) fallbacks(n int) {
	w.t.Helper()
	for i := range n {
		x := w.fallback("")
		x.Stage = leyline.FallbackUnspecified.Members()[i]
		w.must(x)
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
	if last := gates[len(gates)-1]; last != "G2_STABILITY failed fallback_kernel_used" {
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
	w.fallbacks(3)
	if b := w.run().Breaker(leyline.BreakerCompile); b.State != leyline.BreakerOpen || w.run().Fallbacks != 3 {
		t.Fatalf("%+v after %d fallbacks", b, w.run().Fallbacks)
	}
	w.until(leyline.StageEmbargoed)
	if d := cmp.Diff([]string{"G0_SANITY passed", "G1_GRADIENT_HEALTH failed breaker_denied"}, w.gates()); d != "" {
		t.Error(d)
	}
	if s := w.run().Breaker(leyline.BreakerCompile).State; s != leyline.BreakerOpen {
		t.Errorf("a refusal moved the breaker to %s", s)
	}
}

func TestHalfOpenCompileBreakerIsClosedByGoodSeeds(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Breaker.Successes = 1 })
	w.compiling()
	w.fallbacks(3)
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
		t.Errorf("a step that was not decided: %+v", r)
	}
}

// TestFallbacksAreNotRewound: a seed whose code was given up is not spared by a
// rollback to before that.
func TestFallbacksAreNotRewound(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	w.until(leyline.StageTraining)
	for w.run().Good(w.run().Track.Step) == nil || w.run().Track.Step%5 != 1 {
		w.steps(1)
	}
	if w.seed().Stage != leyline.StageTraining {
		t.Fatalf("the seed is %s", w.seed().Stage)
	}
	w.must(w.fallback("seed-a"))
	w.fault()
	late := w.fallback("")
	w.must(late) // reported while the rollback is under way
	w.must(w.rollback(leyline.PhasePrepare, w.run().Snapshot(w.run().Rollback.Snapshot).Digest))
	one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, w.run().Snapshot(w.run().Rollback.Snapshot).Digest)))
	w.inc = w.run().Incarnation
	if n, host := w.seed().Fallbacks, w.run().Fallbacks; n != 1 || host != 1 {
		t.Errorf("after the rollback %d and %d fallbacks are known", n, host)
	}
	w.until(leyline.StageEmbargoed)
	if gates := w.gates(); gates[len(gates)-1] != "G2_STABILITY failed fallback_kernel_used" {
		t.Errorf("gates %v", gates)
	}
}

// TestRunThatStopsCompiling is the cure: neither the breaker nor a seed's old
// fallbacks hold it up.
func TestRunThatStopsCompiling(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	w.fallbacks(3)
	w.until(leyline.StageGerminated)
	again := w.run().Plan
	again.Resume, again.Posture.Compile, again.Posture.CompileMode = true, leyline.SwitchOff, ""
	w.inc = one[leyline.RunResumed](w, w.must(again)).Incarnation
	w.until(leyline.StageProbationary)
	if s := w.run().Breaker(leyline.BreakerCompile).State; s != leyline.BreakerOpen {
		t.Errorf("a run that does not compile moved the breaker to %s", s)
	}
}

// TestRepeatedReportCountsOnce: a trainer whose answer was lost asks again.
func TestRepeatedReportCountsOnce(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	w.until(leyline.StageTraining)
	for range 3 {
		if e := one[leyline.CompileFellBack](w, w.must(w.fallback("seed-a"))); e.Count != 1 {
			t.Errorf("counted as %d", e.Count)
		}
	}
	w.must(w.fallback(""))
	if b := w.run().Breaker(leyline.BreakerCompile); b.Failures != 2 || w.run().Fallbacks != 1 || w.seed().Fallbacks != 1 {
		t.Errorf("%+v, host %d, seed %d", b, w.run().Fallbacks, w.seed().Fallbacks)
	}
}

// TestCoolDownOfALockstepRunCountsSteps, also those that were rewound, and never
// time.
func TestCoolDownOfALockstepRunCountsSteps(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Breaker.Open, c.Breaker.OpenSteps = 1, 30 })
	w.lockstep = true
	w.compiling()
	w.steps(3)
	w.fallbacks(3)
	if b := w.run().Breaker(leyline.BreakerCompile); b.Until != 0 || b.UntilStep != 33 {
		t.Fatalf("%+v", b)
	}
	w.at = w.at.Add(time.Hour)
	w.until(leyline.StageEmbargoed)
	if gates := w.gates(); gates[len(gates)-1] != "G1_GRADIENT_HEALTH failed breaker_denied" {
		t.Errorf("gates %v", gates)
	}
	for w.run().Good(w.run().Track.Step) == nil {
		w.steps(1)
	}
	w.steps(3)
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, w.run().Snapshot(w.run().Rollback.Snapshot).Digest))
	w.must(w.rollback(leyline.PhaseCommit, w.run().Snapshot(w.run().Rollback.Snapshot).Digest))
	w.inc = w.run().Incarnation
	if uint64(w.run().Track.Step) >= w.run().Steps {
		t.Fatalf("nothing was rewound: step %d, %d healthy steps", w.run().Track.Step, w.run().Steps)
	}
	w.until(leyline.StageTraining)
	if s := w.run().Steps; s < 33 || s > 45 {
		t.Errorf("a seed trains after %d healthy steps", s)
	}
}

// TestResumeMayNotChangeTheFramework, which would be another run.
func TestResumeMayNotChangeTheFramework(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	again := w.run().Plan
	again.Resume, again.Framework, again.Posture = true, "go-gonum", leyline.Posture{Version: "1", Device: "cpu"}
	if r := w.refused(again); r.Kind != leyline.RefusalInvalidField || r.Field != "run" {
		t.Errorf("%+v", r)
	}
}
