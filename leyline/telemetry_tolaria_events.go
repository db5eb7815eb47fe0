package leyline

// The telemetry events of Tolaria that records carry.
const (
	NameRunStarted         EventName = "tolaria.run.started"
	NameRunResumed         EventName = "tolaria.run.resumed"
	NameRunEnded           EventName = "tolaria.run.ended"
	NameNonFinite          EventName = "tolaria.training.non_finite"
	NameLossSuspect        EventName = "tolaria.training.loss_suspect"
	NameDiverged           EventName = "tolaria.training.diverged"
	NameTrainerStalled     EventName = "tolaria.trainer.stalled"
	NameTrainerReturned    EventName = "tolaria.trainer.returned"
	NameSnapshotRefused    EventName = "tolaria.rollback.snapshot_refused"
	NameSnapshotLost       EventName = "tolaria.rollback.snapshot_lost"
	NameFastGivenUp        EventName = "tolaria.rollback.fast_given_up"
	NameRollbackStarted    EventName = "tolaria.rollback.started"
	NameRollbackRestored   EventName = "tolaria.rollback.restored"
	NameRollbackFailed     EventName = "tolaria.rollback.restore_failed"
	NameEmergencyEscalated EventName = "tolaria.emergency.escalated"
	NameEmergencyCleared   EventName = "tolaria.emergency.cleared"
	NameEmergencyHalt      EventName = "tolaria.emergency.halt"
	NameEmergencyDispatch  EventName = "tolaria.emergency.dispatch_error"
)

// The telemetry events of Tolaria that no record carries yet.
const (
	NameOptimizerFamily      EventName = "optimizer_family"
	NameCompileEnabled       EventName = "tolaria.compile_enabled"
	NameSeedHealth           EventName = "seed_health"
	NameTolariaBreakerOpened EventName = "tolaria.breaker_opened"
	NameEpochBudget          EventName = "tolaria.epoch_budget_exceeded"
	NameHookBudget           EventName = "tolaria.hook_budget_exceeded"
	NameEpochHookHigh        EventName = "epoch_hook_latency_high"
	NameLatencyHigh          EventName = "latency_high"
	NameSeedShareJump        EventName = "seed_share_jump"
	NameSeedConflictHigh     EventName = "seed_conflict_high"
	NameProfilerFailed       EventName = "tolaria.profiler.export_failed"
	NameDispatchTimeout      EventName = "tolaria.emergency.dispatch_timeout"
)

func tolariaEvents() []EventInfo {
	const rollback = "run rollback_id outcome reason snapshot_id step tier phase incarnation within_sla latency_ms"
	return []EventInfo{
		event(NameRunStarted, "run incarnation workload framework parameters steps tasks seeds blueprints drills", "A run has begun", LevelInfo),
		event(NameRunResumed, "run incarnation lineage snapshot_id step lost_step rollback_id", "A run goes on from its last snapshot after a stop", LevelWarning),
		event(NameRunEnded, "run step outcome digest", "The trainer has closed a run", LevelInfo),
		event(NameNonFinite, "run step value", "A loss or a gradient is not a finite number", LevelCritical),
		event(NameLossSuspect, "run step value limit suspect_steps mode", "The loss is over its limit; INFO while the rule only watches", LevelInfo, LevelWarning).set(setDiverge),
		event(NameDiverged, "run step value limit suspect_steps", "The loss has been over its limit for too long", LevelCritical).set(setDiverge + " tolaria.diverge_steps"),
		event(NameTrainerStalled, "run step age_ms", "The trainer is silent for longer than its steps take", LevelWarning).set(setStall),
		event(NameTrainerReturned, "run step age_ms", "The trainer reports again after a silence", LevelInfo).set(setStall),
		event(NameSnapshotRefused, "run step snapshot_id tier reason", "A copy of a snapshot is not taken: its bytes are not what the trainer said, its state is in doubt, or there is no room; CRITICAL in the full tier", LevelWarning, LevelCritical),
		event(NameSnapshotLost, "run snapshot_id tier file reason details", "Registry and directory of snapshots disagreed: a copy is lost, which is CRITICAL in the full tier, or a file was nobody's", LevelWarning, LevelCritical),
		event(NameFastGivenUp, "run rollback_id phase reason", "A rollback goes on from the full tier because the fast one failed or was too slow", LevelWarning).set(setRollback),
		event(NameRollbackStarted, "run rollback_id reason fault_step snapshot_id step tier", "A rollback has begun", LevelCritical),
		event(NameRollbackRestored, rollback, "A rollback has restored an earlier state", LevelWarning).set(setRollback),
		event(NameRollbackFailed, rollback, "A rollback has not succeeded", LevelCritical).set(setRollback),
		event(NameEmergencyEscalated, "run from to reason", "The emergency level has risen; CRITICAL from L3 on", LevelWarning, LevelCritical),
		event(NameEmergencyCleared, "run from to reason", "The emergency level is lowered", LevelInfo),
		event(NameEmergencyHalt, "run step reason details", "The plane has halted a run", LevelCritical).set("tolaria.rollback_limit"),
		event(NameEmergencyDispatch, "request_id level outcome reason latency_ms", "The emergency signal could not be published", LevelCritical),

		event(NameOptimizerFamily, "run family", "The kind of optimizer has changed", LevelInfo).reserved(SubsystemTolaria),
		event(NameCompileEnabled, "run", "The trainer has compiled its step", LevelInfo).reserved(SubsystemTolaria),
		event(NameSeedHealth, "run seed_id share alpha conflicts weight", "A seed's figures of an epoch in one line", LevelInfo).reserved(SubsystemTolaria),
		event(NameTolariaBreakerOpened, "run failures", "The breaker around the control hook has opened", LevelWarning).reserved(SubsystemTolaria),
		event(NameEpochBudget, "run epoch latency_ms limit", "An epoch has failed because it took too long", LevelWarning).reserved(SubsystemTolaria),
		event(NameHookBudget, "run epoch latency_ms limit", "An epoch has failed because its hooks took too long", LevelWarning).reserved(SubsystemTolaria),
		event(NameEpochHookHigh, "run epoch latency_ms limit", "The hooks of an epoch took longer than planned", LevelWarning).reserved(SubsystemTolaria),
		event(NameLatencyHigh, "run epoch latency_ms limit", "An epoch took longer than planned", LevelWarning).reserved(SubsystemTolaria),
		event(NameSeedShareJump, "run seed_id value limit", "A seed's share of the gradient has changed abruptly", LevelWarning).reserved(SubsystemTolaria),
		event(NameSeedConflictHigh, "run seed_id value limit", "A seed's gradient conflicts too often", LevelWarning).reserved(SubsystemTolaria),
		event(NameProfilerFailed, "run epoch reason", "A profile could not be written", LevelWarning).reserved(SubsystemTolaria),
		event(NameDispatchTimeout, "request_id level reason", "The emergency signal was not published in time", LevelCritical).reserved(SubsystemTolaria),
	}
}
