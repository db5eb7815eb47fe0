package leyline

// Telemetry is a projection: packets are computed from records and can be
// computed again for any point of history. Every metric and event name that
// esper emits is one of the constants below.

// MetricName names a metric; its unit is part of the Metric.
type MetricName string

// The metrics computed from records.
const (
	MetricTrainingLoss         MetricName = "tolaria.training.loss"
	MetricTrainingLossEWMA     MetricName = "tolaria.training.loss_ewma"
	MetricTrainingLossLimit    MetricName = "tolaria.training.loss_limit"
	MetricTrainingVolatility   MetricName = "tolaria.training.loss_volatility"
	MetricTrainingAccuracy     MetricName = "tolaria.training.accuracy"
	MetricStepForwardMs        MetricName = "tolaria.training.forward_ms"
	MetricStepLatencyMs        MetricName = "tolaria.training.latency_ms"
	MetricConflicts            MetricName = "tolaria.grad_agg.conflicts"
	MetricConflictRatio        MetricName = "tolaria.grad_agg.conflict_ratio"
	MetricWeightsMean          MetricName = "tolaria.grad_agg.weights_mean"
	MetricPCGradApplied        MetricName = "tolaria.grad_agg.pcgrad_applied"
	MetricSnapshotsTotal       MetricName = "tolaria.rollback.snapshots_total"
	MetricRollbackRestoreMs    MetricName = "tolaria.rollback.restore_latency_ms"
	MetricRollbackTotalMs      MetricName = "tolaria.rollback.total_ms"
	MetricRollbackFailures     MetricName = "tolaria.rollback.failures_total"
	MetricRollbackDeadline     MetricName = "tolaria.rollback.deadline_exceeded_total"
	MetricEmergencyLevel       MetricName = "tolaria.emergency.level"
	MetricEmergencyHalt        MetricName = "tolaria.emergency.halt"
	MetricEmergencyBroadcastMs MetricName = "tolaria.emergency.last_broadcast_latency_ms"
	MetricTamiyoConservative   MetricName = "tamiyo.conservative_mode"
	MetricTamiyoLossDelta      MetricName = "tamiyo.loss_delta"
	MetricInferenceMs          MetricName = "tamiyo.inference.latency_ms"
	MetricCommandsAccepted     MetricName = "kasmina.command_verifier.accepted_total"
	MetricCommandsRejected     MetricName = "kasmina.command_verifier.rejections_total"
	MetricKernelFetchMs        MetricName = "kasmina.kernel.fetch_latency_ms"
	MetricPrefetchRequests     MetricName = "kasmina.prefetch.requests_total"
	MetricSeedStage            MetricName = "kasmina.seed.stage"
	MetricSeedAlpha            MetricName = "kasmina.seed.alpha"
	MetricSeedAlphaSteps       MetricName = "kasmina.seed.alpha_steps"
	MetricSeedLeak             MetricName = "kasmina.seed.isolation.leak"
	MetricSeedCosine           MetricName = "kasmina.seed.isolation.cosine"
	MetricSeedGradNorm         MetricName = "kasmina.seed.isolation.seed_norm"
	MetricHostGradNorm         MetricName = "kasmina.seed.isolation.host_norm"
	MetricContribution         MetricName = "kasmina.seed.contribution"
	MetricContributionLoss     MetricName = "kasmina.seed.contribution_loss"
	MetricDiskLow              MetricName = "plane.disk.low"
	MetricBreakerState         MetricName = "kasmina.breaker.state"
	MetricBreakerFailures      MetricName = "kasmina.breaker.failures"
	MetricCompileFallbacks     MetricName = "kasmina.compile.fallbacks_total"
)

// EventName names a telemetry event.
type EventName string

