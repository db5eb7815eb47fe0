package telemetry

import l "github.com/esper-plane/esper/leyline"

// compileStory is what is said of compiled code that was given up, and of the
// breaker that this opens.
var compileStory = []scene{
	{"a trainer declares that it compiles and uses TF32", "r1", l.RunOpened{Run: "r1", Resume: true}, []l.Event{
		l.RunResumed{Run: "r1", Incarnation: 2, Posture: l.Posture{Compile: l.SwitchOn, TF32: l.SwitchOff}},
	}},
	{"and measures all that it may", "r1", l.StepObserved{Run: "r1", Step: 1, Metrics: l.TrainingMetrics{
		Readings: everyReading(), Extra: []l.Extra{{Name: "tokens", Value: 9}},
	}}, []l.Event{l.GradientsCombined{Run: "r1", Step: 1, Method: l.AggregationPCGrad, Weights: []float64{1}}}},
	{"the host's step cannot be compiled", "r1", l.CompileFallback{Run: "r1", Step: 0}, []l.Event{
		l.CompileFellBack{Run: "r1", Stage: l.FallbackCompile, Reason: "graph break", Count: 1},
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerCompile, Action: l.BreakerCount, From: l.BreakerClosed, To: l.BreakerClosed, Reason: l.BreakerCompileFallback, Failures: 1},
	}},
	{"a seed's compiled code raises: the breaker opens", "r1", l.CompileFallback{Run: "r1", Step: 30, Seed: "s1"}, []l.Event{
		l.CompileFellBack{Run: "r1", Step: 30, Seed: "s1", Stage: l.FallbackRuntime, Reason: "RuntimeError", Count: 1},
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerCompile, Action: l.BreakerTransition, From: l.BreakerClosed, To: l.BreakerOpen,
			Reason: l.BreakerCompileFallback, Failures: 3, UntilStep: 130,
		},
	}},
	{"its cool-down is over", "r1", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerCompile, Action: l.BreakerTransition, From: l.BreakerOpen, To: l.BreakerHalfOpen, Reason: l.BreakerCooldownElapsed, Failures: 3},
	}},
}

func everyReading() []l.Reading {
	var out []l.Reading
	for i, m := range l.MetricUnspecified.Members() {
		out = append(out, l.Reading{Metric: m, Value: float64(i) + 0.5})
	}
	return out
}
