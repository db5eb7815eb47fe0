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
// of the highest risk.
func blueprintRisk(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	b := f.Blueprint
	if b == nil {
		return
	}
	value := b.Risk
	if b.Quarantine {
		value = 1
	}
	if !(value < c.BlueprintQuarantine) {
		r := rule{reason: leyline.RiskQuarantine, effect: leyline.EffectConservative, force: true}
		v.check(r, value, c.BlueprintQuarantine, false, c.BlueprintMode)
		return
	}
	r := rule{reason: leyline.RiskBlueprint, effect: leyline.EffectSlow, seedOnly: true}
	v.below(r, value, c.BlueprintRisk, c.BlueprintMode)
}

// bsds reads the hazard sheet of that kind. The values are codes of its enums.
func bsds(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	b := f.Blueprint
	if b == nil {
		return
	}
	handling := rule{reason: leyline.RiskHandling, effect: leyline.EffectConservative, force: true}
	if b.Handling == leyline.HandlingQuarantine {
		v.below(handling, float64(b.Handling), float64(leyline.HandlingQuarantine), c.HazardMode)
	}
	critical := rule{reason: leyline.RiskHazardCritical, effect: leyline.EffectConservative, force: true}
	if b.Band == leyline.HazardCritical {
		v.below(critical, float64(b.Band), float64(leyline.HazardCritical), c.HazardMode)
		return
	}
	high := rule{reason: leyline.RiskHazardHigh, effect: leyline.EffectSlow, seedOnly: true}
	v.below(high, float64(b.Band), float64(leyline.HazardHigh), c.HazardMode)
}
