package leyline

// The metrics of what Tamiyo asks of others.
const (
	MetricInferenceBudget MetricName = "tamiyo.inference.budget_ms"
	MetricMetadataMs      MetricName = "tamiyo.metadata.latency_ms"
	MetricMetadataBudget  MetricName = "tamiyo.metadata.budget_ms"
	MetricAnswersLate     MetricName = "tamiyo.answers.late_total"
)

func askMetrics() []MetricInfo {
	const inference, metadata = "tamiyo.policy_budget_ms tamiyo.budget_mode", "tamiyo.metadata_budget_ms tamiyo.budget_mode"
	return []MetricInfo{
		gauge(MetricInferenceBudget, UnitMs, "run", "Time that the last question to the policy may take, on the shared worker").set(inference),
		gauge(MetricMetadataMs, UnitMs, "run", "How long the last safety sheet took to be looked up, or until that was given up").set("tamiyo.metadata_budget_ms"),
		gauge(MetricMetadataBudget, UnitMs, "run", "Time that the last lookup of a safety sheet may take").set(metadata),
		counter(MetricAnswersLate, "run kind", "Answers of the policy or of the catalogue that nobody waited for any more"),
		gauge(MetricInferenceFailures, UnitCount, "run", "Failures in a row that the breaker of the policy counts").set(setBreaker),
		gauge(MetricInferenceBreaker, UnitState, "run", "State of the breaker of the policy").codes(breakerStates{}).set(setBreaker),
		gauge(MetricMetadataFailures, UnitCount, "run", "Failures in a row that the breaker of the safety sheets counts").set(setBreaker),
		gauge(MetricMetadataBreaker, UnitState, "run", "State of the breaker of the safety sheets").codes(breakerStates{}).set(setBreaker),
	}
}

// The telemetry events of what Tamiyo asks of others, and of its caution.
const (
	NameConservativeRefreshed EventName = "tamiyo.conservative_refreshed"
	NamePolicyInvalid         EventName = "tamiyo.policy_invalid"
	NameMetadataFailed        EventName = "tamiyo.metadata_failed"
	NameMetadataSettled       EventName = "tamiyo.metadata_settled"
	NameAnswerLate            EventName = "tamiyo.answer_late"
	NameBudgetLearned         EventName = "tamiyo.budget_learned"
)

func askEvents() []EventInfo {
	const missed = "run step request_id blueprint_id fault reason latency_ms"
	return []EventInfo{
		event(NameConservativeRefreshed, "run step reason previous_reason by count", "A run that is conservative has one more reason to be", LevelWarning).
			set("tamiyo.healthy_windows tamiyo.conservative_cooldown_ms tamiyo.conservative_cooldown_steps"),
		event(NamePolicyInvalid, "run step request_id field identifier details latency_ms", "What the policy would do lacks an id, or names what there is not", LevelCritical),
		event(NameNoSeedCandidates, "run step request_id field identifier details latency_ms", "The run grows kinds of seed and has no slot for one", LevelCritical),
		event(NameMetadataTimeout, missed, "The safety sheet of a blueprint did not come in time", LevelCritical).set("tamiyo.metadata_budget_ms"),
		event(NameMetadataFailed, missed, "There is no safety sheet of a blueprint that counts", LevelCritical).set("tamiyo.catalogue_dir"),
		event(NameMetadataSettled, "run step request_id blueprint_id serial key_id risk latency_ms", "The facts of a safety sheet count from here on", LevelInfo).
			set("tamiyo.metadata_ttl_ms tamiyo.metadata_ttl_steps"),
		event(NameAnswerLate, "run kind request_id outcome latency_ms", "An answer has come that nobody waits for any more", LevelWarning),
		event(NameBudgetLearned, "run kind old_ms new_ms max_ms count", "An answer has taught how long answers take", LevelInfo).
			set("tamiyo.budget_mode tamiyo.budget_factor tamiyo.budget_samples"),
	}
}
