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
	c, choice := &t.Config().Tamiyo, a.Choice
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
	if v.Spike {
		enter(t, p, step, leyline.RiskLossSpike)
	}
	stabilise(t, run, p, healthy)
	switch {
	case !v.Allowed:
		t.Emit(leyline.ActionNone{Run: run.ID, Step: step, Reason: v.Reason})
	case choice.Command.Operation == leyline.OpUnknown:
		t.Emit(leyline.ActionNone{Run: run.ID, Step: step, Reason: choice.Reason})
	default:
		t.Emit(leyline.CommandProposed{
			Run: run.ID, Step: step, Kind: leyline.CommandSeed, Seed: choice.Command, Why: choice.Why,
			Metadata: metadata(p, step, v.Reason, f.Blueprint),
		})
	}
}

// metadata says how a proposal came about. The rules estimate no values and rank
// nobody, so the risk that a blueprint declares is the only score.
func metadata(p *projections.Policy, step leyline.Step, why leyline.RiskReason, bp *leyline.BlueprintRegistered) leyline.DecisionMetadata {
	d := leyline.DecisionMetadata{Policy: policy.Name, Reason: why, Conservative: p.Caution.Conservative, Asked: step}
	if bp != nil {
		d.Scores = []leyline.Score{{Kind: leyline.ScoreRisk, Value: bp.Risk}}
	}
	return d
}

func pending(s *projections.State, run leyline.RunID) bool {
	for i := range s.Kasmina.Pending {
		if s.Kasmina.Pending[i].Run == run {
			return true
		}
	}
	return false
}
