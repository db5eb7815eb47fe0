package telemetry

import "github.com/esper-plane/esper/leyline"

// finding says what is told of a check that does not hold. While the rule only
// watches, it is INFO.
type finding struct {
	reason leyline.RiskReason
	event  leyline.EventName
	level  leyline.Level
	about  func(leyline.RiskSubject) []leyline.Attr // beside the check; nil: nothing
}

// findings are the events of SPEC.md 3.8. What is not here is told by the reason of
// the proposal that was held back or changed.
var findings = [...]finding{
	{leyline.RiskPolicyElevated, leyline.NamePolicyRiskElevated, leyline.LevelWarning, nil},
	{leyline.RiskPolicyCritical, leyline.NamePolicyRiskCritical, leyline.LevelCritical, nil},
	{leyline.RiskBlueprint, leyline.NameBlueprintRisk, leyline.LevelWarning, blueprintAttrs},
	{leyline.RiskQuarantine, leyline.NameBlueprintQuarantine, leyline.LevelCritical, blueprintAttrs},
	{leyline.RiskHandling, leyline.NameBSDSQuarantine, leyline.LevelCritical, hazardAttrs},
	{leyline.RiskHazardCritical, leyline.NameBSDSCritical, leyline.LevelCritical, hazardAttrs},
	{leyline.RiskHazardHigh, leyline.NameBSDSHigh, leyline.LevelWarning, hazardAttrs},
	{leyline.RiskLossSpike, leyline.NameLossSpike, leyline.LevelWarning, nil},
	{leyline.RiskLossWarning, leyline.NameLossWarning, leyline.LevelWarning, nil},
	{leyline.RiskHook, leyline.NameTamiyoHookBudget, leyline.LevelWarning, nil},
	{leyline.RiskStepLatency, leyline.NameStepLatencyHigh, leyline.LevelWarning, nil},
	{leyline.RiskApply, leyline.NameApplySlow, leyline.LevelWarning, nil},
	{leyline.RiskFinalize, leyline.NameFinalizeSlow, leyline.LevelWarning, nil},
	{leyline.RiskIsolation, leyline.NameIsolationViolations, leyline.LevelWarning, nil},
	{leyline.RiskFallback, leyline.NameTamiyoFallback, leyline.LevelCritical, nil},
	{leyline.RiskDevice, leyline.NameDevicePressure, leyline.LevelWarning, nil},
	{leyline.RiskCPU, leyline.NameCPUPressure, leyline.LevelWarning, nil},
	{leyline.RiskVolatility, leyline.NameVolatilityHigh, leyline.LevelWarning, nil},
	{leyline.RiskGradVariance, leyline.NameGradVarianceHigh, leyline.LevelWarning, nil},
	{leyline.RiskConflict, leyline.NameConflictHigh, leyline.LevelWarning, nil},
	{leyline.RiskOptimizerHint, leyline.NameOptimizerHint, leyline.LevelWarning, nil},
}

func blueprintAttrs(x leyline.RiskSubject) []leyline.Attr {
	return []leyline.Attr{text(keyBlueprint, x.Blueprint), name(keyTier, x.Tier), whole(keyStage, x.Stage), number(keyRisk, x.Risk)}
}

func hazardAttrs(x leyline.RiskSubject) []leyline.Attr {
	return []leyline.Attr{
		text(keyBlueprint, x.Blueprint), name(keyHazard, x.Band), name(keyHandling, x.Handling), name(keyResource, x.Resource),
		name(keyProvenance, x.Provenance), number(keyRisk, x.Score),
	}
}

// risk reports what the evaluators found, and a proposal that they held back or made
// another command of.
func (b *builder) risk(x leyline.RiskAssessed) {
	s := b.at(leyline.SubsystemTamiyo, x.Run)
	run, step := text(keyRun, x.Run), whole(keyStep, x.Step)
	if x.Subject.Blueprint != "" {
		s.metric(leyline.MetricBlueprintRisk, x.Subject.Risk, run)
		s.event(leyline.NameBSDSPresent, leyline.LevelInfo, append([]leyline.Attr{run, step}, hazardAttrs(x.Subject)...)...)
	}
	for _, c := range x.Checks {
		if c.Evaluator == leyline.EvaluatorPolicyRisk {
			s.event(leyline.NamePolicyRiskSignal, leyline.LevelInfo, run, step, number(keyScore, c.Value), whole(keyIndex, x.RiskIndex))
		}
		s.found(x, c, run, step)
	}
	if !x.Allowed() {
		s.event(leyline.NameCommandWithheld, leyline.LevelWarning,
			run, step, name(keyOperation, x.Proposed), name(keyReason, x.Reason), name(keyEffect, x.Effect))
	}
}

// found reports a check that does not hold.
func (s *section) found(x leyline.RiskAssessed, c leyline.RiskCheck, run, step leyline.Attr) {
	if c.OK {
		return
	}
	if c.Mode == leyline.RuleShadow {
		s.count(leyline.MetricRiskShadow, run, name(keyCheck, c.Reason))
	}
	for _, f := range findings {
		if f.reason != c.Reason {
			continue
		}
		attrs := []leyline.Attr{run, step, number(keyValue, c.Value), number(keyLimit, c.Limit), name(keyMode, c.Mode)}
		if f.about != nil {
			attrs = append(attrs, f.about(x.Subject)...)
		}
		s.event(f.event, either(c.Mode == leyline.RuleEnforce, f.level, leyline.LevelInfo), attrs...)
	}
}
