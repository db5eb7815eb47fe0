package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// answer is what the policy would do. One that was asked on the worker took its
// time and may be stale.
type answer struct {
	policy.Choice
	stale bool
	took  uint64 // nanoseconds
}

// window weighs what the policy would do, once.
func window(t *projections.Turn, run *projections.Run, p *projections.Policy, a answer) {
	c, choice := &t.Config().Tamiyo, tell(t, run, a.Choice)
	if pending(t.State, run.ID) {
		choice = policy.Choice{Reason: leyline.RiskCommandPending}
	}
	f := facts(t.State, run, p, choice.Command)
	f.Stale = a.stale
	v := risk.Assess(c, f)
	healthy := uint32(0)
	if v.Healthy {
		healthy = p.Caution.Healthy + 1
	}
	step := run.Track.Step
	t.Emit(leyline.RiskAssessed{
		Run: run.ID, Step: step, Proposed: choice.Command.Operation, Allowed: v.Allowed, Reason: v.Reason,
		Loss: run.Track.LossEWMA.Mean, Healthy: healthy, Checks: v.Checks, TookNs: a.took,
	})
	switch {
	case v.Spike:
		enter(t, p, step, leyline.RiskLossSpike)
	case p.Caution.Conservative && healthy >= c.HealthyWindows && run.Emergency < leyline.EmergencyConservative:
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
			Metadata: metadata(p, step, v.Reason, f.Blueprint, choice),
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
