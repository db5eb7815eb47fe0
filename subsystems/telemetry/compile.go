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
	s.metric(leyline.MetricKasminaBreaker, float64(x.To), run, component)
	s.metric(leyline.MetricKasminaFailures, float64(x.Failures), run, component)
	what := leyline.NameBreaker
	if x.Breaker == leyline.BreakerIsolation {
		what = leyline.NameIsolationBreaker
	}
	s.moved(what, x)
}

// moved tells how a breaker has moved.
func (s *section) moved(what leyline.EventName, x leyline.BreakerMoved) {
	level := leyline.LevelWarning
	switch {
	case x.Action == leyline.BreakerCount && x.Reason != leyline.BreakerIsolationViolation:
		level = leyline.LevelInfo
	case x.To == leyline.BreakerOpen && x.Action != leyline.BreakerCount && x.Action != leyline.BreakerDenied:
		level = leyline.LevelCritical
	}
	s.event(what, level, text(keyRun, x.Run), name(keyComponent, x.Breaker), name(keyState, x.To), name(keyFrom, x.From),
		name(keyAction, x.Action), name(keyReason, x.Reason), whole(keyFailures, x.Failures), whole(keySuccesses, x.Successes))
}

// posture reports how a trainer said that it runs; what it did not declare is
// left out.
func (s *section) posture(p leyline.Posture, run leyline.Attr) {
	for _, x := range []struct {
		name  leyline.MetricName
		value leyline.Switch
	}{
		{leyline.MetricCompileEnabled, p.Compile}, {leyline.MetricTF32Enabled, p.TF32}, {leyline.MetricAMPEnabled, p.AMP},
		{leyline.MetricForeachEnabled, p.Foreach}, {leyline.MetricPinMemory, p.PinMemory},
	} {
		if x.value != leyline.SwitchUnspecified {
			s.metric(x.name, truth(x.value == leyline.SwitchOn), run)
		}
	}
	if p.Compile == leyline.SwitchOn {
		s.event(leyline.NameCompileEnabled, leyline.LevelInfo, run)
	}
}

// readings says which metric tells a reading of the trainer.
var readings = [...]leyline.MetricName{
	leyline.TrainMomentum:     leyline.MetricTrainerMomentum,
	leyline.TrainHookMs:       leyline.MetricHookMs,
	leyline.TrainApplyMs:      leyline.MetricTrainerApplyMs,
	leyline.TrainFinalizeMs:   leyline.MetricTrainerFinalMs,
	leyline.TrainInputWaitMs:  leyline.MetricTrainerWaitMs,
	leyline.TrainCopyMs:       leyline.MetricTrainerCopyMs,
	leyline.TrainGPUMemUsedGB: leyline.MetricTrainerGPUUsed,
	leyline.TrainGPUMemFreeGB: leyline.MetricTrainerGPUFree,
	leyline.TrainGPUUtil:      leyline.MetricTrainerGPUUtil,
	leyline.TrainCPUUtil:      leyline.MetricTrainerCPUUtil,
}

// readings reports what the trainer measured beside what every step holds.
func (s *section) readings(m leyline.TrainingMetrics, run leyline.Attr) {
	for _, r := range m.Readings {
		if int(r.Metric) < len(readings) {
			s.metric(readings[r.Metric], r.Value, run)
		}
	}
}
