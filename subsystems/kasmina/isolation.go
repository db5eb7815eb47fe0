package kasmina

import (
	"math"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// isolate records what a step showed of a seed. The count of its steps stays full
// once it is: a seed that is kept is seen in every step from then on.
//
// Every violating step counts for the seed and for the run. The run's breaker counts
// them until it is OPEN; a violation that only goes on in its stage does not keep it
// open, one of another seed or stage does.
func isolate(t *projections.Turn, run *projections.Run, s *projections.Seed, o leyline.SeedObserved) {
	c := &t.Config().Kasmina
	was := s.Isolation
	e := leyline.IsolationAssessed{
		Run: run.ID, Seed: s.ID, Steps: max(was.Steps, was.Steps+1), GradNorm: o.GradNorm, Cosine: o.Cosine,
		Leak: o.Leak, MaxLeak: math.Max(was.MaxLeak, o.Leak), Coupled: coupled(c, s, o),
		Violations: s.Violations, RunViolations: t.State.Kasmina.Run(run.ID).Violations,
		Reported: mismatch(t, run.ID, s, o),
	}
	e.Quality = learn(was.Quality, o, e.Steps, run.Plan.Parameters)
	leaked := !(o.Leak <= c.MaxLeak)
	e.Violated = leaked || e.Coupled && c.CosineMode == leyline.RuleEnforce
	before := run.Breaker(leyline.BreakerIsolation)
	if e.Violated {
		e.Violations, e.RunViolations = max(e.Violations, e.Violations+1), e.RunViolations+1
		if before.State != leyline.BreakerOpen || !was.Violated {
			t.Emit(breaker.Fail(&t.Config().Breaker, before, now(t, run), leyline.BreakerIsolationViolation))
		}
	}
	e.Breaker = run.Breaker(leyline.BreakerIsolation).State
	e.News = e.Violated && (!was.Violated || leaked && !(o.Leak <= was.MaxLeak) ||
		e.Violations == leyline.CriticalViolations || e.Breaker != before.State)
	e.Health = health(c, s, e.Violations)
	t.Emit(e)
	if e.Violated && c.StrictIsolation {
		cull(t, run.ID, s, leyline.BreakerIsolationViolation.String())
	}
}

// coupled says whether the gradients of host and seed at the graft are closer to one
// line than kasmina.max_cosine allows. It is asked of seeds that train and blend
// (SPEC.md 4.7). A cosine that is no number is over every limit.
func coupled(c *leyline.KasminaConfig, s *projections.Seed, o leyline.SeedObserved) bool {
	asked := c.CosineMode != leyline.RuleOff && (s.Stage == leyline.StageTraining || s.Stage == leyline.StageBlending)
	return asked && !(math.Abs(o.Cosine) <= c.MaxCosine)
}

// health is how a seed fares after so many violations.
func health(c *leyline.KasminaConfig, s *projections.Seed, violations uint32) leyline.SeedHealth {
	slow := time.Duration(s.Kernel.TookNs) > c.KernelLatency.Duration()
	switch {
	case violations >= leyline.CriticalViolations:
		return leyline.SeedCritical
	case violations > 0:
		return leyline.SeedUnhealthy
	case s.Fallbacks > 0 || slow:
		return leyline.SeedDegraded
	}
	return leyline.SeedHealthy
}

// mayIsolate asks the isolation breaker whether one more seed may begin to train.
func mayIsolate(t *projections.Turn, run *projections.Run) bool {
	allowed, moved, moves := breaker.Allow(run.Breaker(leyline.BreakerIsolation), now(t, run))
	if moves {
		t.Emit(moved)
	}
	return allowed
}

// isolated tells the isolation breaker of a seed that gate G1 let pass.
func isolated(t *projections.Turn, run *projections.Run) {
	if moved, moves := breaker.Succeed(&t.Config().Breaker, run.Breaker(leyline.BreakerIsolation), now(t, run)); moves {
		t.Emit(moved)
	}
}
