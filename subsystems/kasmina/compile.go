package kasmina

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// fellBack records that compiled code was given up and counts it against the
// run's compile breaker. What it means for the seed is for its next gate to say.
func fellBack(t *projections.Turn, x leyline.CompileFallback) {
	run := t.State.Tolaria.Run(x.Run)
	count := run.Fallbacks
	if x.Seed != "" {
		count = t.State.Kasmina.Seed(x.Run, x.Seed).Fallbacks
	}
	t.Emit(leyline.CompileFellBack{Run: x.Run, Step: x.Step, Seed: x.Seed, Stage: x.Stage, Reason: x.Reason, Count: count + 1})
	t.Emit(breaker.Fail(&t.Config().Breaker, run.Breaker(leyline.BreakerCompile), now(t, run), "compile_fallback:"+x.Stage.String()))
}

func now(t *projections.Turn, run *projections.Run) breaker.Now {
	return breaker.Now{Run: run.ID, At: t.Meta.At, Step: run.Track.Step, Lockstep: run.Plan.Lockstep}
}

// mayCompile asks the compile breaker for one more attempt.
func mayCompile(t *projections.Turn, run *projections.Run) bool {
	allowed, moved, moves := breaker.Allow(run.Breaker(leyline.BreakerCompile), now(t, run))
	if moves {
		t.Emit(moved)
	}
	return allowed
}

// compiled tells the compile breaker of a seed that has trained without a
// fallback. A run that does not compile says nothing about compiling.
func compiled(t *projections.Turn, run *projections.Run, s *projections.Seed) {
	if run.Plan.Posture.Compile != leyline.SwitchOn || s.Fallbacks > 0 {
		return
	}
	if moved, moves := breaker.Succeed(&t.Config().Breaker, run.Breaker(leyline.BreakerCompile), now(t, run)); moves {
		t.Emit(moved)
	}
}
