package tamiyo

import (
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// budget is the time that a question of a run may take: as set, or as learned.
func budget(t *projections.Turn, run *projections.Run, p *projections.Policy, k leyline.EffectKind) time.Duration {
	if b := p.Budgets.Of(k); learns(t, run) && b.LearnedNs > 0 {
		return time.Duration(b.LearnedNs)
	}
	if k == leyline.EffectMetadata {
		return t.Config().Tamiyo.MetadataBudget.Duration()
	}
	return t.Config().Tamiyo.PolicyBudget.Duration()
}

// learns reports whether the budgets of a run are learned. In a lockstep run they are
// not: what was measured would decide.
func learns(t *projections.Turn, run *projections.Run) bool {
	return t.Config().Tamiyo.BudgetMode == leyline.BudgetsLearned && !run.Plan.Lockstep
}

// leastBudget is a learned budget, in nanoseconds, that a pause of the process does not
// use up.
const leastBudget = float64(time.Millisecond)

// learn takes an answer into the budget of its kind. The budget never reaches the one
// around it; a question that was not answered in time teaches nothing.
func learn(t *projections.Turn, run *projections.Run, p *projections.Policy, k leyline.EffectKind, took uint64) {
	c, b := &t.Config().Tamiyo, *p.Budgets.Of(k)
	if !learns(t, run) || took == 0 || b.Samples >= c.BudgetSamples && took <= b.MaxNs {
		return
	}
	old := uint64(budget(t, run, p, k))
	e := leyline.BudgetLearned{Run: run.ID, Effect: k, OldNs: old, NewNs: old, MaxNs: max(b.MaxNs, took), Samples: b.Samples + 1}
	if e.Samples >= c.BudgetSamples {
		around := around(&t.Config().Tolaria)
		e.NewNs = uint64(min(max(float64(float64(e.MaxNs)*c.BudgetFactor), leastBudget), around))
	}
	t.Emit(e)
}

// around is what a learned budget stays under, in nanoseconds: the least of the
// budgets of an answer to a step and of an epoch, where there are any, and of the
// silence after which a trainer is stalled.
func around(c *leyline.TolariaConfig) float64 {
	d := c.Stall
	for _, b := range [...]leyline.Millis{c.HookBudget, c.EpochBudget} {
		if b > 0 {
			d = min(d, b)
		}
	}
	return float64(d.Duration() - time.Nanosecond)
}
