package tamiyo

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// outcome is what the evaluators make of what was to be done. A command of another
// kind is made from nothing: of the one that was proposed only the seed goes on.
func outcome(t *projections.Turn, run *projections.Run, do decision, v risk.Verdict) decision {
	switch v.Effect {
	case leyline.EffectHold:
		return nothing(v.Reason)
	case leyline.EffectSlow:
		return slower(&t.Config().Tamiyo, run, v)
	case leyline.EffectPause, leyline.EffectConservative:
		return stop(t, run, do, v.Reason)
	}
	return do
}

// slower lowers the learning rates. What is about training lowers them further in
// every window that shows it, never below tamiyo.risk_rate_floor; what is about a
// proposal, which comes back with each of them, does so once. A run that has declared
// no rates cannot be slowed, and what an operator scales is the operator's.
func slower(c *leyline.TamiyoConfig, run *projections.Run, v risk.Verdict) decision {
	now := run.RateScale
	if now == 0 {
		now = 1
	}
	to := min(now, c.RiskRateFactor)
	if v.Lasting {
		to = min(now, max(c.RiskRateFloor, float64(now*c.RiskRateFactor)))
	}
	switch {
	case len(run.Plan.Groups) == 0:
		return nothing(leyline.RiskUndeclared)
	case run.RateBy == leyline.PartyOperator && now != 1:
		return nothing(leyline.RiskRatesHeld)
	case to == now:
		return nothing(leyline.RiskRatesLowered)
	}
	return scale(to, fmt.Sprintf("%s: learning rates go to %.4g of what they would be", v.Reason, to))
}

// stop pauses a seed that reaches into its host, whatever was proposed, else the seed
// that the proposal is about. Without a seed on trial that could be paused there is
// nothing to stop: doing nothing is an event, never a command.
func stop(t *projections.Turn, run *projections.Run, do decision, why leyline.RiskReason) decision {
	slots := t.State.Kasmina.Run(run.ID)
	for i := range slots.Seeds {
		s := &slots.Seeds[i]
		if t.Config().Tamiyo.IsolationMode == leyline.RuleEnforce && violates(s) {
			return pause(t, run, s, why)
		}
	}
	if s := slots.Seed(do.seed.Seed); s != nil && do.kind == leyline.CommandSeed {
		return pause(t, run, s, why)
	}
	return nothing(why)
}

func pause(t *projections.Turn, run *projections.Run, s *projections.Seed, why leyline.RiskReason) decision {
	if !leyline.OnTrial(s.Stage) || s.Paused || t.State.Kasmina.Commanded(run.ID, s.ID) {
		return nothing(why)
	}
	return decision{
		kind: leyline.CommandPause,
		pause: leyline.PauseCommand{
			Action: leyline.PauseStart, Scope: leyline.PauseSeed, Seed: s.ID, Reason: why.String(),
		},
		why: fmt.Sprintf("%s: the seed is taken out of the network", why),
	}
}
