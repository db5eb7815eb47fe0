package telemetry

import "github.com/esper-plane/esper/leyline"

func (b *builder) compile(e leyline.Event) {
	switch x := e.(type) {
	case leyline.CompileFellBack:
		b.fallback(x)
	case leyline.BreakerMoved:
		b.breaker(x)
	}
}

// fallback reports compiled code that was given up: before it ran, or while it
// did (SPEC.md 2.11).
func (b *builder) fallback(x leyline.CompileFellBack) {
	s := b.at(leyline.SubsystemKasmina, x.Run)
	what := leyline.NameCompileRuntime
	if x.Stage == leyline.FallbackCompile || x.Stage == leyline.FallbackWarmup {
		what = leyline.NameCompileFallback
	}
	s.count(leyline.MetricCompileFallbacks, text(keyRun, x.Run), name(keyStage, x.Stage))
	s.event(what, leyline.LevelWarning, text(keyRun, x.Run), whole(keyStep, x.Step), text(keySeed, x.Seed),
		name(keyStage, x.Stage), text(keyReason, x.Reason), whole(keyCount, x.Count))
}

// breaker reports every move of a breaker (SPEC.md 4.7).
func (b *builder) breaker(x leyline.BreakerMoved) {
	s := b.at(leyline.SubsystemKasmina, x.Run)
	run, component := text(keyRun, x.Run), name(keyComponent, x.Breaker)
	s.metric(leyline.MetricBreakerState, float64(x.To), unitState, run, component)
	s.metric(leyline.MetricBreakerFailures, float64(x.Failures), unitCount, run, component)
	level := leyline.LevelWarning
	switch {
	case x.Action == leyline.BreakerCount:
		level = leyline.LevelInfo
	case x.To == leyline.BreakerOpen:
		level = leyline.LevelCritical
	}
	s.event(leyline.NameBreaker, level, run, component, name(keyState, x.To), name(keyFrom, x.From),
		name(keyAction, x.Action), text(keyReason, x.Reason))
}
