// Package risk holds the risk evaluators: small pure functions, run in a fixed
// order (SPEC.md 3.8), that say whether a proposal may go out now. Every
// evaluator leaves a check in the trace, also when it finds nothing.
//
// Present are the evaluators whose inputs exist: conservative mode, blueprint
// risk, loss, isolation, volatility and gradient conflict. Each rule with a
// mode can be off (it leaves no check), shadow (its verdict is recorded and has
// no effect) or enforced.
package risk

import (
	"github.com/esper-plane/esper/leyline"
)

// Facts is what the evaluators look at.
type Facts struct {
	Conservative bool
	Operation    leyline.SeedOperation        // unset when nothing is proposed
	Blueprint    *leyline.BlueprintRegistered // of a GERMINATE, else nil
	LossRise     float64                      // of the loss EWMA since the last window
	NoLast       bool                         // there was no last window: LossRise says nothing
	Volatility   float64                      // standard deviation of the loss
	Conflict     float64                      // EWMA of the conflict ratio
	Violations   uint32                       // seeds whose isolation is violated
	Stale        bool                         // the policy had answered something else
}

// Verdict is the outcome of all evaluators.
type Verdict struct {
	Allowed bool
	Reason  leyline.RiskReason // of the first enforced check that failed, POLICY when allowed
	Healthy bool               // nothing but conservative mode itself stood against it
	Spike   bool               // the loss rule failed while enforced
	Checks  []leyline.Check
}

// Assess runs the evaluators in their order.
func Assess(c *leyline.TamiyoConfig, f Facts) Verdict {
	v := Verdict{Allowed: true, Healthy: true, Reason: leyline.RiskPolicy}
	v.conservative(f)
	v.blueprint(c, f)
	v.loss(c, f)
	v.check(float64(f.Violations), 0, leyline.RuleEnforce, leyline.RiskIsolation)
	v.check(f.Volatility, c.Volatility, c.VolatilityMode, leyline.RiskVolatility)
	v.check(f.Conflict, c.Conflict, c.ConflictMode, leyline.RiskConflict)
	if f.Stale {
		v.check(1, 0, leyline.RuleShadow, leyline.RiskPolicyStale)
	}
	return v
}

// check records value against limit and withholds the proposal when an enforced
// limit is exceeded. It returns whether it was. A check is named by the reason
// that it can give.
func (v *Verdict) check(value, limit float64, mode leyline.RuleMode, why leyline.RiskReason) bool {
	if mode == leyline.RuleOff {
		return false
	}
	ok := value <= limit
	v.Checks = append(v.Checks, leyline.Check{Name: why.String(), Value: value, Limit: limit, OK: ok, Mode: mode})
	if ok || mode != leyline.RuleEnforce {
		return false
	}
	v.withhold(why)
	v.Healthy = false
	return true
}

func (v *Verdict) withhold(why leyline.RiskReason) {
	if v.Allowed {
		v.Allowed, v.Reason = false, why
	}
}

func (v *Verdict) conservative(f Facts) {
	value := 0.0
	if f.Conservative {
		value = 1
		v.withhold(leyline.RiskConservative)
	}
	v.Checks = append(v.Checks, leyline.Check{
		Name: leyline.RiskConservative.String(), Value: value, OK: !f.Conservative, Mode: leyline.RuleEnforce,
	})
}

func (v *Verdict) blueprint(c *leyline.TamiyoConfig, f Facts) {
	if f.Blueprint == nil {
		return
	}
	why := leyline.RiskBlueprint
	value := f.Blueprint.Risk
	if f.Blueprint.Quarantine {
		why, value = leyline.RiskQuarantine, 1
	}
	ok := value < c.BlueprintRisk
	v.Checks = append(v.Checks, leyline.Check{
		Name: leyline.RiskBlueprint.String(), Value: value, Limit: c.BlueprintRisk, OK: ok, Mode: leyline.RuleEnforce,
	})
	if !ok {
		v.withhold(why) // says nothing about the health of training
	}
}

func (v *Verdict) loss(c *leyline.TamiyoConfig, f Facts) {
	if f.NoLast {
		return // the first window has nothing to compare with
	}
	v.Spike = v.check(f.LossRise, c.LossSpike, c.LossMode, leyline.RiskLossSpike)
}
