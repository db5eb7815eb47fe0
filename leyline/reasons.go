package leyline

// RejectReason says why a command was not accepted. The order of the
// verification reasons is the order of the checks (DESIGN.md section 7); rate_limited
// comes before replay_ledger_full, and nonce_quota_full after it.
type RejectReason = Enum[rejectReasons]

type rejectReasons struct{}

func (rejectReasons) list() []string { return rejectReasonNames[:] }

var rejectReasonNames = [...]string{
	"none",
	// verification
	"too_large", "malformed", "unknown_key", "key_revoked", "missing_signature", "invalid_signature",
	"not_permitted",
	"wrong_audience", "missing_command_id", "missing_timestamp", "issued_in_future", "stale_command",
	"nonce_replayed", "sequence_replayed", "replay_ledger_full",
	// the command is authentic but cannot be carried out
	"unknown_run", "run_not_open", "rollback_active", "unknown_seed", "unknown_blueprint", "missing_mesh",
	"unknown_blend_mode", "wrong_stage", "seed_embargoed", "gate_failed", "unsupported_kind",
	"unsupported_operation", "kernel_pending", "command_pending", "blend_incomplete", "contribution_unmeasured", "loss_suspect", "wrong_level", "before_rollback",
	"operator_only", "invalid_blend_plan", "confidence_gate_missing_logits",
	"nonce_quota_full", "rate_limited", // verification
	"parameter_owned", "unknown_teacher",
	"blueprint_withdrawn", "parameter_out_of_bounds", "breaker_denied",
	"seed_paused", "not_paused", "optimizer_barred", "rates_undeclared", "breaker_command_invalid", "no_snapshot",
	"pruning_not_offered",
	"conservative_already", "not_conservative",
	"policy_unknown", "policy_digest_mismatch", "policy_stale", "policy_architecture", "policy_registry_mismatch", "policy_pending", "policy_in_force",
}

// The reasons for rejecting a command.
const (
	RejectNone RejectReason = iota
	RejectTooLarge
	RejectMalformed
	RejectUnknownKey
	RejectKeyRevoked
	RejectMissingSignature
	RejectInvalidSignature
	RejectNotPermitted // the key does not speak for that issuer, or not for that kind of command
	RejectWrongAudience
	RejectMissingCommandID
	RejectMissingTimestamp
	RejectFuture
	RejectStale
	RejectNonceReplayed
	RejectSequenceReplayed
	RejectLedgerFull
	RejectUnknownRun
	RejectRunNotOpen
	RejectRollbackActive
	RejectUnknownSeed
	RejectUnknownBlueprint
	RejectMissingMesh
	RejectUnknownBlendMode
	RejectWrongStage
	RejectEmbargoed
	RejectGateFailed
	RejectUnsupportedKind
	RejectUnsupportedOperation
	RejectKernelPending
	RejectCommandPending
	RejectBlendIncomplete
	RejectUnmeasured // no contribution was measured since the seed became PROBATIONARY
	RejectSuspect    // the loss is anomalous: nothing grows until that has passed
	RejectLevel      // an emergency level that would not rise, or not fall
	RejectOutdated   // it was issued before the run was rolled back, for a network that is no more
	RejectOperatorOnly
	RejectBlendPlan  // a blend whose parameters do not fit its mode
	RejectLogits     // a CONFIDENCE blend without the logits that its gate needs
	RejectNonceQuota // the key's share of the replay ledger is full
	RejectRateLimited
	RejectOwned          // a parameter of the teacher is somebody's already
	RejectNoTeacher      // the run has no teacher of that id
	RejectWithdrawn      // nothing is germinated of the blueprint any more
	RejectParameter      // the blueprint does not know the parameter, or the value is out of its bounds
	RejectBreaker        // the run's breaker of kernels lets no fetch pass
	RejectPaused         // the seed is paused: it can only be resumed or given up
	RejectNotPaused      // there is nothing to resume
	RejectBarred         // the optimizer is not to be made anew now
	RejectUndeclared     // the run has declared no learning rates that could be scaled
	RejectBreakerInvalid // no such breaker, or no such state
	RejectNoSnapshot     // there is no proven snapshot there to return to
	RejectPruning        // this plane prunes nothing
	RejectConservative   // the run is conservative by an operator's word already
	RejectNotCautious    // the run is not conservative
	RejectPolicyUnknown  // no such policy was imported, or there is none to go back to
	RejectPolicyDigest   // the policy of that name has another digest
	RejectPolicyStale    // it was imported too long ago
	RejectPolicyArchitecture
	RejectPolicyRegistry // it was made for other names than the run or the plane has
	RejectPolicyPending  // the file of another one is being read
	RejectPolicyInForce  // it decides already
)

