package kasmina

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// The commands of this file change how a run trains, not its seeds. Kasmina says
// whether they are possible; those about the optimizer and about rollbacks are
// carried out by Tolaria's controller in the same record.

// optimizer accepts a command to make the optimizer anew, or to scale its rates.
// The order that the trainer acknowledges goes out now, or with the rates of the
// next step.
func (d *dispatch) optimizer() {
	if why, detail := d.steady(); why != leyline.RejectNone {
		d.reject(why, detail)
		return
	}
	run, c := d.State.Tolaria.Run(d.id()), &d.Config().Tolaria
	policy := leyline.PartyOf(d.v.Command.Issuer) == leyline.PartyPolicy
	if d.v.Command.Optimizer.Action == leyline.OptimizerScale {
		if len(run.Plan.Groups) == 0 {
			d.reject(leyline.RejectUndeclared, "the run was opened without the rates of its parameter groups")
			return
		}
		if policy && run.RateBy == leyline.PartyOperator && run.RateScale != 1 {
			d.reject(leyline.RejectOperatorOnly, fmt.Sprintf("an operator multiplies the rates by %v", run.RateScale))
			return
		}
		d.done()
		return
	}
	if policy {
		d.reject(leyline.RejectOperatorOnly, "only an operator may have the optimizer made anew")
		return
	}
	why := run.Barred(c.RebuildMin)
	if why == leyline.RebuildFine {
		allowed, moved, moves := breaker.Allow(run.Breaker(leyline.BreakerOptimizer), now(d.Turn, run))
		if !allowed {
			why = leyline.RebuildBreakerOpen
		}
		if moves && !allowed { // that it half opens is for the order itself to say
			d.Emit(moved)
		}
	}
	if why != leyline.RebuildFine {
		d.reject(leyline.RejectBarred, why.String())
		return
	}
	d.done()
}

// breaker forces a breaker of an open run into a state. A rollback under way does not
// matter: breakers are never rewound.
func (d *dispatch) breaker() {
	c, run := &d.v.Command.Breaker, d.State.Tolaria.Run(d.id())
	err := c.Validate()
	switch {
	case run == nil:
		d.reject(leyline.RejectUnknownRun, fmt.Sprintf("no run %q", d.id()))
		return
	case run.Status != leyline.RunStatusOpen:
		d.reject(leyline.RejectRunNotOpen, fmt.Sprintf("the run is %s", run.Status))
		return
	case err != nil:
		d.reject(leyline.RejectBreakerInvalid, err.Error())
		return
	}
	moved, _ := breaker.Force(&d.Config().Breaker, run.Breaker(c.Breaker), now(d.Turn, run), c.State) // Invariant: c was validated
	d.done()
	d.Emit(moved)
}

// rollback accepts a command to go back to a proven snapshot. Tolaria's controller
// begins a rollback like any other, but without a deadline.
func (d *dispatch) rollback() {
	if why, detail := d.steady(); why != leyline.RejectNone {
		d.reject(why, detail)
		return
	}
	run := d.State.Tolaria.Run(d.id())
	s := run.Named(d.v.Command.Rollback)
	limit := d.Config().Tolaria.RollbackLimit
	switch {
	case s == nil:
		d.reject(leyline.RejectNoSnapshot, "no such snapshot is registered and proven good by a later step")
	case s.Step >= run.Track.Step:
		d.reject(leyline.RejectNoSnapshot, fmt.Sprintf("snapshot %s is of step %d, and the run is at step %d", s.ID, s.Step, run.Track.Step))
	case s.Rollbacks >= limit:
		d.reject(leyline.RejectNoSnapshot, fmt.Sprintf("snapshot %s has been returned to %d times, tolaria.rollback_limit allows %d", s.ID, s.Rollbacks, limit))
	default:
		d.done()
	}
}
