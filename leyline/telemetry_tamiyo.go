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
	MetricPolicyShadow        MetricName = "tamiyo.policy.shadow_total"
	MetricPolicyMasked        MetricName = "tamiyo.policy.masked_total"
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
		gauge(MetricFeatureCoverage, UnitRatio, "run group", "Features of a group that were known; the group all is the mean over all features, those included of which nothing was known").set("tamiyo.degraded_warning tamiyo.degraded_critical"),
		gauge(MetricInferenceFailures, UnitCount, "run", "Failures that the breaker of the policy counts").reserved(SubsystemTamiyo),
		gauge(MetricInferenceBreaker, UnitState, "run", "State of the breaker of the policy").codes(breakerStates{}).reserved(SubsystemTamiyo),
		gauge(MetricMetadataFailures, UnitCount, "run", "Failures that the breaker of the metadata lookup counts").reserved(SubsystemTamiyo),
		gauge(MetricMetadataBreaker, UnitState, "run", "State of the breaker of the metadata lookup").codes(breakerStates{}).reserved(SubsystemTamiyo),
		gauge(MetricPolicyValue, UnitScore, "run", "What the policy expects of its choice over doing nothing, in the unit of its scores"),
		gauge(MetricPolicyRiskScore, UnitScore, "run", "Expected severity over the classes of risk that the policy estimates, [0,1]"),
		gauge(MetricPolicyRiskIndex, UnitIndex, "run", "Likeliest class of risk, counted from 0, the mildest"),
		gauge(MetricSeedScore, UnitScore, "run", "Score of the seed that the policy selected"),
		gauge(MetricSeedIndex, UnitIndex, "run", "Place of the seed that the policy selected among the slots"),
		gauge(MetricBlueprintIndex, UnitIndex, "run", "Place of the blueprint that the policy selected for a germination"),
		gauge(MetricScheduleStart, UnitRatio, "run", "Where the proposed blend begins, as a share of its window"),
		gauge(MetricScheduleEnd, UnitRatio, "run", "Where the proposed blend ends, as a share of its window"),
		counter(MetricPolicyShadow, "run rule", "Windows in which a rule that only watches would alone have changed the choice").set("rules.shadow"),
		counter(MetricPolicyMasked, "run", "Windows in which what the policy scored highest was not open to it"),
		counter(MetricReportsPublished, "run", "Field reports that were delivered").reserved(SubsystemTamiyo),
		counter(MetricReportsRetries, "run", "Field reports that were sent again").reserved(SubsystemTamiyo),
		counter(MetricReportsDropped, "run", "Field reports that were given up").reserved(SubsystemTamiyo),
		gauge(MetricReportsPending, UnitCount, "", "Field reports that are not delivered yet").reserved(SubsystemTamiyo),
		gauge(MetricReportsRetryBacklog, UnitCount, "", "Field reports that wait to be sent again").reserved(SubsystemTamiyo),
	}
}

// The telemetry events of Tamiyo that records carry.
const (
	NameConflictHigh        EventName = "grad_conflict_high"
	NameLossSpike           EventName = "loss_spike"
	NameVolatilityHigh      EventName = "loss_volatility_high"
	NameBlueprintRisk       EventName = "blueprint_risk"
	NameBlueprintQuarantine EventName = "bp_quarantine"
	NameIsolationViolations EventName = "isolation_violations"
	NameConservativeEntered EventName = "conservative_entered"
	NameConservativeExited  EventName = "conservative_exited"
	NamePolicyTimeout       EventName = "timeout_inference"
	NamePolicyFailed        EventName = "tamiyo.policy_failed"
	NameCommandProposed     EventName = "tamiyo.command_proposed"
	NameCommandWithheld     EventName = "tamiyo.command_withheld"
	NameDegradedInputs      EventName = "degraded_inputs"
	NamePolicyDecision      EventName = "tamiyo.policy_decision"
	NameScheduleSwapped     EventName = "tamiyo.schedule_swapped"
)

// The telemetry events of Tamiyo that no record carries yet.
const (
	NamePolicyRiskSignal    EventName = "policy_risk_signal"
	NamePolicyRiskCritical  EventName = "policy_risk_critical"
	NamePolicyRiskElevated  EventName = "policy_risk_elevated"
	NameBSDSPresent         EventName = "bsds_present"
	NameBSDSQuarantine      EventName = "bsds_handling_quarantine"
	NameBSDSCritical        EventName = "bsds_hazard_critical"
	NameBSDSHigh            EventName = "bsds_hazard_high"
	NameLossWarning         EventName = "loss_warning"
	NameTamiyoHookBudget    EventName = "hook_budget"
	NameStepLatencyHigh     EventName = "step_latency_high"
	NameApplySlow           EventName = "kasmina_apply_slow"
	NameFinalizeSlow        EventName = "kasmina_finalize_slow"
	NameDevicePressure      EventName = "device_pressure_high"
	NameCPUPressure         EventName = "cpu_pressure_high"
	NameGradVarianceHigh    EventName = "grad_variance_high"
	NameOptimizerHint       EventName = "optimizer_hint"
	NameMetadataTimeout     EventName = "timeout_urza"
	NameNoSeedCandidates    EventName = "no_seed_candidates"
	NameNormalizerFailure   EventName = "normalizer_persistence_failure"
	NameGNNCompileOffCPU    EventName = "compile_disabled_cpu"
	NameGNNCompileOff       EventName = "compile_disabled"
	NameReportSynthesised   EventName = "field_report_synthesised"
	NameReportRetry         EventName = "field_report_retry"
	NameReportDrop          EventName = "field_report_drop"
	NamePolicyUpdateRefused EventName = "policy_update_rejected"
	NamePolicyUpdateApplied EventName = "policy_update_applied"
)

