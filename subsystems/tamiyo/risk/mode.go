package risk

import "github.com/esper-plane/esper/leyline"

// conservativeMode stops proposals while the mode is on.
func conservativeMode(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	r := rule{reason: leyline.RiskConservative, effect: c.ConservativeEffect}
	v.atMost(r, truth(f.Conservative), 0, leyline.RuleEnforce)
}

// timeouts looks at how long the policy took. A policy that was late never gets
// here, so this only tells how close it was. One that answered something else than
// its rules say now is noted too.
func timeouts(_ *leyline.TamiyoConfig, f *Facts, v *judge) {
	if !f.Asked {
		v.unmeasured(leyline.RiskPolicyTimeout, leyline.RuleEnforce)
		return
	}
	v.atMost(rule{reason: leyline.RiskPolicyTimeout, effect: leyline.EffectNone}, f.TookMs, f.BudgetMs, leyline.RuleEnforce)
	if f.Stale {
		v.atMost(rule{reason: leyline.RiskPolicyStale, effect: leyline.EffectNone}, 1, 0, leyline.RuleShadow)
	}
}

// stabilisation says whether training is well: no enforced check about it has failed,
// and every breaker around what Tamiyo asks for is CLOSED.
func stabilisation(_ *leyline.TamiyoConfig, f *Facts, v *judge) {
	wrong := truth(!v.Healthy) + float64(f.Breakers)
	v.Healthy = v.Healthy && f.Breakers == 0
	v.atMost(rule{reason: leyline.RiskUnstable, effect: leyline.EffectNone}, wrong, 0, leyline.RuleEnforce)
}

// conservativeRecovery counts the healthy windows that end conservative mode, this one
// included. The window that completes them still proposes nothing: the mode is judged
// before it.
func conservativeRecovery(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	if !f.Conservative {
		return
	}
	healthy := 0.0
	if v.Healthy {
		healthy = float64(f.Healthy) + 1
	}
	r := rule{reason: leyline.RiskNotRecovered, effect: leyline.EffectNone}
	v.Recovered = v.check(r, healthy, float64(c.HealthyWindows), healthy >= float64(c.HealthyWindows), leyline.RuleEnforce)
}
