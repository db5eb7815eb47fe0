package projections

import "github.com/esper-plane/esper/leyline"

// Breaker is a circuit breaker of one run. Package breaker decides how it moves.
// It is never rewound: what it protects against does not go away with a rollback.
type Breaker struct {
	ID        leyline.BreakerID
	State     leyline.BreakerState
	Failures  uint32          // in a row
	Successes uint32          // while HALF_OPEN
	Until     leyline.Instant // OPEN: end of the cool-down
	UntilStep uint64          // the same in a lockstep run, in healthy steps of all incarnations
}

// Fallback tells one report of a compile fallback from the next.
type Fallback struct {
	Step  leyline.Step
	Seed  leyline.SeedID
	Stage leyline.FallbackStage
}

func breakerID(b *Breaker) leyline.BreakerID { return b.ID }

// Breaker returns a breaker of the run; one that never moved is CLOSED.
func (r *Run) Breaker(id leyline.BreakerID) Breaker {
	if b := get(r.Breakers, id, breakerID); b != nil {
		return *b
	}
	return Breaker{ID: id, State: leyline.BreakerClosed}
}

func (r *Run) applyBreaker(e leyline.Event) {
	switch x := e.(type) {
	case leyline.BreakerMoved:
		r.Breakers = put(r.Breakers, Breaker{
			ID: x.Breaker, State: x.To, Failures: x.Failures, Successes: x.Successes, Until: x.Until, UntilStep: x.UntilStep,
		}, breakerID)
	case leyline.CompileFellBack:
		r.Fallback = Fallback{x.Step, x.Seed, x.Stage}
		if x.Seed == "" {
			r.Fallbacks = x.Count
		}
	}
}
