package policy

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
)

// Option is one operation that is open to a policy: proposing it cannot be wrong by
// what the state says.
type Option struct {
	Operation leyline.SeedOperation
	Slot      int // of the seed in the question
}

// Options lists what is open, in slot order, the operation that advances a seed
// before the one that gives it up; and why there is nothing, else. The guarantees
// are here, so they hold for every policy: one seed is on trial at a time; a seed
// that is paused is left alone; nothing is asked of a seed that its gates are known
// to refuse, nor is it kept before tamiyo.probes have measured it; nothing germinates
// while the breaker of kernels is open, or of a kind that has failed in this run.
func Options(q *Question) ([]Option, leyline.RiskReason) {
	var out []Option
	busy, why := false, leyline.RiskNothingToDo
	for i := range q.Seeds {
		s := &q.Seeds[i]
		busy = busy || leyline.OnTrial(s.Stage)
		if s.Paused || !leyline.OnTrial(s.Stage) {
			continue
		}
		op, wait := next(&q.Config, s)
		if wait != leyline.RiskNone {
			why = wait
		}
		if op != leyline.OpUnknown {
			out = append(out, Option{op, i})
		}
		if s.Stage > leyline.StageGerminated {
			out = append(out, Option{leyline.OpCull, i})
		}
	}
	switch {
	case busy:
		return out, why
	case q.Barred:
		return out, leyline.RiskKernelBreaker
	case len(q.Plan.Layers) == 0 || len(Kinds(q)) == 0:
		return out, why
	}
	return vacant(q, out), why
}

// vacant adds the slots that can germinate.
func vacant(q *Question, out []Option) []Option {
	for i := range q.Seeds {
		if q.Seeds[i].Stage == leyline.StageDormant {
			out = append(out, Option{leyline.OpGerminate, i})
		}
	}
	return out
}

// next returns the operation by which a seed on trial would go on, unset when its
// gates would refuse it, and what it waits for if that is nobody's doing.
func next(all *leyline.ExecutionConfig, s *projections.Seed) (leyline.SeedOperation, leyline.RiskReason) {
	c := &all.Kasmina
	op, ready := leyline.OpUnknown, false
	switch s.Stage {
	case leyline.StageGerminated:
		if !s.Kernel.Ready {
			return op, leyline.RiskKernelPending
		}
		op, ready = leyline.OpStartTraining, true
	case leyline.StageTraining:
		op, ready = leyline.OpStartGrafting, s.Isolation.Steps >= c.MinTrainSteps
	case leyline.StageBlending:
		op, ready = leyline.OpStabilize, s.Complete
	case leyline.StageShadowing:
		op, ready = leyline.OpEvaluate, s.Isolation.Steps >= c.MinObserveSteps
	case leyline.StageProbationary:
		op, ready = leyline.OpFossilize, s.Contribution.Probes >= max(c.MinProbes, all.Tamiyo.Probes) && helps(c, s)
	}
	if !ready {
		return leyline.OpUnknown, leyline.RiskNone
	}
	return op, leyline.RiskNone
}

// helps reports whether a seed has added what it must. Unless the contribution is
// enforced it need not.
func helps(c *leyline.KasminaConfig, s *projections.Seed) bool {
	return s.Contribution.Accuracy >= c.MinContribution || c.ContributionMode != leyline.RuleEnforce
}

// Kinds lists the places of the blueprints in the question that may be germinated:
// those that fit the host, are not in quarantine and have not failed in this run.
func Kinds(q *Question) []int {
	var out []int
	for i := range q.Blueprints {
		b := &q.Blueprints[i]
		if q.trial(b.Blueprint).Culled == 0 && guard.Blueprint(b, q.Plan.Blueprints, b.Blueprint) == nil {
			out = append(out, i)
		}
	}
	return out
}
