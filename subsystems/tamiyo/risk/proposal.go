package risk

import "github.com/esper-plane/esper/leyline"

// policyRisk holds what the policy thinks of its own proposal against two limits.
func policyRisk(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	if !f.HasRisk {
		v.unmeasured(leyline.RiskPolicyElevated, c.PolicyRiskMode)
		return
	}
	critical := rule{reason: leyline.RiskPolicyCritical, effect: leyline.EffectConservative, force: true}
	if !(f.PolicyRisk < c.PolicyRiskCritical) {
		v.below(critical, f.PolicyRisk, c.PolicyRiskCritical, c.PolicyRiskMode)
		return
	}
	elevated := rule{reason: leyline.RiskPolicyElevated, effect: leyline.EffectSlow, seedOnly: true}
	v.below(elevated, f.PolicyRisk, c.PolicyRisk, c.PolicyRiskMode)
}

// blueprintRisk judges the kind of the seed that is proposed. A kind in quarantine is
// of the highest risk. The lower limit is for a seed that is to germinate: whoever
// germinated one that lives has accepted its risk.
func blueprintRisk(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	b := f.Blueprint
	if b == nil {
		return
	}
	value := b.Risk
	if b.Quarantine {
		value = 1
	}
	if f.Operation != leyline.OpGerminate || !(value < c.BlueprintQuarantine) {
		v.below(rule{reason: leyline.RiskQuarantine, effect: leyline.EffectConservative, force: true}, value, c.BlueprintQuarantine, c.BlueprintMode)
		return
	}
	v.below(rule{reason: leyline.RiskBlueprint, effect: leyline.EffectSlow, seedOnly: true}, value, c.BlueprintRisk, c.BlueprintMode)
}

// bsds reads the hazard sheet of that kind. The values are codes of its enums. A high
// hazard counts like a risk over the lower limit.
func bsds(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	b := f.Blueprint
	if b == nil {
		return
	}
	if b.Handling == leyline.HandlingQuarantine {
		r := rule{reason: leyline.RiskHandling, effect: leyline.EffectConservative, force: true}
		v.below(r, float64(b.Handling), float64(leyline.HandlingQuarantine), c.HazardMode)
	}
	if f.Operation != leyline.OpGerminate || b.Band == leyline.HazardCritical {
		r := rule{reason: leyline.RiskHazardCritical, effect: leyline.EffectConservative, force: true}
		v.below(r, float64(b.Band), float64(leyline.HazardCritical), c.HazardMode)
		return
	}
	r := rule{reason: leyline.RiskHazardHigh, effect: leyline.EffectSlow, seedOnly: true}
	v.below(r, float64(b.Band), float64(leyline.HazardHigh), c.HazardMode)
}
