package tamiyo

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// decision is what is to be done: the argument of one kind of command, or a reason
// to do nothing.
type decision struct {
	kind      leyline.CommandKind // unset: nothing, for reason
	seed      leyline.SeedCommand
	pause     leyline.PauseCommand
	optimizer leyline.OptimizerCommand
	why       string // one sentence for people
	reason    leyline.RiskReason
	chosen    bool // by the policy, whose scores it then has
}

// about is the seed that a decision concerns; empty when it concerns none.
func (d *decision) about() leyline.SeedID {
	if d.kind == leyline.CommandPause {
		return d.pause.Seed
	}
	return d.seed.Seed
}

func nothing(why leyline.RiskReason) decision { return decision{reason: why} }

// next is what would be done if there were no risk: nothing while a command waits for
// its answer, what Tamiyo owes to what it did before, else what the policy chose.
func next(t *projections.Turn, run *projections.Run, p *projections.Policy, c policy.Choice) decision {
	if pending(t.State, run.ID) {
		return nothing(leyline.RiskCommandPending)
	}
	if d, ok := owed(t, run, p); ok {
		return d
	}
	if c.Command.Operation == leyline.OpUnknown {
		return nothing(c.Reason)
	}
	return decision{kind: leyline.CommandSeed, seed: c.Command, why: c.Why, chosen: true}
}

// owed is what follows from Tamiyo's own measures. A seed that it paused for its
// isolation is given up after tamiyo.pause_windows windows: nothing is measured of a
// paused seed, so it cannot come to be trusted again. Every other seed that it paused
// is resumed, and rates that it lowered are given back, once training was well for
// tamiyo.healthy_windows windows in a row outside of conservative mode. What an
// operator has paused or scaled is the operator's.
func owed(t *projections.Turn, run *projections.Run, p *projections.Policy) (decision, bool) {
	c, seeds := &t.Config().Tamiyo, t.State.Kasmina.Run(run.ID).Seeds
	well := !p.Caution.Conservative && p.Caution.Healthy >= c.HealthyWindows
	for i := range seeds {
		s := &seeds[i]
		switch {
		case !s.Paused || s.PausedBy != leyline.PartyPolicy:
		case s.Isolation.Violated && windows(c, s, run.Track.Step) >= uint64(c.PauseWindows):
			return giveUp(c, s), true
		case !s.Isolation.Violated && well:
			return resume(s), true
		}
	}
	if well && run.RateBy == leyline.PartyPolicy && run.RateScale != 1 && p.Effect != leyline.EffectSlow {
		return scale(1, "training has been well since the learning rates were lowered"), true
	}
	return decision{}, false
}

// windows is how many windows have ended since a seed was paused.
func windows(c *leyline.TamiyoConfig, s *projections.Seed, now leyline.Step) uint64 {
	if now <= s.PausedAt {
		return 0
	}
	return uint64(now-s.PausedAt) / uint64(c.WindowSteps)
}

func giveUp(c *leyline.TamiyoConfig, s *projections.Seed) decision {
	return decision{
		kind: leyline.CommandSeed,
		seed: leyline.SeedCommand{Operation: leyline.OpCull, Seed: s.ID, Reason: "it reached into its host"},
		why:  fmt.Sprintf("it was paused for its isolation, and %d windows have passed", c.PauseWindows),
	}
}

func resume(s *projections.Seed) decision {
	const why = "training has been well since the seed was paused"
	return decision{
		kind: leyline.CommandPause, why: why,
		pause: leyline.PauseCommand{Action: leyline.PauseEnd, Scope: leyline.PauseSeed, Seed: s.ID, Reason: why},
	}
}

func scale(factor float64, why string) decision {
	return decision{
		kind: leyline.CommandOptimizer, why: why,
		optimizer: leyline.OptimizerCommand{Action: leyline.OptimizerScale, Factor: factor, Reason: why},
	}
}

func pending(s *projections.State, run leyline.RunID) bool {
	for i := range s.Kasmina.Pending {
		if s.Kasmina.Pending[i].Run == run {
			return true
		}
	}
	return false
}
