package leyline

// The metrics of how a trainer runs: its posture, what it gave up of it, and what
// it measures beside what every step holds.
const (
	MetricCompileEnabled   MetricName = "tolaria.train.compile_enabled"
	MetricTF32Enabled      MetricName = "tolaria.train.tf32_enabled"
	MetricCompileFallbacks MetricName = "kasmina.compile.fallbacks_total"
	MetricKasminaBreaker   MetricName = "kasmina.breaker.state"
	MetricKasminaFailures  MetricName = "kasmina.breaker.failures"
	MetricHookMs           MetricName = "tolaria.hook.latency_ms"
	MetricTrainerMomentum  MetricName = "tolaria.trainer.optimizer_momentum"
	MetricTrainerApplyMs   MetricName = "tolaria.trainer.apply_ms"
	MetricTrainerFinalMs   MetricName = "tolaria.trainer.finalize_ms"
	MetricTrainerWaitMs    MetricName = "tolaria.trainer.input_wait_ms"
	MetricTrainerCopyMs    MetricName = "tolaria.trainer.h2d_copy_ms"
	MetricTrainerGPUUsed   MetricName = "tolaria.trainer.gpu_mem_used_gb"
	MetricTrainerGPUFree   MetricName = "tolaria.trainer.gpu_mem_free_gb"
	MetricTrainerGPUUtil   MetricName = "tolaria.trainer.gpu_util_percent"
	MetricTrainerCPUUtil   MetricName = "tolaria.trainer.cpu_util_percent"
)

func trainerMetrics() []MetricInfo {
	return []MetricInfo{
		gauge(MetricCompileEnabled, UnitBool, "run", "Whether the trainer runs a compiled step"),
		gauge(MetricTF32Enabled, UnitBool, "run", "Whether the trainer multiplies matrices in TF32"),
		counter(MetricCompileFallbacks, "run stage", "Times that compiled code was given up for eager execution"),
		gauge(MetricKasminaBreaker, UnitState, "run component", "State of a breaker").codes(breakerStates{}).set(setBreaker),
		gauge(MetricKasminaFailures, UnitCount, "run component", "Failures in a row that a breaker has counted").set(setBreaker),
		gauge(MetricHookMs, UnitMs, "run", "How long the trainer waited for the plane in the step before the last one"),
		gauge(MetricTrainerMomentum, UnitValue, "run", "Momentum of the optimizer, mean over the parameter groups that have one"),
		gauge(MetricTrainerApplyMs, UnitMs, "run", "How long the trainer carried out commands in the step before the last one"),
		gauge(MetricTrainerFinalMs, UnitMs, "run", "How long the trainer advanced blends in the step before the last one"),
		gauge(MetricTrainerWaitMs, UnitMs, "run", "How long the trainer waited for its last batch"),
		gauge(MetricTrainerCopyMs, UnitMs, "run", "How long the last batch took to the device"),
		gauge(MetricTrainerGPUUsed, UnitGiB, "run", "Memory in use on the accelerator"),
		gauge(MetricTrainerGPUFree, UnitGiB, "run", "Memory free on the accelerator"),
		gauge(MetricTrainerGPUUtil, UnitPercent, "run", "Utilisation of the accelerator"),
		gauge(MetricTrainerCPUUtil, UnitPercent, "run", "Processor time of the trainer, of what its processors had to give"),
	}
}

// The telemetry events of how a trainer runs.
const (
	NameCompileFallback EventName = "tolaria.compile_fallback"
	NameCompileRuntime  EventName = "tolaria.compile_runtime_fallback"
	NameBreaker         EventName = "breaker_event"
)

func trainerEvents() []EventInfo {
	const fallback = "run step seed_id stage reason count"
	return []EventInfo{
		event(NameCompileFallback, fallback, "Code could not be compiled and runs eagerly", LevelWarning),
		event(NameCompileRuntime, fallback, "Compiled code has failed while it ran and runs eagerly", LevelWarning),
		event(NameBreaker, "run component breaker_state from action reason failures successes", "A breaker has moved, denied or counted: CRITICAL when it opens, INFO when it only counted",
			LevelInfo, LevelWarning, LevelCritical).set(setBreaker),
	}
}
