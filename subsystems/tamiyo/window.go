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
	seen  leyline.StepSeen // of the step that ends the window
	asked bool             // on the worker
	stale bool
	took  uint64 // nanoseconds
}

// window weighs what is to be done, once.
func window(t *projections.Turn, run *projections.Run, p *projections.Policy, a answer) {
	c, step := &t.Config().Tamiyo, run.Track.Step
	do := next(t, run, p, a.Choice)
	f := facts(t.State, run, p, &do, a)
	v := risk.Assess(c, f)
	healthy := uint32(0)
	if v.Healthy {
		healthy = p.Caution.Healthy + 1
	}
	t.Emit(leyline.RiskAssessed{
		Run: run.ID, Step: step, Proposed: do.seed.Operation, Effect: v.Effect, Reason: v.Reason,
		Loss: run.Track.LossEWMA.Mean, Healthy: healthy, Checks: v.Checks, TookNs: a.took,
		Kind: do.kind, Subject: subject(&do, f.Blueprint), Unmeasured: v.Unmeasured, RiskIndex: f.RiskIndex,
	})
	cautious(t, run, p, v, healthy)
	out := outcome(t, run, do, v)
	if out.kind == leyline.CommandUnknown {
		t.Emit(leyline.ActionNone{Run: run.ID, Step: step, Reason: out.reason})
		return
	}
	t.Emit(leyline.CommandProposed{
		Run: run.ID, Step: step, Kind: out.kind, Seed: out.seed, Pause: out.pause, Optimizer: out.optimizer, Why: out.why,
		Metadata: metadata(p, step, v.Reason, f.Blueprint),
	})
}

// cautious enters or leaves conservative mode as the evaluators say.
func cautious(t *projections.Turn, run *projections.Run, p *projections.Policy, v risk.Verdict, healthy uint32) {
	step := run.Track.Step
	switch {
	case v.Effect == leyline.EffectConservative:
		enter(t, p, step, v.Reason)
	case v.Recovered && run.Emergency < leyline.EmergencyConservative:
		t.Emit(leyline.ConservativeLeft{Run: run.ID, Step: step, Healthy: healthy})
	}
}

// metadata says how a proposal came about. The rules estimate no values and rank
// nobody, so the risk that a blueprint declares is the only score.
func metadata(p *projections.Policy, step leyline.Step, why leyline.RiskReason, bp *leyline.RiskSubject) leyline.DecisionMetadata {
	d := leyline.DecisionMetadata{Policy: policy.Name, Reason: why, Conservative: p.Caution.Conservative, Asked: step}
	if bp != nil {
		d.Scores = []leyline.Score{{Kind: leyline.ScoreRisk, Value: bp.Risk}}
	}
	return d
}
