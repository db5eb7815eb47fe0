package risk

import "github.com/esper-plane/esper/leyline"

// lossMetrics judges how much the running loss has risen since the last window. The
// first window has nothing to compare with.
func lossMetrics(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	if f.NoLast {
		v.unmeasured(leyline.RiskLossSpike, c.LossMode)
		return
	}
	spike := rule{reason: leyline.RiskLossSpike, effect: leyline.EffectConservative, force: true, training: true}
	if !v.atMost(spike, f.LossRise, c.LossSpike, c.LossMode) {
		return
	}
	warning := rule{reason: leyline.RiskLossWarning, effect: leyline.EffectSlow, seedOnly: true, training: true}
	v.atMost(warning, f.LossRise, c.LossWarning, c.LossWarningMode)
}

// optimizerHints judges the running figures that speak for smaller steps. A running
// figure of fewer than tamiyo.risk_samples steps says nothing.
//
// The variance of the gradient is that of the norm of the combined gradient over its
// squared mean, both exponentially weighted over healthy steps:
// Var(|g|) / Mean(|g|)^2, |g| = sqrt(w' G w) for weights w and Gram matrix G. It has
// no unit; a limit of 1 is a norm that deviates by as much as it is large.
func optimizerHints(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	hint := rule{effect: leyline.EffectSlow, seedOnly: true, training: true}
	judge := func(why leyline.RiskReason, value, limit float64, samples uint64, mode leyline.RuleMode) {
		if samples < uint64(c.RiskSamples) {
			v.unmeasured(why, mode)
			return
		}
		hint.reason = why
		v.atMost(hint, value, limit, mode)
	}
	judge(leyline.RiskVolatility, f.Volatility, c.Volatility, f.Samples, c.VolatilityMode)
	judge(leyline.RiskGradVariance, f.GradVariance, c.GradVariance, f.GradSamples, c.GradVarianceMode)
	judge(leyline.RiskConflict, f.Conflict, c.Conflict, f.Samples, c.ConflictMode)
	if !f.HasRate || f.NoLast {
		v.unmeasured(leyline.RiskOptimizerHint, c.OptimizerHintMode)
		return
	}
	used := f.Seen.LearnRate <= 0 && f.LossRise > c.LossWarning
	hint.reason, hint.force = leyline.RiskOptimizerHint, true
	v.check(hint, f.Seen.LearnRate, 0, !used, c.OptimizerHintMode)
}
