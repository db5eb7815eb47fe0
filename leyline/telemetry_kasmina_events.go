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
	NameMeshMissing       EventName = "mesh_coverage_missing"
	NameOptimizerAdjust   EventName = "optimizer_adjust"
	NameSeedPaused        EventName = "seed_paused"
	NameSeedResumed       EventName = "seed_resumed"
	NameBreakerInvalid    EventName = "breaker_command_invalid"
	NameSeedStage         EventName = "seed_stage"
	NameBlendConfig       EventName = "blend_config"
	NameViolationRecorded EventName = "violation_recorded"
	NamePrefetchRequested EventName = "prefetch_requested"
	NamePrefetchReady     EventName = "prefetch_ready"
	NamePrefetchError     EventName = "prefetch_error"
	NamePrefetchTimeout   EventName = "prefetch_timeout"
	NamePrefetchCanceled  EventName = "prefetch_canceled"
	NameIsolationBreaker  EventName = "isolation_breaker"
	NameSeedForwardError  EventName = "seed_forward_error"
	NameSeedBlendError    EventName = "seed_blend_error"
	NameGateMissingLogits EventName = "confidence_gate_missing_logits"
)

// The telemetry events of Kasmina that no record carries yet.
const (
	NameTamiyoAnnotations EventName = "tamiyo_annotations"
	NameMemoryGC          EventName = "memory_gc"
	NameRollbackReady     EventName = "rollback_ready"
	NameAttachFailed      EventName = "prefetch_attach_failed"
)

func kasminaEvents() []EventInfo {
	const prefetch = "run seed_id request_id reason latency_ms"
	reserved := []EventInfo{
		event(NameTamiyoAnnotations, "run command_id details", "What the policy wrote beside a command", LevelInfo),
		event(NameMemoryGC, "run counts", "The trainer has cleared its caches", LevelInfo),
		event(NameRollbackReady, "run seed_id stage reason", "What a seed needs to be restored is kept", LevelInfo, LevelWarning),
		event(NameAttachFailed, "run seed_id reason", "The trainer could not attach a kernel", LevelWarning),
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
		event(NameGateFailure, "run seed_id gate reason check value limit", "A gate stays closed, and on what it failed; CRITICAL when it is something that the plane relies on", LevelWarning, LevelCritical).set(setGates),
		event(NameOptimizerAdjust, "run command_id action value reason", "A command changes the optimizer", LevelInfo),
		event(NameSeedPaused, "run seed_id step cause", "A seed is paused", LevelWarning),
		event(NameSeedResumed, "run seed_id step blueprint_id cause", "A paused seed goes on", LevelInfo),
		event(NameBreakerInvalid, "run command_id reason", "A command to a breaker makes no sense", LevelWarning),
		event(NameMeshMissing, "run seed_id missing_layers required_layers available_layers", "The host lacks layers that a seed was grafted behind", LevelError),
		event(NameSeedStage, "run seed_id stage from step blueprint_id cause", "A seed has moved; WARNING when it is culled", LevelInfo, LevelWarning),
		event(NameBlendConfig, "run seed_id mode source logits alpha_vec_len total_steps temperature loss", "How a seed will be blended in is fixed", LevelInfo),
		event(NameViolationRecorded, "run seed_id steps value cosine violations breaker_state", "A seed's isolation is violated, for the first time in its stage or worse than before; CRITICAL from the fourth step on and while the isolation breaker is open",
			LevelWarning, LevelCritical).set(setIsolation + " kasmina.strict_isolation"),
		event(NamePrefetchRequested, "run seed_id blueprint_id request_id", "A kernel is being fetched", LevelInfo),
		event(NamePrefetchReady, prefetch, "A kernel is here and verified", LevelInfo),
		event(NamePrefetchError, prefetch, "A kernel could not be fetched or is not what was asked for", LevelCritical),
		event(NamePrefetchTimeout, prefetch, "A kernel was not here in time", LevelCritical).set("kasmina.prefetch_timeout_ms"),
		event(NamePrefetchCanceled, prefetch, "A prefetch was cancelled: its seed is gone, the run has ended or was rewound, or the plane stops", LevelWarning),
		event(NameIsolationBreaker, "run component breaker_state from action reason failures successes", "The breaker of a run's isolation has moved: CRITICAL when it is open, INFO when it counted a success",
			LevelInfo, LevelWarning, LevelCritical).set(setBreaker),
		event(NameSeedForwardError, "run seed_id step reason", "A seed has failed in the forward pass and is culled", LevelCritical),
		event(NameSeedBlendError, "run seed_id step reason", "A seed's output could not be blended, and it is culled", LevelCritical),
		event(NameGateMissingLogits, "run seed_id step reason", "A confidence gate has no logits to judge by, and its seed is culled", LevelCritical),
	}, append(registryEvents(), reserved...)...)
}
