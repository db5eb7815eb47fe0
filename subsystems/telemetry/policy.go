package telemetry

import "github.com/esper-plane/esper/leyline"

// The attribute keys of a policy's decision. They are those of SPEC.md 3.5 to 3.7.
const (
	keyPolicy        = "policy"
	keyPolicyVersion = "policy_version"
	keyPolicyAction  = "policy_action"
	keySelectedSeed  = "selected_seed"
	keySelectedKind  = "selected_blueprint"
	keyValueEstimate = "policy_value_estimate"
	keyRiskIndex     = "policy_risk_index"
	keyRiskScore     = "policy_risk_score"
	keyCoverage      = "feature_coverage" // constant: local because it is a key here, and there the name of a score
	keyCoverageAvg   = "coverage_avg"
	keyMissingFeats  = "missing_features"
	keyBlendSource   = "blend_mode_source"
	keyScheduleUnits = "blending_schedule_units"
	keyScheduleStart = "blending_schedule_start"
	keyScheduleEnd   = "blending_schedule_end"
	keyGroup         = "group"
	keyRule          = "rule"
)

// scheduleUnits says what the ends of a schedule are shares of: the blend's window.
const scheduleUnits = "fraction_0_1"

// groupAll stands for the mean over all features.
const groupAll = "all"

// weighed reports what the policy made of a window.
func (b *builder) weighed(x leyline.PolicyWeighed) {
	s := b.at(leyline.SubsystemTamiyo, x.Run)
	run, step := text(keyRun, x.Run), whole(keyStep, x.Step)
	s.metric(leyline.MetricPolicyValue, x.Value, run)
	if x.Risk.Known {
		s.metric(leyline.MetricPolicyRiskScore, x.Risk.Score, run)
		s.metric(leyline.MetricPolicyRiskIndex, float64(x.Risk.Index), run)
	}
	s.metric(leyline.MetricFeatureCoverage, x.Coverage.Mean, run, text(keyGroup, groupAll))
	for _, g := range x.Coverage.Groups {
		s.metric(leyline.MetricFeatureCoverage, g.Ratio, run, text(keyGroup, g.Group))
	}
	for _, r := range x.Acted {
		s.count(leyline.MetricPolicyShadow, run, name(keyRule, r))
	}
	if x.Masked {
		s.count(leyline.MetricPolicyMasked, run)
	}
	if x.Degraded != leyline.LevelUnspecified {
		s.event(leyline.NameDegradedInputs, x.Degraded, run, step,
			number(keyCoverageAvg, x.Coverage.Mean), whole(keyMissingFeats, x.Coverage.Missing))
	}
	if x.Operation != leyline.OpUnknown {
		b.selected(s, x)
	}
}

// selected reports what a policy has chosen.
func (b *builder) selected(s *section, x leyline.PolicyWeighed) {
	run, step := text(keyRun, x.Run), whole(keyStep, x.Step)
	s.metric(leyline.MetricSeedScore, x.SeedScore, run)
	s.metric(leyline.MetricSeedIndex, float64(x.SeedIndex), run)
	if x.Operation == leyline.OpGerminate {
		s.metric(leyline.MetricBlueprintIndex, float64(x.KindIndex), run)
	}
	attrs := []leyline.Attr{
		run, step, text(keyPolicy, x.Policy.ID), text(keyPolicyVersion, x.Policy.Version), name(keyPolicyAction, x.Operation),
		text(keySelectedSeed, x.Seed), text(keySelectedKind, x.Blueprint), number(keyValueEstimate, x.Value),
		whole(keyRiskIndex, x.Risk.Index), number(keyRiskScore, x.Risk.Score), number(keyCoverage, x.Coverage.Mean),
		name(keyBlendSource, x.Blend), text(keyScheduleUnits, scheduleUnits), number(keyScheduleStart, x.Start), number(keyScheduleEnd, x.End),
	}
	if x.Blend != leyline.SourceUnspecified {
		s.metric(leyline.MetricScheduleStart, x.Start, run)
		s.metric(leyline.MetricScheduleEnd, x.End, run)
	}
	s.event(leyline.NamePolicyDecision, leyline.LevelInfo, attrs...)
	if x.Swapped {
		s.event(leyline.NameScheduleSwapped, leyline.LevelWarning, run, step, number(keyScheduleStart, x.Start), number(keyScheduleEnd, x.End))
	}
}
