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
	MetricRiskShadow          MetricName = "tamiyo.risk.shadow_total"
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
		gauge(MetricInferenceMs, UnitMs, "run", "How long the policy took over its last answer, or until it was given up").set("tamiyo.policy_budget_ms tamiyo.policy_inline"),
		gauge(MetricBlueprintRisk, UnitScore, "run", "Risk of the blueprint that was last proposed").set("tamiyo.blueprint_risk"),
		gauge(MetricBlendMethod, UnitEnum, "run method", "Blend mode that was last proposed").codes(blendModes{}),

		gauge(MetricGNNCompileEnabled, UnitBool, "run", "Whether the policy network is compiled").reserved(SubsystemTamiyo),
		gauge(MetricGNNInferenceMs, UnitMs, "run", "How long the policy network computed").reserved(SubsystemTamiyo),
		gauge(MetricGNNCompileMs, UnitMs, "run", "How long the policy network took to compile").reserved(SubsystemTamiyo),
		counter(MetricGNNCompileFallback, "run", "Times the policy network could not be compiled").reserved(SubsystemTamiyo),
		gauge(MetricFeatureCoverage, UnitRatio, "run group", "Features of a group that were known; the group all is the mean over all features, those included of which nothing was known").set("tamiyo.degraded_warning tamiyo.degraded_critical"),
		gauge(MetricPolicyValue, UnitScore, "run", "What the policy expects of its choice over doing nothing, in the unit of its scores"),
		gauge(MetricPolicyRiskScore, UnitScore, "run", "Expected severity over the classes of risk that the policy estimates, [0,1]"),
		gauge(MetricPolicyRiskIndex, UnitIndex, "run", "Likeliest class of risk, counted from 0, the mildest"),
		gauge(MetricSeedScore, UnitScore, "run", "Score of the seed that the policy selected"),
		gauge(MetricSeedIndex, UnitIndex, "run", "Place of the seed that the policy selected among the slots"),
		gauge(MetricBlueprintIndex, UnitIndex, "run", "Place of the blueprint that the policy selected for a germination"),
		gauge(MetricScheduleStart, UnitRatio, "run", "Where the proposed blend begins, as a share of its window"),
		gauge(MetricScheduleEnd, UnitRatio, "run", "Where the proposed blend ends, as a share of its window"),
		counter(MetricRiskShadow, "run check", "Windows in which a risk evaluator that only watches found something it would have acted upon"),
		counter(MetricPolicyShadow, "run rule", "Windows in which a rule that only watches would alone have changed the choice").set("rules.shadow"),
		counter(MetricPolicyMasked, "run", "Windows in which what the policy scored highest was not open to it"),
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
	NameDegradedInputs      EventName = "degraded_inputs"
	NamePolicyDecision      EventName = "tamiyo.policy_decision"
	NameScheduleSwapped     EventName = "tamiyo.schedule_swapped"
)

// The telemetry events of Tamiyo that no record carries yet.
const (
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
	NamePolicyImported      EventName = "policy_imported"
)

func tamiyoEvents() []EventInfo {
	reserved := []EventInfo{

		event(NameNormalizerFailure, "run reason", "The feature statistics could not be kept", LevelCritical),
		event(NameGNNCompileOffCPU, "reason device", "The policy network is not compiled on a CPU", LevelInfo),
		event(NameGNNCompileOff, "reason device", "The policy network is not compiled", LevelInfo, LevelWarning),
	}
	for i := range reserved {
		reserved[i] = reserved[i].reserved(SubsystemTamiyo)
	}
	return append([]EventInfo{
		event(NameConservativeEntered, "run step reason by wanted", "Nothing new is proposed from here on", LevelWarning).set("tamiyo.healthy_windows tamiyo.conservative_cooldown_ms tamiyo.conservative_cooldown_steps"),
		event(NameConservativeExited, "run step healthy reason previous_reason by lasted_ms lasted_steps", "Training has been healthy for long enough for new proposals, or an operator allows them", LevelInfo).set("tamiyo.healthy_windows"),
		event(NamePolicyTimeout, "run step request_id outcome reason latency_ms", "The policy did not answer in time", LevelCritical).set("tamiyo.policy_budget_ms"),
		event(NamePolicyFailed, "run step request_id outcome reason latency_ms", "The policy could not answer", LevelCritical),
		event(NamePauseTriggered, "run step seed_id reason", "A seed is to be taken out of its network", LevelWarning),
		event(NameCommandProposed, "run step kind operation seed_id blueprint_id details", "The policy proposes a command", LevelInfo),
		event(NamePolicyImported, "policy digest kind key_id", "The file of a policy is known from here on", LevelInfo),
		event(NamePolicyUpdateRefused, "run policy command_id reason failure details suspended",
			"A policy was refused: WARNING at the command, CRITICAL for its file; suspended: it is in force, and nothing is proposed", LevelWarning, LevelCritical).set("tamiyo.policy_max_age_ms"),
		event(NamePolicyUpdateApplied, "run policy from command_id latency_ms", "Another policy decides from here on", LevelInfo),
		event(NameCommandWithheld, "run step operation reason effect", "The risk evaluators have held a proposal back, or made another command of it", LevelWarning),
		event(NameDegradedInputs, "run step coverage_avg missing_features", "Too few of the policy's features were known; CRITICAL: nothing is proposed on such grounds", LevelWarning, LevelCritical).set("tamiyo.degraded_mode tamiyo.degraded_warning tamiyo.degraded_critical"),
		event(NameScheduleSwapped, "run step blending_schedule_start blending_schedule_end", "The policy had answered the end of a blend before its start", LevelWarning),
		event(NamePolicyDecision, "run step policy policy_version policy_action selected_seed selected_blueprint policy_value_estimate policy_risk_index policy_risk_score feature_coverage blend_mode_source blending_schedule_units blending_schedule_start blending_schedule_end", "What the policy has chosen, before risk is looked at", LevelInfo),
	}, append(riskEvents(), reserved...)...)
}
