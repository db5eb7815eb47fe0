package tolaria

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/lr"
)

// same is how far a rate may be from the one ordered last without being ordered
// again (SPEC.md 2.6).
const same = 1e-12

// rates orders the learning rates of a step that is trained on, if they are not
// those ordered last. They are a function of the step: after a rollback the same
// steps use the same rates again, but for what an operator multiplies them by. A run that declared no groups was opened before
// there was a policy and is refused when it is resumed.
func rates(t *projections.Turn, r *projections.Run, at leyline.Step) {
	c, groups := &t.Config().Tolaria, r.Plan.Groups
	factor, on := lr.Of(c).Factor(uint64(at-1), r.Track.Epoch)
	if r.RateScale != 0 {
		if !on {
			factor, on = 1, true
		}
		factor = float64(factor * r.RateScale)
	}
	if !on || len(groups) == 0 {
		return
	}
	e := leyline.RateSet{Run: r.ID, Step: at, Policy: c.LRPolicy, Factor: factor, Deadline: t.Meta.At.Add(c.Order.Duration())}
	for _, g := range groups {
		e.Rates = append(e.Rates, float64(g.Rate*factor))
	}
	if r.Rates.Policy == e.Policy && alike(r.Rates.Rates, e.Rates) {
		return
	}
	superseded(t, r, "ordered anew")
	t.Emit(e)
}

func alike(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > same {
			return false
		}
	}
	return true
}

// superseded closes an order that nobody will acknowledge any more.
func superseded(t *projections.Turn, r *projections.Run, why string) {
	if id := r.Rates.Order; !id.IsZero() {
		t.Emit(leyline.RateAcked{Run: r.ID, Order: id, Outcome: leyline.OutcomeSuperseded, Reason: why})
	}
}

// acknowledged closes the orders that a report speaks of. A word on an order that
// was closed already is recorded and changes nothing.
func acknowledged(t *projections.Turn, r *projections.Run, acks []leyline.OrderAck) {
	for _, a := range acks {
		if a.Kind == leyline.EffectRebuild {
			rebuilt(t, r, a)
			continue
		}
		e := leyline.RateAcked{Run: r.ID, Order: a.Order, Outcome: a.Outcome, Reason: a.Reason, TookNs: a.TookNs}
		if a.Order != r.Rates.Order {
			e.Outcome, e.Reason = leyline.OutcomeSuperseded, "was closed before the trainer answered "+a.Outcome.String()
		}
		t.Emit(e)
	}
}

// unacknowledged closes an order whose deadline has passed.
func unacknowledged(t *projections.Turn, r *projections.Run) {
	t.Emit(leyline.RateAcked{Run: r.ID, Order: r.Rates.Order, Outcome: leyline.OutcomeDeadline, Reason: "no report acknowledged it in time"})
}
