package telemetry

import l "github.com/esper-plane/esper/leyline"

var risky = l.RiskSubject{
	Seed: "s1", Blueprint: "mlp-8", Tier: l.BlueprintExperimental, Stage: 1, Risk: 0.4, Band: l.HazardHigh, Handling: l.HandlingStandard,
	Resource: l.ResourceCPU, Provenance: l.ProvenanceUrabrask, Score: 0.7,
}

// every holds a check of each rule that does not hold, in the order of the evaluators.
func every(mode l.RuleMode) []l.RiskCheck {
	var out []l.RiskCheck
	for _, x := range []struct {
		by  l.RiskEvaluator
		why []l.RiskReason
	}{
		{l.EvaluatorPolicyRisk, []l.RiskReason{l.RiskPolicyCritical, l.RiskPolicyElevated}},
		{l.EvaluatorConservative, []l.RiskReason{l.RiskConservative}},
		{l.EvaluatorTimeouts, []l.RiskReason{l.RiskPolicyTimeout, l.RiskPolicyStale}},
		{l.EvaluatorBlueprint, []l.RiskReason{l.RiskQuarantine, l.RiskBlueprint}},
		{l.EvaluatorBSDS, []l.RiskReason{l.RiskHandling, l.RiskHazardCritical, l.RiskHazardHigh}},
		{l.EvaluatorLoss, []l.RiskReason{l.RiskLossSpike, l.RiskLossWarning}},
		{l.EvaluatorLatency, []l.RiskReason{l.RiskHook, l.RiskStepLatency, l.RiskApply, l.RiskFinalize}},
		{l.EvaluatorDevice, []l.RiskReason{l.RiskIsolation, l.RiskFallback, l.RiskDevice, l.RiskCPU}},
		{l.EvaluatorOptimizer, []l.RiskReason{l.RiskVolatility, l.RiskGradVariance, l.RiskConflict, l.RiskOptimizerHint}},
		{l.EvaluatorStabilisation, []l.RiskReason{l.RiskUnstable}},
		{l.EvaluatorRecovery, []l.RiskReason{l.RiskNotRecovered}},
	} {
		for _, why := range x.why {
			out = append(out, l.RiskCheck{Evaluator: x.by, Reason: why, Value: 2, Limit: 1, Mode: mode, Effect: l.EffectPause})
		}
	}
	return out
}

var riskStory = []scene{
	{"every evaluator finds everything that it can find", "r1", l.StepObserved{Run: "r1", Step: 10}, []l.Event{
		l.RiskAssessed{
			Run: "r1", Step: 10, Kind: l.CommandSeed, Proposed: l.OpStartGrafting, Effect: l.EffectPause, Reason: l.RiskOptimizerHint,
			Subject: risky, RiskIndex: 4, Checks: every(l.RuleEnforce),
		},
		l.CommandProposed{
			Run: "r1", Step: 10, Kind: l.CommandPause, Why: "it is not well", Metadata: l.DecisionMetadata{Reason: l.RiskOptimizerHint},
			Pause: l.PauseCommand{Action: l.PauseStart, Scope: l.PauseSeed, Seed: "s1", Reason: "optimizer_hint"},
		},
	}},
	{"the same, only watched: the proposal goes out", "r1", l.StepObserved{Run: "r1", Step: 20}, []l.Event{
		l.RiskAssessed{
			Run: "r1", Step: 20, Kind: l.CommandSeed, Proposed: l.OpStartGrafting, Effect: l.EffectNone, Reason: l.RiskPolicy,
			Subject: risky, Checks: every(l.RuleShadow),
		},
	}},
	{"a seed that was paused is resumed", "r1", l.StepObserved{Run: "r1", Step: 30}, []l.Event{
		l.RiskAssessed{
			Run: "r1", Step: 30, Kind: l.CommandPause, Effect: l.EffectNone, Reason: l.RiskPolicy, Subject: l.RiskSubject{Seed: "s1"},
			Unmeasured: []l.RiskReason{l.RiskHook, l.RiskDevice},
		},
		l.CommandProposed{
			Run: "r1", Step: 30, Kind: l.CommandPause, Why: "training has been well", Metadata: l.DecisionMetadata{Reason: l.RiskPolicy},
			Pause: l.PauseCommand{Action: l.PauseEnd, Scope: l.PauseSeed, Seed: "s1", Reason: "training has been well"},
		},
	}},
	{"the learning rates are lowered instead of a seed being acted upon", "r1", l.StepObserved{Run: "r1", Step: 40}, []l.Event{
		l.CommandProposed{
			Run: "r1", Step: 40, Kind: l.CommandOptimizer, Why: "the loss rises", Metadata: l.DecisionMetadata{Reason: l.RiskLossWarning},
			Optimizer: l.OptimizerCommand{Action: l.OptimizerScale, Factor: 0.9, Reason: "the loss rises"},
		},
	}},
	{"a window ends; its readings are the trainer's own metrics already", "r1", l.StepObserved{Run: "r1", Step: 50}, []l.Event{
		l.WindowEnded{Run: "r1", Step: 50, Seen: l.StepSeen{StepNs: 5_000_000, LearnRate: 0.1}},
	}},
}
