package leyline

// The telemetry events of Tolaria that records carry.
const (
	NameRunStarted         EventName = "tolaria.run.started"
	NameRunResumed         EventName = "tolaria.run.resumed"
	NameRunEnded           EventName = "tolaria.run.ended"
	NameOptimizerFamily    EventName = "optimizer_family"
	NameNonFinite          EventName = "tolaria.training.non_finite"
	NameLossSuspect        EventName = "tolaria.training.loss_suspect"
	NameDiverged           EventName = "tolaria.training.diverged"
	NameCollapsed          EventName = "tolaria.training.collapsed"
	NameProfilerFailed     EventName = "tolaria.profiler.export_failed"
	NameCompileEnabled     EventName = "tolaria.compile_enabled"
	NameSeedHealth         EventName = "seed_health"
	NameSeedShareJump      EventName = "seed_share_jump"
	NameSeedConflictHigh   EventName = "seed_conflict_high"
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

	NameEmergencyDispatch EventName = "tolaria.emergency.dispatch_error"

	NameEpochBudget          EventName = "tolaria.epoch_budget_exceeded"
	NameHookBudget           EventName = "tolaria.hook_budget_exceeded"
	NameEpochHookHigh        EventName = "epoch_hook_latency_high"
	NameLatencyHigh          EventName = "latency_high"
	NameTolariaBreakerOpened EventName = "tolaria.breaker_opened"
	NameDispatchTimeout      EventName = "tolaria.emergency.dispatch_timeout"
	NameRatesUnset           EventName = "tolaria.lr_controller.unacknowledged"
	NameRebuildFailed        EventName = "tolaria.opt.rebuild_failed"
	NameEmergencyHeld        EventName = "tolaria.emergency.held"
)

func tolariaEvents() []EventInfo {
	const rollback = "run rollback_id outcome reason snapshot_id step tier phase incarnation within_sla latency_ms"
	return []EventInfo{
		event(NameRunStarted, "run incarnation workload framework parameters steps tasks seeds blueprints drills", "A run has begun", LevelInfo),
		event(NameRunResumed, "run incarnation lineage snapshot_id step lost_step rollback_id", "A run goes on from its last snapshot after a stop", LevelWarning),
		event(NameRunEnded, "run step outcome digest", "The trainer has closed a run", LevelInfo),
		event(NameOptimizerFamily, "run family", "The kind of optimizer that a run is opened with", LevelInfo),
		event(NameNonFinite, "run step value", "A loss or a gradient is not a finite number", LevelCritical),
		event(NameLossSuspect, "run step reason value limit suspect_steps mode", "The loss is over its limit, or back at that of guessing; INFO while the rule only watches", LevelInfo, LevelWarning).set(setDiverge + " " + setCollapse),
		event(NameDiverged, "run step value limit suspect_steps", "The loss has been over its limit for too long", LevelCritical).set(setDiverge + " tolaria.diverge_steps"),
		event(NameCollapsed, "run step value limit suspect_steps", "The loss has been back at that of guessing, the limit, for too long", LevelCritical).set(setCollapse + " tolaria.diverge_steps"),
		event(NameProfilerFailed, "run step to reason", "The profile of the steps from one to another could not be written", LevelWarning).set(setProfile),
		event(NameCompileEnabled, "run", "The trainer declares that its step is compiled", LevelInfo),
		event(NameSeedHealth, "run seed_id share alpha conflicts weight", "The figures of a seed over an epoch in one line", LevelInfo).set("tolaria.seed_compact"),
		event(NameSeedShareJump, "run seed_id value limit", "The share of a seed in the gradient has changed abruptly", LevelWarning).set("tolaria.seed_share_jump"),
		event(NameSeedConflictHigh, "run seed_id value limit", "The gradient of a seed points against that of its host too often", LevelWarning).set("tolaria.seed_conflict"),
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
		event(NameEmergencyHeld, "run level until", "An emergency level waits for its turn to be published", LevelWarning).set("tolaria.emergency_per_min"),
		event(NameDispatchTimeout, "request_id level outcome reason latency_ms", "The emergency signal was not published in time", LevelCritical).set("tolaria.emergency_dispatch_ms"),
		event(NameEmergencyDispatch, "request_id level outcome reason latency_ms", "The emergency signal could not be published", LevelCritical),

		event(NameEpochBudget, "run epoch latency_ms limit", "An epoch has failed because it took too long", LevelWarning).set("tolaria.epoch_budget_ms"),
		event(NameHookBudget, "run epoch latency_ms limit", "An epoch has failed because an answer of it took too long", LevelWarning).set("tolaria.hook_budget_ms"),
		event(NameLatencyHigh, "run epoch latency_ms limit", "An epoch took longer than its budget, whether or not it has failed for that", LevelWarning).set("tolaria.epoch_budget_ms"),
		event(NameEpochHookHigh, "run epoch latency_ms limit", "An answer of an epoch took longer than its budget, whether or not the epoch has failed for that", LevelWarning).set("tolaria.hook_budget_ms"),
		event(NameTolariaBreakerOpened, "run component failures", "A breaker of the training loop has opened, or stays open for longer", LevelWarning).set(setBreaker),
		event(NameRatesUnset, "run request_id outcome reason latency_ms", "The trainer did not set the learning rates that were ordered", LevelWarning).set("tolaria.order_ms"),
		event(NameRebuildFailed, "run step request_id reason details latency_ms", "The optimizer was not rebuilt, or lost something", LevelWarning).set(setRebuild),
	}
}
