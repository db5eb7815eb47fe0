package leyline

// Record is a transition: one input and everything that was decided because of
// it. It is the unit of durability and of replay.
type Record struct {
	Seq    Seq
	At     Instant
	Wall   Instant // the wall clock when the input was stamped; evidence only, never decided upon
	Run    RunID   // empty for inputs that concern the plane
	Input  Input
	Events []Event
}

// Meta is what deciders and reducers may know about the record at hand beside
// its input: its position, its time and its run.
type Meta struct {
	Seq Seq
	At  Instant
	Run RunID
}

// Input is something a plane saw. Inputs are stored as they came in.
type Input interface {
	// InputKind is the stored kind.
	InputKind() InputKind
	// Validate checks what can be checked without any state: bounds, required
	// fields, enum codes. It returns a *Refusal that names the field.
	Validate() error
}

// Event is something that was decided.
type Event interface {
	// EventKind is the stored kind.
	EventKind() EventKind
	// Validate checks what can be checked without any state: mandatory fields,
	// enum codes, ranges. It returns a *Refusal that names the field. An event
	// that is invalid is never recorded, and a record that holds one is never
	// read: no plane writes it. What is demanded of a kind may be loosened later;
	// to demand more takes a new version of the kind, or old logs cannot be read.
	Validate() error
}

// InputKind names a kind of input.
type InputKind = Enum[inputKinds]

type inputKinds struct{}

func (inputKinds) list() []string { return inputKindNames[:] }

var inputKindNames = [...]string{
	"unspecified",
	"plane.started", "config.applied", "key.added", "blueprint.registered",
	"run.opened", "run.closed", "step.observed", "epoch.observed",
	"command.received", "command.acked", "kernel.ready", "kernel.failed",
	"snapshot.taken", "rollback.reported", "timer.fired",
	"emergency.delivered", "emergency.undelivered",
	"seed.probed", "policy.answered", "policy.failed", "disk.measured", "compile.fallback", "profile.reported", "snapshot.lost",
	"key.revoked", "peer.rejected", "clock.stepped",
	"teacher.registered", "teacher.deregistered",
	"blueprint.withdrawn", "plane.stopping", "cache.cleared",
	"report.delivered", "report.failed",
	"metadata.answered", "metadata.failed",
	"policy.imported", "policy.loaded",
}

// The kinds of input.
const (
	InputUnspecified InputKind = iota
	InputPlaneStarted
	InputConfigApplied
	InputKeyAdded
	InputBlueprintRegistered
	InputRunOpened
	InputRunClosed
	InputStepObserved
	InputEpochObserved
	InputCommandReceived
	InputCommandAcked
	InputKernelReady
	InputKernelFailed
	InputSnapshotTaken
	InputRollbackReported
	InputTimerFired
	InputEmergencyDelivered
	InputEmergencyUndelivered
	InputSeedProbed
	InputPolicyAnswered
	InputPolicyFailed
	InputDiskMeasured
	InputCompileFallback
	InputProfileReported
	InputSnapshotLost
	InputKeyRevoked
	InputPeerRejected
	InputClockStepped
	InputTeacherRegistered
	InputTeacherDeregistered
	InputBlueprintWithdrawn
	InputPlaneStopping
	InputCacheCleared
	InputReportDelivered
	InputReportFailed
	InputMetadataAnswered
	InputMetadataFailed
	InputPolicyImported
	InputPolicyLoaded
)

// EventKind names a kind of event.
type EventKind = Enum[eventKinds]

type eventKinds struct{}

func (eventKinds) list() []string { return eventKindNames[:] }

