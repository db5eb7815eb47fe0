package leyline

// The telemetry events of Kasmina that records carry.
const (
	NameCommandRejected   EventName = "command_rejected"
	NameCommandAccepted   EventName = "seed_operation"
	NameCommandsRefused   EventName = "commands_refused"
	NameCommandFailed     EventName = "kasmina.command_failed"
	NameCommandExpired    EventName = "kasmina.command_expired"
	NameGateEvent         EventName = "gate_event"
	NameGateFailure       EventName = "gate_failure"
	NameSeedStage         EventName = "seed_stage"
	NameBlendConfig       EventName = "blend_config"
	NameViolationRecorded EventName = "violation_recorded"
	NamePrefetchRequested EventName = "prefetch_requested"
	NamePrefetchReady     EventName = "prefetch_ready"
	NamePrefetchError     EventName = "prefetch_error"
	NamePrefetchTimeout   EventName = "prefetch_timeout"
	NamePrefetchCanceled  EventName = "prefetch_canceled"
)

// The telemetry events of Kasmina that no record carries yet.
const (
	NameOptimizerAdjust     EventName = "optimizer_adjust"
	NameTamiyoAnnotations   EventName = "tamiyo_annotations"
	NameSeedPaused          EventName = "seed_paused"
	NameSeedResumed         EventName = "seed_resumed"
	NameTeacherRegistered   EventName = "teacher_registered"
	NameTeacherDeregistered EventName = "teacher_deregistered"
	NameRegistryReset       EventName = "registry_reset"
	NameMemoryGC            EventName = "memory_gc"
	NameRollbackReady       EventName = "rollback_ready"
	NameBreakerInvalid      EventName = "breaker_command_invalid"
	NameIsolationBreaker    EventName = "isolation_breaker"
	NameAttachFailed        EventName = "prefetch_attach_failed"
	NameSeedForwardError    EventName = "seed_forward_error"
	NameSeedBlendError      EventName = "seed_blend_error"
	NameGateMissingLogits   EventName = "confidence_gate_missing_logits"
	NameEmergencyCleanup    EventName = "emergency_cleanup"
)

func kasminaEvents() []EventInfo {
	const prefetch = "run seed_id request_id reason latency_ms"
	reserved := []EventInfo{
		event(NameOptimizerAdjust, "run command_id kind", "A command changes the optimizer", LevelInfo),
		event(NameTamiyoAnnotations, "run command_id details", "What the policy wrote beside a command", LevelInfo),
		event(NameSeedPaused, "run seed_id reason", "A seed is paused", LevelWarning),
		event(NameSeedResumed, "run seed_id blueprint_id", "A paused seed goes on", LevelInfo),
		event(NameTeacherRegistered, "run memory_gb budget_gb", "A teacher is known; WARNING when it is larger than planned", LevelInfo, LevelWarning),
		event(NameTeacherDeregistered, "run", "The teacher is forgotten", LevelWarning),
		event(NameRegistryReset, "run", "The parameter registry is emptied", LevelWarning),
		event(NameMemoryGC, "run counts", "The trainer has cleared its caches", LevelInfo),
		event(NameRollbackReady, "run seed_id stage reason", "What a seed needs to be restored is kept", LevelInfo, LevelWarning),
		event(NameBreakerInvalid, "run command_id reason", "A command to a breaker makes no sense", LevelWarning),
		event(NameIsolationBreaker, "run seed_id from to reason", "The breaker of a seed's isolation has moved", LevelWarning, LevelCritical),
		event(NameAttachFailed, "run seed_id reason", "The trainer could not attach a kernel", LevelWarning),
		event(NameSeedForwardError, "run seed_id reason", "A seed has failed in the forward pass", LevelWarning),
		event(NameSeedBlendError, "run seed_id reason", "A seed's output could not be blended", LevelWarning),
		event(NameGateMissingLogits, "run seed_id", "A confidence gate has no logits to judge by", LevelError),
		event(NameEmergencyCleanup, "run reason", "The trainer has let go of every seed", LevelCritical),
	}
	for i := range reserved {
		reserved[i] = reserved[i].reserved(SubsystemKasmina)
	}
	return append([]EventInfo{
		event(NameCommandRejected, "run command_id issuer key_id kind operation reason details", "A command was declined", LevelCritical).set(setVerifier),
		event(NameCommandsRefused, "peer peer_name others reason count span_ms", "The door has refused commands of a peer, for the reason that it met most often, and how many in how long", LevelCritical).set(setVerifier),
		event(NameCommandAccepted, "run command_id issuer key_id kind operation seed_id", "A command was accepted", LevelInfo),
		event(NameCommandFailed, "run command_id outcome reason latency_ms", "The trainer could not carry out a command", LevelCritical),
		event(NameCommandExpired, "run command_id outcome", "The trainer did not say in time what became of a command", LevelCritical).set("kasmina.command_deadline_ms"),
		event(NameGateEvent, "run seed_id gate passed reason", "A gate has judged a seed; WARNING when it stays closed", LevelInfo, LevelWarning).set(setGates),
		event(NameGateFailure, "run seed_id gate reason check value limit", "A gate stays closed, and on what it failed", LevelCritical).set(setGates),
		event(NameSeedStage, "run seed_id stage from step blueprint_id cause", "A seed has moved; WARNING when it is culled", LevelInfo, LevelWarning),
		event(NameBlendConfig, "run seed_id mode total_steps temperature loss", "How a seed will be blended in is fixed", LevelInfo),
		event(NameViolationRecorded, "run seed_id steps value", "A seed's gradient has reached the host, more than before in its stage", LevelWarning).set("kasmina.max_leak"),
		event(NamePrefetchRequested, "run seed_id blueprint_id request_id", "A kernel is being fetched", LevelInfo),
		event(NamePrefetchReady, prefetch, "A kernel is here and verified", LevelInfo),
		event(NamePrefetchError, prefetch, "A kernel could not be fetched or is not what was asked for", LevelCritical),
		event(NamePrefetchTimeout, prefetch, "A kernel was not here in time", LevelCritical).set("kasmina.prefetch_timeout_ms"),
		event(NamePrefetchCanceled, prefetch, "A resume or a rollback has made a prefetch void", LevelWarning),
	}, reserved...)
}