// The telemetry events computed from records, with their level in the comment.
const (
	NameDependencyViolation EventName = "dependency_guard.violation"        // CRITICAL
	NamePlaneStarted        EventName = "plane.started"                     // INFO, WARNING after an unclean stop
	NameEffectUnknown       EventName = "plane.effect_unknown"              // WARNING
	NameDiskLow             EventName = "plane.disk_low"                    // CRITICAL
	NameDiskRecovered       EventName = "plane.disk_recovered"              // INFO
	NameRunStarted          EventName = "tolaria.run.started"               // INFO
	NameRunResumed          EventName = "tolaria.run.resumed"               // WARNING
	NameRunEnded            EventName = "tolaria.run.ended"                 // INFO
	NameNonFinite           EventName = "tolaria.training.non_finite"       // CRITICAL
	NameLossSuspect         EventName = "tolaria.training.loss_suspect"     // WARNING, INFO while only watched
	NameDiverged            EventName = "tolaria.training.diverged"         // CRITICAL
	NameTrainerStalled      EventName = "tolaria.trainer.stalled"           // WARNING
	NameTrainerReturned     EventName = "tolaria.trainer.returned"          // INFO
	NameConflictHigh        EventName = "grad_conflict_high"                // WARNING, INFO while only watched
	NameSnapshotRefused     EventName = "tolaria.rollback.snapshot_refused" // CRITICAL
	NameRollbackStarted     EventName = "tolaria.rollback.started"          // CRITICAL
	NameRollbackRestored    EventName = "tolaria.rollback.restored"         // WARNING
	NameRollbackFailed      EventName = "tolaria.rollback.restore_failed"   // CRITICAL
	NameEmergencyEscalated  EventName = "tolaria.emergency.escalated"       // WARNING, CRITICAL from L3
	NameEmergencyCleared    EventName = "tolaria.emergency.cleared"         // INFO
	NameEmergencyHalt       EventName = "tolaria.emergency.halt"            // CRITICAL
	NameEmergencyDispatch   EventName = "tolaria.emergency.dispatch_error"  // CRITICAL
	NameConservativeEntered EventName = "conservative_entered"              // WARNING
	NameConservativeExited  EventName = "conservative_exited"               // INFO
	NamePolicyTimeout       EventName = "timeout_inference"                 // CRITICAL
	NamePolicyFailed        EventName = "tamiyo.policy_failed"              // CRITICAL
	NameCommandProposed     EventName = "tamiyo.command_proposed"           // INFO
	NameCommandWithheld     EventName = "tamiyo.command_withheld"           // WARNING
	NameCommandRejected     EventName = "command_rejected"                  // CRITICAL
	NameCommandAccepted     EventName = "seed_operation"                    // INFO
	NameCommandFailed       EventName = "kasmina.command_failed"            // CRITICAL
	NameCommandExpired      EventName = "kasmina.command_expired"           // CRITICAL
	NameGateEvent           EventName = "gate_event"                        // INFO, WARNING when failed
	NameGateFailure         EventName = "gate_failure"                      // CRITICAL
	NameSeedStage           EventName = "seed_stage"                        // INFO, WARNING for CULLED
	NameBlendConfig         EventName = "blend_config"                      // INFO
	NamePrefetchRequested   EventName = "prefetch_requested"                // INFO
	NamePrefetchReady       EventName = "prefetch_ready"                    // INFO
	NamePrefetchError       EventName = "prefetch_error"                    // CRITICAL
	NamePrefetchTimeout     EventName = "prefetch_timeout"                  // CRITICAL
	NameCompileFallback     EventName = "tolaria.compile_fallback"          // WARNING
	NameCompileRuntime      EventName = "tolaria.compile_runtime_fallback"  // WARNING
	NameBreaker             EventName = "breaker_event"                     // WARNING, CRITICAL when OPEN, INFO for a count
)

// Attr is one attribute of a metric or an event.
type Attr struct{ Key, Value string }

// Metric is one measurement.
type Metric struct {
	Name  MetricName
	Value float64
	Unit  string // "ms", "ratio", "count", "loss", "bool", "grad", "state"
	Attrs []Attr
}

// TelemetryEvent is one thing that happened.
type TelemetryEvent struct {
	Name  EventName
	Level Level
	Attrs []Attr
}

// Packet is the telemetry of one subsystem for one record.
type Packet struct {
	Seq      Seq // the record it was computed from
	At       Instant
	Run      RunID
	Source   Subsystem
	Level    Level    // the highest of its events, INFO without events
	Priority Priority // CRITICAL, HIGH for WARNING and ERROR, else NORMAL (SPEC.md 5.4)
	Metrics  []Metric
	Events   []TelemetryEvent
}

// PriorityOf maps a level to the priority of the packet that carries it.
func PriorityOf(l Level) Priority {
	switch l {
	case LevelCritical:
		return PriorityCritical
	case LevelError, LevelWarning:
		return PriorityHigh
	}
	return PriorityNormal
}
