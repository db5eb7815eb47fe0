package leyline

// The metrics of Tamiyo.
const (
	MetricTamiyoConservative MetricName = "tamiyo.conservative_mode"
	MetricTamiyoLossDelta    MetricName = "tamiyo.loss_delta"
	MetricValidationLoss     MetricName = "tamiyo.validation_loss"
	MetricInferenceMs        MetricName = "tamiyo.inference.latency_ms"
	MetricBlueprintRisk      MetricName = "tamiyo.blueprint.risk"
	MetricBlendMethod        MetricName = "tamiyo.blending.method_index"

	MetricGNNCompileEnabled   MetricName = "tamiyo.gnn.compile_enabled"
	MetricGNNInferenceMs      MetricName = "tamiyo.gnn.inference.latency_ms"
	MetricGNNCompileMs        MetricName = "tamiyo.gnn.compile_warm_ms"
	MetricGNNCompileFallback  MetricName = "tamiyo.gnn.compile_fallback_total"
	MetricFeatureCoverage     MetricName = "tamiyo.gnn.feature_coverage"
	MetricInferenceFailures   MetricName = "tamiyo.breaker.inference_failures"
	MetricInferenceBreaker    MetricName = "tamiyo.breaker.inference_state"
	MetricMetadataFailures    MetricName = "tamiyo.breaker.metadata_failures"
	MetricMetadataBreaker     MetricName = "tamiyo.breaker.metadata_state"
	MetricPolicyValue         MetricName = "tamiyo.policy.value_estimate"
	MetricPolicyRiskScore     MetricName = "tamiyo.policy.risk_score"
	MetricPolicyRiskIndex     MetricName = "tamiyo.policy.risk_index"
	MetricSeedScore           MetricName = "tamiyo.selection.seed_score"
	MetricSeedIndex           MetricName = "tamiyo.selection.seed_index"
	MetricBlueprintIndex      MetricName = "tamiyo.selection.blueprint_index"
	MetricScheduleStart       MetricName = "tamiyo.blending.schedule_start"
	MetricScheduleEnd         MetricName = "tamiyo.blending.schedule_end"
	MetricReportsPublished    MetricName = "tamiyo.field_reports.published_total"
	MetricReportsRetries      MetricName = "tamiyo.field_reports.retries_total"
	MetricReportsDropped      MetricName = "tamiyo.field_reports.dropped_total"
	MetricReportsPending      MetricName = "tamiyo.field_reports.pending_total"
	MetricReportsRetryBacklog MetricName = "tamiyo.field_reports.retry_backlog_total"
)

func tamiyoMetrics() []MetricInfo {
	return []MetricInfo{
		gauge(MetricTamiyoConservative, UnitBool, "run", "Whether nothing new is proposed because training was found unwell").set("tamiyo.healthy_windows"),
		gauge(MetricTamiyoLossDelta, UnitLoss, "run", "Loss of the last healthy step less the running mean before it"),
		gauge(MetricValidationLoss, UnitLoss, "run task", "Held-out loss of a task by its place in the plan, or the mean of all tasks"),
		gauge(MetricInferenceMs, UnitMs, "run", "How long the policy took over its last answer, or until it was given up").set("tamiyo.policy_budget_ms"),
		gauge(MetricBlueprintRisk, UnitScore, "run", "Risk of the blueprint that was last proposed").set("tamiyo.blueprint_risk"),
		gauge(MetricBlendMethod, UnitEnum, "run method", "Blend mode that was last proposed").codes(blendModes{}),

		gauge(MetricGNNCompileEnabled, UnitBool, "run", "Whether the policy network is compiled").reserved(SubsystemTamiyo),
		gauge(MetricGNNInferenceMs, UnitMs, "run", "How long the policy network computed").reserved(SubsystemTamiyo),
		gauge(MetricGNNCompileMs, UnitMs, "run", "How long the policy network took to compile").reserved(SubsystemTamiyo),
		counter(MetricGNNCompileFallback, "run", "Times the policy network could not be compiled").reserved(SubsystemTamiyo),
		gauge(MetricFeatureCoverage, UnitRatio, "run group", "Features of a group that were known, or of all groups").reserved(SubsystemTamiyo),
		gauge(MetricInferenceFailures, UnitCount, "run", "Failures that the breaker of the policy counts").reserved(SubsystemTamiyo),
		gauge(MetricInferenceBreaker, UnitState, "run", "State of the breaker of the policy").codes(breakerStates{}).reserved(SubsystemTamiyo),
		gauge(MetricMetadataFailures, UnitCount, "run", "Failures that the breaker of the metadata lookup counts").reserved(SubsystemTamiyo),
		gauge(MetricMetadataBreaker, UnitState, "run", "State of the breaker of the metadata lookup").codes(breakerStates{}).reserved(SubsystemTamiyo),
		gauge(MetricPolicyValue, UnitScore, "run", "Value that the policy estimates").reserved(SubsystemTamiyo),
		gauge(MetricPolicyRiskScore, UnitScore, "run", "Risk that the policy estimates").reserved(SubsystemTamiyo),
		gauge(MetricPolicyRiskIndex, UnitIndex, "run", "Class of risk that the policy estimates").reserved(SubsystemTamiyo),
		gauge(MetricSeedScore, UnitScore, "run", "Score of the seed that the policy selected").reserved(SubsystemTamiyo),
		gauge(MetricSeedIndex, UnitIndex, "run", "Place of the seed that the policy selected").reserved(SubsystemTamiyo),
		gauge(MetricBlueprintIndex, UnitIndex, "run", "Place of the blueprint that the policy selected").reserved(SubsystemTamiyo),
		gauge(MetricScheduleStart, UnitRatio, "run", "Alpha at which the proposed schedule begins").reserved(SubsystemTamiyo),
		gauge(MetricScheduleEnd, UnitRatio, "run", "Alpha at which the proposed schedule ends").reserved(SubsystemTamiyo),
		counter(MetricReportsPublished, "run", "Field reports that were delivered").reserved(SubsystemTamiyo),
		counter(MetricReportsRetries, "run", "Field reports that were sent again").reserved(SubsystemTamiyo),
		counter(MetricReportsDropped, "run", "Field reports that were given up").reserved(SubsystemTamiyo),
		gauge(MetricReportsPending, UnitCount, "", "Field reports that are not delivered yet").reserved(SubsystemTamiyo),
		gauge(MetricReportsRetryBacklog, UnitCount, "", "Field reports that wait to be sent again").reserved(SubsystemTamiyo),
	}
}

