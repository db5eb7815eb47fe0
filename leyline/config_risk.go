package leyline

import (
	"fmt"
	"reflect"
)

// withRisk adds the defaults of the risk evaluators. Limits are those of SPEC.md
// 3.8. Rules that may find a healthy run at fault only watch: how fast a step is and
// how full a device says nothing about what is learned.
func (c TamiyoConfig) withRisk() TamiyoConfig {
	c.PolicyRisk, c.PolicyRiskCritical, c.PolicyRiskMode = 0.85, 0.98, RuleEnforce
	c.ConservativeEffect = EffectHold
	c.BlueprintQuarantine, c.BlueprintMode, c.HazardMode = 0.8, RuleEnforce, RuleEnforce
	c.LossWarning, c.LossWarningMode = 0.075, RuleShadow
	c.HookLatency, c.StepLatency, c.ApplyLatency, c.FinalizeLatency, c.LatencyMode = 50, 120, 30, 30, RuleShadow
	c.IsolationMode, c.FallbackMode = RuleEnforce, RuleEnforce
	c.GPUUtil, c.GPUFree, c.CPUUtil, c.DeviceMode = 95, 0.2, 95, RuleShadow
	c.GradVariance, c.GradVarianceMode = 1, RuleShadow
	c.OptimizerHintMode = RuleEnforce
	c.RiskSamples, c.RiskRateFactor, c.RiskRateFloor, c.PauseWindows = 10, 0.9, 0.5, 4
	return c
}

// brokenRisk says what is wrong between the limits of one evaluator.
func (c *TamiyoConfig) brokenRisk() (ConfigProblem, bool) {
	for _, x := range [...]struct {
		low, high string
		lo, hi    float64
	}{
		{"tamiyo.policy_risk", "tamiyo.policy_risk_critical", c.PolicyRisk, c.PolicyRiskCritical},
		{"tamiyo.blueprint_risk", "tamiyo.blueprint_quarantine", c.BlueprintRisk, c.BlueprintQuarantine},
		{"tamiyo.loss_warning", "tamiyo.loss_spike", c.LossWarning, c.LossSpike},
		{"tamiyo.risk_rate_floor", "tamiyo.risk_rate_factor", c.RiskRateFloor, c.RiskRateFactor},
	} {
		if x.lo > x.hi {
			return ConfigProblem{
				Key: x.low, Other: x.high, Fix: "lower the first or raise the second",
				Reason: fmt.Sprintf("is %v, above %s (%v)", x.lo, x.high, x.hi),
			}, true
		}
	}
	return ConfigProblem{}, false
}

// brokenHold demands an effect that conservative mode can have on a proposal.
func brokenHold(v reflect.Value) (reason, fix string) {
	if e := RiskEffect(v.Uint()); e != EffectHold && e != EffectPause {
		return fmt.Sprintf("is %s", e), "write hold or pause"
	}
	return "", ""
}
