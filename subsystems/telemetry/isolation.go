package telemetry

import "github.com/esper-plane/esper/leyline"

// isolation reports how a seed fares, and a violation of its isolation. The
// measurements of the step say how much; an event says it when that is news, so that
// a leak that goes on is not told again at every step.
func (b *builder) isolation(e leyline.Event) {
	x, ok := e.(leyline.IsolationAssessed)
	if !ok {
		return
	}
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	s.metric(leyline.MetricSeedHealth, float64(x.Health), run, seed)
	if x.Coupled {
		s.count(leyline.MetricIsolationCoupled, run, seed)
	}
	if !x.Violated {
		return
	}
	s.count(leyline.MetricIsolationViolations, run)
	s.count(leyline.MetricSeedViolations, run, seed)
	s.metric(leyline.MetricRunViolations, float64(x.RunViolations), run)
	if x.News {
		critical := x.Breaker == leyline.BreakerOpen || x.Violations >= leyline.CriticalViolations
		s.event(leyline.NameViolationRecorded, either(critical, leyline.LevelCritical, leyline.LevelWarning),
			run, seed, whole(keySteps, x.Steps), number(keyValue, x.Leak), number(keyCosine, x.Cosine), whole(keyViolations, x.Violations), name(keyState, x.Breaker))
	}
}

// failedSeed reports a seed that a step had to do without.
func (b *builder) failedSeed(e leyline.Event) {
	x, ok := e.(leyline.SeedFailed)
	if !ok {
		return
	}
	what := leyline.NameSeedForwardError
	switch x.Failure {
	case leyline.SeedFailureBlend:
		what = leyline.NameSeedBlendError
	case leyline.SeedFailureLogits:
		what = leyline.NameGateMissingLogits
	}
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	s.count(leyline.MetricSeedFailures, run, seed, name(keyFailure, x.Failure))
	s.event(what, leyline.LevelCritical, run, seed, whole(keyStep, x.Step), text(keyReason, x.Reason))
}

// blended reports what a trainer measured of a blend.
func (s *section) blended(x leyline.BlendStats, run, seed leyline.Attr) {
	if x.Mode == leyline.BlendUnspecified {
		return
	}
	attrs := []leyline.Attr{run, seed, name(keyMode, x.Mode), logits(x.Source)}
	s.metric(leyline.MetricBlendAlphaMean, x.Mean, attrs...)
	s.metric(leyline.MetricBlendAlphaP95, x.P95, attrs...)
	s.metric(leyline.MetricBlendSparsity, x.Sparsity, attrs...)
	if x.Mode == leyline.BlendConfidence {
		s.metric(leyline.MetricBlendGateMean, x.GateMean, attrs...)
		s.metric(leyline.MetricBlendClamped, x.Clamped, attrs...)
	}
}

// logits says whose logits gate a blend; empty where no gate does.
func logits(s leyline.LogitSource) leyline.Attr {
	if s == leyline.LogitsUnspecified {
		return text(keyLogits, "")
	}
	return name(keyLogits, s)
}