// Authentic reports whether a rejection came after the command had proven who
// sent it, that it is fresh and that it is new. Only then is its nonce spent.
func Authentic(r RejectReason) bool {
	switch r {
	case RejectNonceQuota, RejectRateLimited:
		return false
	}
	return r == RejectNone || r >= RejectUnknownRun
}

// RiskReason says why Tamiyo's proposal was changed or withheld.
type RiskReason = Enum[riskReasons]

type riskReasons struct{}

func (riskReasons) list() []string { return riskReasonNames[:] }

var riskReasonNames = [...]string{
	"none", "policy", "conservative_mode", "blueprint_risk", "bp_quarantine", "loss_spike", "loss_warning",
	"loss_volatility_high", "grad_conflict_high", "isolation_violation", "rollback_active", "warming_up",
	"command_pending", "kernel_pending", "nothing_to_do", "run_not_training",
	"policy_timeout", "policy_failed", "policy_pending", "policy_stale",
	"epoch_failed", "command_timeout", "emergency_level", "kernel_breaker",
	"policy_waits", "policy_invalid", "degraded_inputs",
	"policy_risk_elevated", "policy_risk_critical", "bsds_hazard_high", "bsds_hazard_critical", "bsds_handling_quarantine",
	"hook_budget", "step_latency_high", "kasmina_apply_slow", "kasmina_finalize_slow", "runtime_fallback",
	"device_pressure_high", "cpu_pressure_high", "grad_variance_high", "optimizer_hint", "unstable", "not_recovered",
	"rates_undeclared", "rates_held", "rates_lowered",
	"policy_breaker", "no_seed_candidates",
	"metadata_breaker", "metadata_timeout", "metadata_failed", "metadata_pending",
	"operator", "configured", "stabilised",
	"policy_unverified", "policy_unusable",
}

// The reasons of the risk evaluators and of doing nothing.
const (
	RiskNone RiskReason = iota
	RiskPolicy
	RiskConservative
	RiskBlueprint
	RiskQuarantine
	RiskLossSpike
	RiskLossWarning
	RiskVolatility
	RiskConflict
	RiskIsolation
	RiskRollback
	RiskWarmingUp
	RiskCommandPending
	RiskKernelPending
	RiskNothingToDo
	RiskRunNotTraining
	RiskPolicyTimeout // the policy did not answer within its budget
	RiskPolicyFailed  // the policy could not answer
	RiskPolicyPending // the policy was asked before and has not answered
	RiskPolicyStale   // the policy had answered something else than its rules say now
	RiskEpochFailed
	RiskCommandTimeout // an accepted command was not answered in time
	RiskEmergency      // the emergency level is L3 or above
	RiskKernelBreaker  // the breaker of kernels lets no fetch pass
	RiskPolicyWaits    // something could be done, and the policy would rather wait
	RiskPolicyInvalid  // the policy's answer breaks the contract, or names what there is not
	RiskDegradedInputs // too few of the policy's features were known
	RiskPolicyElevated // the policy finds its own proposal risky
	RiskPolicyCritical // or too risky for anything to go on
	RiskHazardHigh     // the hazard sheet of the blueprint tells of a high hazard
	RiskHazardCritical // or of a critical one
	RiskHandling       // or keeps it in quarantine
	RiskHook           // the trainer waited too long for the plane
	RiskStepLatency    // a step took too long
	RiskApply          // a command took long to be carried out
	RiskFinalize       // blends took long to be advanced
	RiskFallback       // compiled code was given up since the last window
	RiskDevice         // the accelerator has no room left
	RiskCPU            // the processors have no room left
	RiskGradVariance   // the norm of the gradient varies too much
	RiskOptimizerHint  // the learning rate is used up while the loss rises
	RiskUnstable       // something is wrong with training
	RiskNotRecovered   // too few healthy windows to leave conservative mode
	RiskUndeclared     // learning rates were to be lowered, and the run has declared none
	RiskRatesHeld      // learning rates were to be lowered, and an operator scales them
	RiskRatesLowered   // learning rates were to be lowered, and they are as low as they go for that
	RiskPolicyBreaker  // the breaker of the policy lets no question pass
	RiskNoCandidates   // the run grows kinds of seed and has no slot for one
	RiskMetadataBreaker
	RiskMetadataTimeout // the safety sheet did not come within its budget
	RiskMetadataFailed  // there is no safety sheet that counts
	RiskMetadataPending // the catalogue was asked before and has not answered
	RiskOperator
	RiskConfigured // tamiyo.conservative: the run begins so
	RiskStabilised // what led to conservative mode has passed
	RiskUnverified // the file of the policy in force is being verified anew
	RiskUnusable   // the file of the policy in force is missing or is another
)

