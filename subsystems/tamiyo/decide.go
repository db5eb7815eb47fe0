package tamiyo

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// Decide emits Tamiyo's events for an input that the guard admitted. It runs
// after Tolaria, so it sees what Tolaria decided about the same input.
func Decide(t *projections.Turn, in leyline.Input) {
	x, ok := in.(leyline.StepObserved)
	if !ok || !t.Config().Tamiyo.Enabled {
		return
	}
	run, p := t.State.Tolaria.Run(x.Run), t.State.Tamiyo.Run(x.Run)
	if run.Status != leyline.RunStatusOpen {
		return
	}
	if run.Rollback.Active() {
		enter(t, p, x.Step, leyline.RiskRollback)
		return
	}
	c := &t.Config().Tamiyo
	if x.Step%leyline.Step(c.WindowSteps) == 0 && x.Step >= leyline.Step(c.WarmupSteps) {
		window(t, c, run, p)
	}
}

func enter(t *projections.Turn, p *projections.Policy, at leyline.Step, why leyline.RiskReason) {
	if !p.Caution.Conservative {
		t.Emit(leyline.ConservativeEntered{Run: p.Run, Step: at, Reason: why})
	}
}

// window evaluates the policy once.
func window(t *projections.Turn, c *leyline.TamiyoConfig, run *projections.Run, p *projections.Policy) {
	slots := t.State.Kasmina.Run(run.ID)
	choice := policy.Next(c, &run.Plan, slots.Seeds, t.State.Plane.Blueprints)
	if pending(t.State, run.ID) {
		choice = policy.Choice{Reason: leyline.RiskCommandPending}
	}
	v := risk.Assess(c, facts(t.State, run, p, slots, choice.Command))
	healthy := uint32(0)
	if v.Healthy {
		healthy = p.Caution.Healthy + 1
	}
	step := run.Track.Step
	t.Emit(leyline.RiskAssessed{
		Run: run.ID, Step: step, Proposed: choice.Command.Operation, Allowed: v.Allowed, Reason: v.Reason,
		Loss: run.Track.LossEWMA.Mean, Healthy: healthy, Checks: v.Checks,
	})
	switch {
	case v.Spike:
		enter(t, p, step, leyline.RiskLossSpike)
	case p.Caution.Conservative && healthy >= c.HealthyWindows:
		t.Emit(leyline.ConservativeLeft{Run: run.ID, Step: step, Healthy: healthy})
	}
	switch {
	case !v.Allowed:
		t.Emit(leyline.ActionNone{Run: run.ID, Step: step, Reason: v.Reason})
	case choice.Command.Operation == leyline.OpUnknown:
		t.Emit(leyline.ActionNone{Run: run.ID, Step: step, Reason: choice.Reason})
	default:
		t.Emit(leyline.CommandProposed{
			Run: run.ID, Step: step, Kind: leyline.CommandSeed, Seed: choice.Command, Why: choice.Why,
		})
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

func facts(s *projections.State, run *projections.Run, p *projections.Policy, slots *projections.Slots, cmd leyline.SeedCommand) risk.Facts {
	f := risk.Facts{
		Conservative: p.Caution.Conservative,
		Operation:    cmd.Operation,
		LossRise:     run.Track.LossEWMA.Mean - p.Window.Loss,
		NoLast:       p.Window.Step == 0,
		Volatility:   math.Sqrt(run.Track.LossEWMA.Var),
		Conflict:     run.Track.ConflictEWMA.Mean,
	}
	if cmd.Operation == leyline.OpGerminate {
		f.Blueprint = s.Plane.Blueprint(cmd.Blueprint)
	}
	for i := range slots.Seeds {
		if slots.Seeds[i].Isolation.Violated {
			f.Violations++
		}
	}
	return f
}