// The telemetry events of Tamiyo that records carry.
const (
	NameConservativeEntered EventName = "conservative_entered"
	NameConservativeExited  EventName = "conservative_exited"
	NamePolicyTimeout       EventName = "timeout_inference"
	NamePolicyFailed        EventName = "tamiyo.policy_failed"
	NameCommandProposed     EventName = "tamiyo.command_proposed"
	NameCommandWithheld     EventName = "tamiyo.command_withheld"
	NamePauseTriggered      EventName = "pause_triggered"
)

// The telemetry events of Tamiyo that no record carries yet.
const (
	NameMetadataTimeout     EventName = "timeout_urza"
	NameNoSeedCandidates    EventName = "no_seed_candidates"
	NameNormalizerFailure   EventName = "normalizer_persistence_failure"
	NameDegradedInputs      EventName = "degraded_inputs"
	NameGNNCompileOffCPU    EventName = "compile_disabled_cpu"
	NameGNNCompileOff       EventName = "compile_disabled"
	NameReportSynthesised   EventName = "field_report_synthesised"
	NameReportRetry         EventName = "field_report_retry"
	NameReportDrop          EventName = "field_report_drop"
	NamePolicyUpdateRefused EventName = "policy_update_rejected"
	NamePolicyUpdateApplied EventName = "policy_update_applied"
)

func tamiyoEvents() []EventInfo {
	reserved := []EventInfo{
		event(NameMetadataTimeout, "run step request_id latency_ms", "The metadata of a blueprint did not come in time", LevelWarning),
		event(NameNoSeedCandidates, "run step", "No seed can be acted upon", LevelInfo),
		event(NameNormalizerFailure, "run reason", "The feature statistics could not be kept", LevelCritical),
		event(NameDegradedInputs, "run step value limit", "Too few of the policy's features were known", LevelWarning, LevelCritical),
		event(NameGNNCompileOffCPU, "reason device", "The policy network is not compiled on a CPU", LevelInfo),
		event(NameGNNCompileOff, "reason device", "The policy network is not compiled", LevelInfo, LevelWarning),
		event(NameReportSynthesised, "run report_id", "A field report closes an observation window", LevelInfo),
		event(NameReportRetry, "run report_id retry_count", "A field report is sent again", LevelWarning),
		event(NameReportDrop, "run report_id retry_count", "A field report is given up", LevelWarning),
		event(NamePolicyUpdateRefused, "version reason", "A new version of the policy was refused", LevelWarning),
		event(NamePolicyUpdateApplied, "version", "A new version of the policy is in use", LevelInfo),
	}
	for i := range reserved {
		reserved[i] = reserved[i].reserved(SubsystemTamiyo)
	}
	return append([]EventInfo{
		event(NameConservativeEntered, "run step reason", "Nothing new is proposed from here on", LevelWarning),
		event(NameConservativeExited, "run step healthy", "Training has been healthy for long enough for new proposals", LevelInfo).set("tamiyo.healthy_windows"),
		event(NamePolicyTimeout, "run step request_id outcome reason latency_ms", "The policy did not answer in time", LevelCritical).set("tamiyo.policy_budget_ms"),
		event(NamePolicyFailed, "run step request_id outcome reason latency_ms", "The policy could not answer", LevelCritical),
		event(NamePauseTriggered, "run step seed_id reason", "A seed is to be taken out of its network", LevelWarning),
		event(NameCommandProposed, "run step kind operation seed_id blueprint_id details", "The policy proposes a command", LevelInfo),
		event(NameCommandWithheld, "run step operation reason effect", "The risk evaluators have held a proposal back, or made another command of it", LevelWarning),
	}, append(riskEvents(), reserved...)...)
}
