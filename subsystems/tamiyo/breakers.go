package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// mayAsk asks a breaker for one more attempt, and tells of that what there is to tell.
// One question of each kind is outstanding at a time, so a half-open breaker has one
// attempt on trial.
func mayAsk(t *projections.Turn, run *projections.Run, id leyline.BreakerID) bool {
	allowed, moved, moves := breaker.Allow(run.Breaker(id), now(t, run))
	if moves {
		t.Emit(moved)
	}
	return allowed
}

// wouldAllow reports whether a breaker would let an attempt through, and moves nothing.
func wouldAllow(t *projections.Turn, run *projections.Run, id leyline.BreakerID) bool {
	allowed, _, _ := breaker.Allow(run.Breaker(id), now(t, run))
	return allowed
}

func doubt(t *projections.Turn, run *projections.Run, id leyline.BreakerID, why leyline.BreakerReason) {
	t.Emit(breaker.Fail(&t.Config().Breaker, run.Breaker(id), now(t, run), why))
}

func succeed(t *projections.Turn, run *projections.Run, id leyline.BreakerID) {
	if moved, moves := breaker.Succeed(&t.Config().Breaker, run.Breaker(id), now(t, run)); moves {
		t.Emit(moved)
	}
}

func closed(run *projections.Run, id leyline.BreakerID) bool {
	return run.Breaker(id).State == leyline.BreakerClosed
}

func now(t *projections.Turn, run *projections.Run) breaker.Now {
	return breaker.Now{Run: run.ID, At: t.Meta.At, Steps: run.Steps, Lockstep: run.Plan.Lockstep}
}