func tamiyoEvents() []EventInfo {
	const check = "run step value limit mode"
	reserved := []EventInfo{
		event(NamePolicyRiskSignal, "run step score index", "The policy has told how risky it finds its proposal", LevelInfo),
		event(NamePolicyRiskCritical, check, "The policy finds its proposal too risky for anything to go on", LevelCritical),
		event(NamePolicyRiskElevated, check, "The policy finds its proposal risky", LevelWarning),
		event(NameBSDSPresent, "run step hazard risk provenance", "The blueprint has a safety sheet", LevelInfo),
		event(NameBSDSQuarantine, "run step handling provenance", "The safety sheet keeps the blueprint in quarantine", LevelCritical),
		event(NameBSDSCritical, "run step hazard provenance", "The safety sheet tells of a critical hazard", LevelCritical),
		event(NameBSDSHigh, "run step hazard provenance", "The safety sheet tells of a high hazard", LevelWarning),
		event(NameLossWarning, check, "The loss has risen by half of what counts as a spike", LevelWarning),
		event(NameTamiyoHookBudget, check, "The control hook took longer than its budget", LevelWarning),
		event(NameStepLatencyHigh, check, "A step took longer than its budget", LevelWarning),
		event(NameApplySlow, check, "A command took long to be applied", LevelWarning),
		event(NameFinalizeSlow, check, "The end of a step took long", LevelWarning),
		event(NameDevicePressure, "run step gpu_util gpu_mem_free_gb", "The accelerator has no room left", LevelWarning),
		event(NameCPUPressure, "run step cpu_util", "The processors have no room left", LevelWarning),
		event(NameGradVarianceHigh, check, "The gradients vary too much", LevelWarning),
		event(NameOptimizerHint, "run step lr loss_delta", "The learning rate is used up while the loss rises", LevelWarning),
		event(NameMetadataTimeout, "run step request_id latency_ms", "The metadata of a blueprint did not come in time", LevelWarning),
		event(NameNoSeedCandidates, "run step", "No seed can be acted upon", LevelInfo),
		event(NameNormalizerFailure, "run reason", "The feature statistics could not be kept", LevelCritical),
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
		event(NameConflictHigh, check, "The tasks' gradients conflict too often; INFO while the rule only watches", LevelInfo, LevelWarning).set(setConflict),
		event(NameLossSpike, check, "The running loss has risen too much since the last window; INFO while the rule only watches", LevelInfo, LevelWarning).set(setSpike),
		event(NameVolatilityHigh, check, "The loss varies too much; INFO while the rule only watches", LevelInfo, LevelWarning).set(setVolatile),
		event(NameBlueprintRisk, check, "The proposed blueprint is too risky", LevelWarning).set("tamiyo.blueprint_risk"),
		event(NameBlueprintQuarantine, check, "The proposed blueprint is in quarantine", LevelCritical),
		event(NameIsolationViolations, check, "Seeds whose gradient has reached the host", LevelWarning).set("kasmina.max_leak"),
		event(NameConservativeEntered, "run step reason", "Nothing new is proposed from here on", LevelWarning),
		event(NameConservativeExited, "run step healthy", "Training has been healthy for long enough for new proposals", LevelInfo).set("tamiyo.healthy_windows"),
		event(NamePolicyTimeout, "run step request_id outcome reason latency_ms", "The policy did not answer in time", LevelCritical).set("tamiyo.policy_budget_ms"),
		event(NamePolicyFailed, "run step request_id outcome reason latency_ms", "The policy could not answer", LevelCritical),
		event(NameCommandProposed, "run step kind operation seed_id blueprint_id details", "The policy proposes a command", LevelInfo),
		event(NameCommandWithheld, "run step operation reason", "The risk evaluators have held a proposal back", LevelWarning),
		event(NameDegradedInputs, "run step coverage_avg missing_features", "Too few of the policy's features were known; CRITICAL: nothing is proposed on such grounds", LevelWarning, LevelCritical).set("tamiyo.degraded_mode tamiyo.degraded_warning tamiyo.degraded_critical"),
		event(NamePolicyDecision, "run step policy policy_version policy_action selected_seed selected_blueprint policy_value_estimate policy_risk_index policy_risk_score feature_coverage blend_mode_source blending_schedule_units blending_schedule_start blending_schedule_end", "What the policy has chosen, before risk is looked at", LevelInfo),
		event(NameScheduleSwapped, "run step blending_schedule_start blending_schedule_end", "The policy had answered the end of a blend before its start", LevelWarning),
	}, reserved...)
}