var eventKindNames = [...]string{
	"unspecified",
	"dependency.violated",
	"plane.booted", "effect.recovered", "config.adopted", "key.enrolled", "blueprint.admitted",
	"run.started", "run.resumed", "run.ended", "run.halted",
	"gradients.combined", "training.assessed", "epoch.assessed",
	"conservative.entered", "conservative.left", "risk.assessed", "action.none",
	"command.proposed", "command.verified", "command.rejected", "command.settled", "command.expired",
	"gate.evaluated", "seed.moved", "blend.configured", "blend.stepped",
	"isolation.assessed", "prefetch.requested", "prefetch.settled",
	"snapshot.registered", "snapshot.refused", "snapshot.evicted",
	"rollback.started", "rollback.advanced", "rollback.finished",
	"emergency.escalated", "emergency.cleared", "emergency.published",
	"contribution.measured", "policy.asked", "policy.missed", "trainer.stalled", "trainer.returned",
	"disk.low", "disk.recovered", "compile.fell_back", "breaker.moved", "profile.recorded",
	"epoch.failed", "lr.set", "lr.acknowledged", "optimizer.rebuild", "emergency.dispatched", "emergency.held",
	"seed.failed", "key.withdrawn", "commands.refused", "clock.alarmed",
	"parameters.registered", "registry.conflicted", "teacher.enrolled", "teacher.forgotten", "registry.reset",
	"blueprint.retired", "prefetch.late", "prefetches.cancelled", "emergency.cleaned",
	"seed.paused", "seed.resumed", "rates.scaled",
	"policy.weighed",
	"field_report.opened", "field_report.filed", "field_report.delivered", "field_report.deferred", "field_report.retried", "field_report.dropped",
	"metadata.asked", "metadata.settled", "metadata.missed", "policy.refused", "answer.late",
	"conservative.refreshed", "budget.learned",
	"window.ended",
	"field_report.measured",
	"policy.admitted", "policy.requested", "policy.activated", "policy.reverted", "policy.confirmed", "policy.rejected",
	"weights.mismatched", "step.overtaken",
}

// The kinds of event.
const (
	EventUnspecified EventKind = iota
	EventDependencyViolated
	EventPlaneBooted
	EventEffectRecovered
	EventConfigAdopted
	EventKeyEnrolled
	EventBlueprintAdmitted
	EventRunStarted
	EventRunResumed
	EventRunEnded
	EventRunHalted
	EventGradientsCombined
	EventTrainingAssessed
	EventEpochAssessed
	EventConservativeEntered
	EventConservativeLeft
	EventRiskAssessed
	EventActionNone
	EventCommandProposed
	EventCommandVerified
	EventCommandRejected
	EventCommandSettled
	EventCommandExpired
	EventGateEvaluated
	EventSeedMoved
	EventBlendConfigured
	EventBlendStepped
	EventIsolationAssessed
	EventPrefetchRequested
	EventPrefetchSettled
	EventSnapshotRegistered
	EventSnapshotRefused
	EventSnapshotEvicted
	EventRollbackStarted
	EventRollbackAdvanced
	EventRollbackFinished
	EventEmergencyEscalated
	EventEmergencyCleared
	EventEmergencyPublished
	EventContributionMeasured
	EventPolicyAsked
	EventPolicyMissed
	EventTrainerStalled
	EventTrainerReturned
	EventDiskLow
	EventDiskRecovered
	EventCompileFellBack
	EventBreakerMoved
	EventProfileRecorded
	EventEpochFailed
	EventRateSet
	EventRateAcked
	EventOptimizerRebuild
	EventEmergencyDispatched
	EventEmergencyHeld
	EventSeedFailed
	EventKeyWithdrawn
	EventCommandsRefused
	EventClockAlarmed
	EventParametersRegistered
	EventRegistryConflicted
	EventTeacherEnrolled
	EventTeacherForgotten
	EventRegistryReset
	EventBlueprintRetired
	EventPrefetchLate
	EventPrefetchesCancelled
	EventEmergencyCleaned
	EventSeedPaused
	EventSeedResumed
	EventRatesScaled
	EventPolicyWeighed
	EventFieldReportOpened
	EventFieldReportFiled
	EventFieldReportDelivered
	EventFieldReportDeferred
	EventFieldReportRetried
	EventFieldReportDropped
	EventMetadataAsked
	EventMetadataSettled
	EventMetadataMissed
	EventPolicyRefused
	EventAnswerLate
	EventConservativeRefreshed
	EventBudgetLearned
	EventWindowEnded
	EventFieldReportMeasured
	EventPolicyAdmitted
	EventPolicyRequested
	EventPolicyActivated
	EventPolicyReverted
	EventPolicyConfirmed
	EventPolicyRejected
	EventWeightsMismatched
	EventStepOvertaken
)
