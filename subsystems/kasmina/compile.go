package kasmina

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// fellBack records that compiled code was given up and counts it against the
// run's compile breaker. What it means for the seed is for its next gate to say.
// A report that is repeated, because its answer was lost, counts once.
func fellBack(t *projections.Turn, x leyline.CompileFallback) {
	run := t.State.Tolaria.Run(x.Run)
	count := run.Fallbacks
	if x.Seed != "" {
		count = t.State.Kasmina.Seed(x.Run, x.Seed).Fallbacks
	}
	e := leyline.CompileFellBack{Run: x.Run, Step: x.Step, Seed: x.Seed, Stage: x.Stage, Reason: x.Reason, Count: count + 1}
	if run.Fallback == (projections.Fallback{Step: x.Step, Seed: x.Seed, Stage: x.Stage}) {
		e.Count = count
		t.Emit(e)
		return
	}
	t.Emit(e)
	t.Emit(breaker.Fail(&t.Config().Breaker, run.Breaker(leyline.BreakerCompile), now(t, run), leyline.BreakerCompileFallback))
}

func now(t *projections.Turn, run *projections.Run) breaker.Now {
	return breaker.Now{Run: run.ID, At: t.Meta.At, Steps: run.Steps, Lockstep: run.Plan.Lockstep}
}

func compiles(run *projections.Run) bool { return run.Plan.Posture.Compile == leyline.SwitchOn }

// mayCompile asks the compile breaker for one more attempt. A run that does not
// compile, or not any more, need not ask.
func mayCompile(t *projections.Turn, run *projections.Run) bool {
	if !compiles(run) {
		return true
	}
	allowed, moved, moves := breaker.Allow(run.Breaker(leyline.BreakerCompile), now(t, run))
	if moves {
		t.Emit(moved)
	}
	return allowed
}

// fallbacks is what the gates hold against a seed: nothing in a run that does not
// compile, or not any more.
func fallbacks(run *projections.Run, s *projections.Seed) uint32 {
	if !compiles(run) {
		return 0
	}
	return s.Fallbacks
}

// compiled tells the compile breaker of a seed that has trained without a
// fallback. A run that does not compile says nothing about compiling.
func compiled(t *projections.Turn, run *projections.Run, s *projections.Seed) {
	if !compiles(run) || s.Fallbacks > 0 {
		return
	}
	if moved, moves := breaker.Succeed(&t.Config().Breaker, run.Breaker(leyline.BreakerCompile), now(t, run)); moves {
		t.Emit(moved)
	}
}
