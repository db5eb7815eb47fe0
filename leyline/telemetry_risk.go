package leyline

// The telemetry events of the risk evaluators (SPEC.md 3.8).
const (
	NamePolicyRiskSignal    EventName = "policy_risk_signal"
	NamePolicyRiskCritical  EventName = "policy_risk_critical"
	NamePolicyRiskElevated  EventName = "policy_risk_elevated"
	NameBlueprintRisk       EventName = "blueprint_risk"
	NameBlueprintQuarantine EventName = "bp_quarantine"
	NameBSDSPresent         EventName = "bsds_present"
	NameBSDSQuarantine      EventName = "bsds_handling_quarantine"
	NameBSDSCritical        EventName = "bsds_hazard_critical"
	NameBSDSHigh            EventName = "bsds_hazard_high"
	NameLossSpike           EventName = "loss_spike"
	NameLossWarning         EventName = "loss_warning"
	NameTamiyoHookBudget    EventName = "hook_budget"
	NameStepLatencyHigh     EventName = "step_latency_high"
	NameApplySlow           EventName = "kasmina_apply_slow"
	NameFinalizeSlow        EventName = "kasmina_finalize_slow"
	NameIsolationViolations EventName = "isolation_violations"
	NameTamiyoFallback      EventName = "tamiyo_runtime_fallback"
	NameDevicePressure      EventName = "device_pressure_high"
	NameCPUPressure         EventName = "cpu_pressure_high"
	NameVolatilityHigh      EventName = "loss_volatility_high"
	NameGradVarianceHigh    EventName = "grad_variance_high"
	NameConflictHigh        EventName = "grad_conflict_high"
	NameOptimizerHint       EventName = "optimizer_hint"
)

// riskEvents are told of a check that does not hold; INFO while its rule only watches.
func riskEvents() []EventInfo {
	const (
		check     = "run step value limit mode"
		blueprint = check + " blueprint_id tier stage risk"
		hazard    = " blueprint_id hazard handling resource provenance risk"

		latency = "tamiyo.latency_mode"
		device  = "tamiyo.device_mode tamiyo.gpu_util tamiyo.gpu_free_gib tamiyo.cpu_util"
		risk    = "tamiyo.policy_risk tamiyo.policy_risk_critical tamiyo.policy_risk_mode"
		kind    = "tamiyo.blueprint_risk tamiyo.blueprint_quarantine tamiyo.blueprint_mode"
	)
	return []EventInfo{
		event(NamePolicyRiskSignal, "run step score index", "The policy has told how risky it finds its proposal", LevelInfo),
		event(NamePolicyRiskCritical, check, "The policy finds its proposal too risky for anything to go on", LevelInfo, LevelCritical).set(risk),
		event(NamePolicyRiskElevated, check, "The policy finds its proposal risky", LevelInfo, LevelWarning).set(risk),
		event(NameBlueprintRisk, blueprint, "The proposed blueprint is risky", LevelInfo, LevelWarning).set(kind),
		event(NameBlueprintQuarantine, blueprint, "The proposed blueprint is in quarantine, or as risky as one that is", LevelInfo, LevelCritical).set(kind),
		event(NameBSDSPresent, "run step"+hazard, "What the safety sheet of the proposed blueprint says", LevelInfo),
		event(NameBSDSQuarantine, check+hazard, "The safety sheet keeps the blueprint in quarantine", LevelInfo, LevelCritical).set("tamiyo.hazard_mode"),
		event(NameBSDSCritical, check+hazard, "The safety sheet tells of a critical hazard", LevelInfo, LevelCritical).set("tamiyo.hazard_mode"),
		event(NameBSDSHigh, check+hazard, "The safety sheet tells of a high hazard", LevelInfo, LevelWarning).set("tamiyo.hazard_mode"),
		event(NameLossSpike, check, "The running loss has risen too much since the last window", LevelInfo, LevelWarning).set(setSpike),
		event(NameLossWarning, check, "The running loss has risen since the last window", LevelInfo, LevelWarning).set("tamiyo.loss_warning tamiyo.loss_warning_mode"),
		event(NameTamiyoHookBudget, check, "The trainer waited too long for the plane, in milliseconds", LevelInfo, LevelWarning).set("tamiyo.hook_latency_ms " + latency),
		event(NameStepLatencyHigh, check, "A step took too long, in milliseconds", LevelInfo, LevelWarning).set("tamiyo.step_latency_ms " + latency),
		event(NameApplySlow, check, "Carrying out commands took long, in milliseconds", LevelInfo, LevelWarning).set("tamiyo.apply_latency_ms " + latency),
		event(NameFinalizeSlow, check, "Advancing blends took long, in milliseconds", LevelInfo, LevelWarning).set("tamiyo.finalize_latency_ms " + latency),
		event(NameIsolationViolations, check, "Seeds whose gradient has reached the host", LevelInfo, LevelWarning).set("kasmina.max_leak tamiyo.isolation_mode"),
		event(NameTamiyoFallback, check, "Compiled code of the run or of the seed was given up since the last window", LevelInfo, LevelCritical).set("tamiyo.fallback_mode"),
		event(NameDevicePressure, check, "The accelerator has no room left; the value is the percentage in use", LevelInfo, LevelWarning).set(device),
		event(NameCPUPressure, check, "The processors have no room left; the value is the percentage in use", LevelInfo, LevelWarning).set(device),
		event(NameVolatilityHigh, check, "The loss varies too much", LevelInfo, LevelWarning).set(setVolatile),
		event(NameGradVarianceHigh, check, "The norm of the gradient varies too much", LevelInfo, LevelWarning).set("tamiyo.grad_variance tamiyo.grad_variance_mode"),
		event(NameConflictHigh, check, "The tasks' gradients conflict too often", LevelInfo, LevelWarning).set(setConflict),
		event(NameOptimizerHint, check, "The learning rate, which is the value, is used up while the loss rises", LevelInfo, LevelWarning).set("tamiyo.optimizer_hint_mode tamiyo.loss_warning"),
	}
}
