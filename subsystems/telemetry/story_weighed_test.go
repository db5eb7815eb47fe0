package telemetry

import l "github.com/esper-plane/esper/leyline"

var rules2 = l.PolicyIdentity{ID: "rules", Version: "2", Digest: l.Digest{1}}

// weighedStory is what a policy makes of windows, good ones and poor ones.
var weighedStory = []scene{
	{"it would rather wait; a rule that only watches would not", "r1", l.StepObserved{Run: "r1", Step: 10}, []l.Event{
		l.PolicyWeighed{
			Run: "r1", Step: 10, Policy: rules2, Reason: l.RiskPolicyWaits, Open: 3, Value: -0.2, Risk: l.RiskEstimate{Known: true, Score: 0.25, Index: 1},
			Shadow: l.OpGerminate, Differs: true, Acted: []l.PolicyRule{l.TermPlateau},
			Coverage: l.Coverage{Features: 4, Mean: 0.75, Missing: 1, Groups: []l.GroupCoverage{{Group: "node.global", Ratio: 0.75}, {Group: "node.seed", Ratio: 1}}},
		},
	}},
	{"a germination; little of what it is told was known", "r1", l.StepObserved{Run: "r1", Step: 20}, []l.Event{
		l.PolicyWeighed{
			Run: "r1", Step: 20, Policy: rules2, Operation: l.OpGerminate, Seed: "s1", Blueprint: "mlp-8", Open: 3, SeedIndex: 1, KindIndex: 2,
			SeedScore: 0.5, KindScore: 0.25, Value: 0.5, Coverage: l.Coverage{Features: 4, Mean: 0.25, Missing: 3}, Degraded: l.LevelWarning,
		},
	}},
	{"a graft whose schedule was swapped, beside something that was masked; too little was known", "r1", l.StepObserved{Run: "r1", Step: 30}, []l.Event{
		l.PolicyWeighed{
			Run: "r1", Step: 30, Policy: rules2, Operation: l.OpStartGrafting, Seed: "s1", Open: 9, Masked: true, SeedScore: 1, Value: 1,
			Blend: l.SourcePolicy, Start: 0.25, End: 1, Swapped: true, Coverage: l.Coverage{Features: 4, Mean: 0.05, Missing: 3}, Degraded: l.LevelCritical,
		},
	}},
}
