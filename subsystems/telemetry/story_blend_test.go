package telemetry

import l "github.com/esper-plane/esper/leyline"

// blendStory is what is said of blends as they were measured, of isolation that is
// violated again and again, and of seeds that fail.
var blendStory = []scene{
	{"a blend by channel is configured", "", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.BlendConfigured{Run: "r1", Seed: "s1", Source: "tamiyo", Plan: l.BlendPlan{Mode: l.BlendChannel, TotalSteps: 20, Temperature: 2, Channels: []float64{0, 0.5, 1}, ChannelCount: 3}, Loss: 0.5},
	}},
	{"and one by confidence", "", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.BlendConfigured{Run: "r1", Seed: "s2", Source: "tamiyo", Plan: l.BlendPlan{
			Mode: l.BlendConfidence, TotalSteps: 20, Temperature: 2, Gate: l.ConfidenceGate{K: 4, Tau: 0.2, Hi: 1}, Source: l.LogitsSeed,
		}, Loss: 0.5},
	}},
	{"a step measures both", "r1", l.StepObserved{Run: "r1", Step: 2, Seeds: []l.SeedObserved{
		{Seed: "s1", Alpha: 0.5, Blend: l.BlendStats{Mode: l.BlendChannel, Mean: 0.25, P95: 0.5, Sparsity: 0.25}},
		{Seed: "s2", Alpha: 0.5, Blend: l.BlendStats{Mode: l.BlendConfidence, Source: l.LogitsSeed, Mean: 0.375, P95: 0.5, GateMean: 0.75, Clamped: 0.125}},
	}}, []l.Event{
		l.IsolationAssessed{Run: "r1", Seed: "s1", Steps: 1, Cosine: 0.99, Coupled: true, Health: l.SeedHealthy},
		l.IsolationAssessed{Run: "r1", Seed: "s2", Steps: 1, Health: l.SeedDegraded},
	}},
	{"a first violation counts", "r1", l.StepObserved{Run: "r1", Step: 3}, []l.Event{
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerIsolation, Action: l.BreakerCount, From: l.BreakerClosed, To: l.BreakerClosed, Reason: l.BreakerIsolationViolation, Failures: 1},
		l.IsolationAssessed{Run: "r1", Seed: "s1", Steps: 2, Leak: 0.5, MaxLeak: 0.5, Violated: true, News: true, Violations: 1, RunViolations: 1, Breaker: l.BreakerClosed, Health: l.SeedUnhealthy},
	}},
	{"the third opens the breaker", "r1", l.StepObserved{Run: "r1", Step: 5}, []l.Event{
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerIsolation, Action: l.BreakerTransition, From: l.BreakerClosed, To: l.BreakerOpen,
			Reason: l.BreakerIsolationViolation, Failures: 3, UntilStep: 105,
		},
		l.IsolationAssessed{Run: "r1", Seed: "s1", Steps: 4, Leak: 0.25, MaxLeak: 0.5, Violated: true, News: true, Violations: 3, RunViolations: 3, Breaker: l.BreakerOpen, Health: l.SeedUnhealthy},
	}},
	{"the fourth of one seed is critical whatever the breaker says", "r1", l.StepObserved{Run: "r1", Step: 6}, []l.Event{
		l.IsolationAssessed{Run: "r1", Seed: "s1", Steps: 5, Leak: 0.25, MaxLeak: 0.5, Violated: true, News: true, Violations: 4, RunViolations: 4, Breaker: l.BreakerHalfOpen, Health: l.SeedCritical},
	}},
	{"a seed that passes gate G1 is a success", "", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerIsolation, Action: l.BreakerCount, From: l.BreakerHalfOpen, To: l.BreakerHalfOpen, Reason: l.BreakerSuccess, Failures: 3, Successes: 1},
	}},
	{"a seed fails in its forward pass", "r1", l.StepObserved{Run: "r1", Step: 7}, []l.Event{
		l.SeedFailed{Run: "r1", Seed: "s1", Step: 7, Failure: l.SeedFailureForward, Reason: "its output is NaN"},
	}},
	{"another cannot be blended", "r1", l.StepObserved{Run: "r1", Step: 8}, []l.Event{
		l.SeedFailed{Run: "r1", Seed: "s2", Step: 8, Failure: l.SeedFailureBlend, Reason: "channels has 3 entries"},
	}},
	{"a third has no logits", "r1", l.StepObserved{Run: "r1", Step: 9}, []l.Event{
		l.SeedFailed{Run: "r1", Seed: "s3", Step: 9, Failure: l.SeedFailureLogits, Reason: "logits are missing"},
	}},
}