// FaultReason says why Tolaria started a rollback, escalated or halted.
type FaultReason = Enum[faultReasons]

type faultReasons struct{}

func (faultReasons) list() []string { return faultReasonNames[:] }

var faultReasonNames = [...]string{
	"none", "non_finite", "rollback_deadline", "rollback_failed", "digest_mismatch", "no_snapshot",
	"rollback_limit", "resumed", "recovered", "diverged", "collapsed",
	"epoch_failed", "failed_epochs_streak", "phase_overrun", "operator",
}

// The reasons for a rollback, an escalation or a halt.
const (
	FaultNone FaultReason = iota
	FaultNonFinite
	FaultRollbackDeadline
	FaultRollbackFailed
	FaultDigestMismatch
	FaultNoSnapshot
	FaultRollbackLimit // too many rollbacks without progress
	FaultResumed       // not a fault: the process stopped and the run goes on
	FaultRecovered     // not a fault: the level is lowered again
	FaultDiverged      // the loss stayed over its limit
	FaultCollapsed     // the loss fell back to that of guessing and stayed there
	FaultEpochFailed   // an epoch failed
	FaultEpochStreak   // as many in a row as tolaria.emergency_failed_epochs allows
	FaultPhaseOverrun  // the fast tier took longer over a phase than it may; not the deadline of the rollback
	FaultOperator      // an EMERGENCY or a ROLLBACK command
)

// RefusalKind classifies a refused input.
type RefusalKind = Enum[refusalKinds]

type refusalKinds struct{}

func (refusalKinds) list() []string { return refusalKindNames[:] }

var refusalKindNames = [...]string{
	"none", "missing_field", "invalid_field", "missing_run", "unknown_run", "run_exists", "run_not_open",
	"incarnation_mismatch", "step_out_of_order", "rollback_active", "gradient_set", "unknown_task",
	"unknown_seed", "missing_seed", "unknown_snapshot", "unknown_rollback", "unknown_command", "unknown_request",
	"unsupported_posture", "invalid_signature", "unknown_key", "not_authorized", "invalid_config",
	"blueprint_exists", "snapshot_exists", "not_configured", "unknown_timer", "unknown_blueprint",
	"disk_low", "compile_off",
	"missing_kernel", "kernel_digest_mismatch", "kernel_size_mismatch", "blueprint_quarantined",
	"policy_artifact", "confidence_gate_missing_logits", "no_weights", "unknown_blend_mode", "blend_contradicted",
	"parameter_owned", "unknown_teacher",
	"kernel_guard_mismatch", "kernel_malformed", "kernel_cache_full", "blueprint_withdrawn", "blueprint_misfit", "parameter_out_of_bounds",
	"policy_exists",
	"step_conflict",
}

// The kinds of refusal.
const (
	RefusalNone RefusalKind = iota
	RefusalMissingField
	RefusalInvalidField
	RefusalMissingRun
	RefusalUnknownRun
	RefusalRunExists
	RefusalRunNotOpen
	RefusalIncarnation
	RefusalStepOrder
	RefusalRollbackActive
	RefusalGradients
	RefusalUnknownTask
	RefusalUnknownSeed
	RefusalMissingSeed
	RefusalUnknownSnapshot
	RefusalUnknownRollback
	RefusalUnknownCommand
	RefusalUnknownRequest
	RefusalPosture
	RefusalInvalidSignature
	RefusalUnknownKey
	RefusalNotAuthorized
	RefusalConfig
	RefusalBlueprintExists
	RefusalSnapshotExists
	RefusalNotConfigured
	RefusalUnknownTimer
	RefusalUnknownBlueprint
	RefusalDiskLow    // the disk is nearly full: nothing new is begun on it
	RefusalCompileOff // a compile fallback of a run that declared not to compile
	RefusalMissingKernel
	RefusalKernelDigest
	RefusalKernelSize
	RefusalQuarantine
	RefusalArtifact // of a policy
	RefusalLogits   // that a CONFIDENCE blend needs
	RefusalWeights  // the aggregation method has no weights for these gradients, or none that are proven
	RefusalBlendMode
	RefusalBlendStats // the figures of a blend are not what its plan allows
	RefusalOwned      // a parameter is somebody's already
	RefusalNoTeacher
	RefusalKernelGuard
	RefusalKernelFormat // it is no kernel file
	RefusalKernelRoom   // it does not fit into the kernel cache
	RefusalWithdrawn    // a blueprint
	RefusalMisfit       // a blueprint was built for another framework, or needs a layer that the host lacks
	RefusalParameter    // of a GERMINATE
	RefusalPolicyExists // an artifact of that id and version
	RefusalStepConflict // the step was reported already, with another content
)
