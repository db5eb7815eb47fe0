package tamiyo

import (
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// answer is what the policy would do. One that was asked on the worker took its
// time and may be stale.
type answer struct {
	policy.Choice
	stale  bool
	took   uint64        // nanoseconds
	budget time.Duration // that it had
}

// window weighs what is to be done, once.
func window(t *projections.Turn, run *projections.Run, p *projections.Policy, a answer) {
	c, step := &t.Config().Tamiyo, run.Track.Step
	do := next(t, run, p, tell(t, run, a.Choice))
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
		Metadata: metadata(p, step, v.Reason, f.Blueprint, a.Choice, out.chosen),
	})
}

// cautious enters or leaves conservative mode as the evaluators say.
func cautious(t *projections.Turn, run *projections.Run, p *projections.Policy, v risk.Verdict, healthy uint32) {
	switch {
	case v.Effect == leyline.EffectConservative:
		enter(t, p, run.Track.Step, v.Reason)
	case v.Recovered:
		stabilise(t, run, p, healthy)
	}
}
