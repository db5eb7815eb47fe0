package projections

import "github.com/esper-plane/esper/leyline"

// Rates is what a learning rate policy has ordered. The zero value means that
// nothing is known of the rates that the trainer uses: so it is after a resume, a
// rollback, and an order that was not acknowledged.
type Rates struct {
	Policy leyline.LRPolicy
	Rates  []float64        // as ordered last
	Order  leyline.EffectID // not acknowledged yet; zero when there is none
	Due    leyline.Instant  // for that
}

// applyRates follows the orders of a learning rate policy.
func (r *Run) applyRates(id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RateSet:
		r.Rates = Rates{Policy: x.Policy, Rates: x.Rates, Order: id, Due: x.Deadline}
	case leyline.RateAcked:
		switch {
		case x.Order != r.Rates.Order:
		case x.Outcome == leyline.OutcomeOK:
			r.Rates.Order, r.Rates.Due = leyline.EffectID{}, 0
		default:
			r.Rates = Rates{}
		}
	case leyline.RunResumed:
		r.Rates = Rates{}
	case leyline.RollbackFinished:
		if x.Outcome == leyline.OutcomeOK {
			r.Rates = Rates{}
		}
	case leyline.EffectRecovered:
		if x.Effect == r.Rates.Order {
			r.Rates = Rates{}
		}
	}
}
