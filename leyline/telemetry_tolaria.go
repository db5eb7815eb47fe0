package leyline

// The metrics of Tolaria that records carry.
const (
	MetricTrainingStep         MetricName = "tolaria.training.step"
	MetricRunIncarnation       MetricName = "tolaria.run.incarnation"
	MetricTrainingLoss         MetricName = "tolaria.training.loss"
	MetricTrainingLossEWMA     MetricName = "tolaria.training.loss_ewma"
	MetricTrainingLossLimit    MetricName = "tolaria.training.loss_limit"
	MetricTrainingVolatility   MetricName = "tolaria.training.loss_volatility"
	MetricTrainingAccuracy     MetricName = "tolaria.training.accuracy"
	MetricStepForwardMs        MetricName = "tolaria.training.forward_ms"
	MetricStepLatencyMs        MetricName = "tolaria.training.latency_ms"
	MetricLearnRate            MetricName = "tolaria.lr_controller.current_lr"
	MetricSeedsGrafted         MetricName = "tolaria.seeds.active"
	MetricEpochs               MetricName = "tolaria.epochs.total"
	MetricConflicts            MetricName = "tolaria.grad_agg.conflicts"
	MetricConflictRatio        MetricName = "tolaria.grad_agg.conflict_ratio"
	MetricWeightsMean          MetricName = "tolaria.grad_agg.weights_mean"
	MetricPCGradApplied        MetricName = "tolaria.grad_agg.pcgrad_applied"
	MetricSnapshotsTotal       MetricName = "tolaria.rollback.snapshots_total"
	MetricRollbackRestoreMs    MetricName = "tolaria.rollback.restore_latency_ms"
	MetricRollbackTotalMs      MetricName = "tolaria.rollback.total_ms"
	MetricRollbackFailures     MetricName = "tolaria.rollback.failures_total"
	MetricRollbackDeadline     MetricName = "tolaria.rollback.deadline_exceeded_total"
	MetricEmergencyLevel       MetricName = "tolaria.emergency.level"
	MetricEmergencyHalt        MetricName = "tolaria.emergency.halt"
	MetricEmergencyHalts       MetricName = "tolaria.emergency.halts_total"
	MetricEmergencyBroadcasts  MetricName = "tolaria.emergency.broadcasts_total"
	MetricEmergencyUnsent      MetricName = "tolaria.emergency.broadcast_failures_total"
	MetricEmergencyBroadcastMs MetricName = "tolaria.emergency.last_broadcast_latency_ms"
	MetricTamiyoTimeouts       MetricName = "tolaria.timeout.tamiyo_total"
	MetricTamiyoLastMs         MetricName = "tolaria.timeout.tamiyo_last_ms"
	MetricKasminaTimeouts      MetricName = "tolaria.timeout.kasmina_total"
	MetricKasminaLastMs        MetricName = "tolaria.timeout.kasmina_last_ms"

	MetricEpochsFailed       MetricName = "tolaria.epochs.failed"
	MetricEpochHookMs        MetricName = "tolaria.epoch_hook.latency_ms"
	MetricTolariaBreaker     MetricName = "tolaria.breaker.state"
	MetricLearnRateEnabled   MetricName = "tolaria.lr_controller.enabled"
	MetricOptRebuildMs       MetricName = "tolaria.opt.rebuild_latency_ms"
	MetricOptRebuilds        MetricName = "tolaria.opt.rebuilds_total"
	MetricOptRebuildFailures MetricName = "tolaria.opt.rebuild_failures_total"
	MetricOptRebuildSkipped  MetricName = "tolaria.opt.rebuild_skipped_total"
)

func tolariaMetrics() []MetricInfo {
	return []MetricInfo{
		gauge(MetricTrainingStep, UnitCount, "run", "Step that was last assessed, or to which a rollback or a resume went back"),
		gauge(MetricRunIncarnation, UnitCount, "run", "Incarnation of the run: 1 more with each resume and each rollback"),
		gauge(MetricTrainingLoss, UnitLoss, "run", "Mean loss over the tasks in the last step"),
		gauge(MetricTrainingLossEWMA, UnitLoss, "run", "Running mean of the loss over healthy steps").set("tolaria.ewma_alpha"),
		gauge(MetricTrainingLossLimit, UnitLoss, "run", "Loss above which a step is anomalous").set(setDiverge),
		gauge(MetricTrainingVolatility, UnitLoss, "run", "Running standard deviation of the loss over healthy steps").set("tolaria.ewma_alpha " + setVolatile),
		gauge(MetricTrainingAccuracy, UnitRatio, "run task", "Held-out accuracy of a task by its place in the plan, or of all tasks"),
		gauge(MetricStepForwardMs, UnitMs, "run", "Forward and backward pass of the last step as the trainer measured it"),
		gauge(MetricStepLatencyMs, UnitMs, "run", "The whole step before the last one as the trainer measured it"),
		gauge(MetricLearnRate, UnitLearnRate, "run", "Learning rate of the last step as the trainer told it"),
		gauge(MetricLearnRateEnabled, UnitBool, "run", "Whether a learning-rate policy of the plane sets the rates").set("tolaria.lr_policy"),
		gauge(MetricOptRebuildMs, UnitMs, "run", "How long the last rebuild of the optimizer took, as the trainer measured it").set(setRebuild),
		counter(MetricOptRebuilds, "run", "Rebuilds of the optimizer").set(setRebuild),
		counter(MetricOptRebuildFailures, "run", "Rebuilds of the optimizer that failed").set(setRebuild),
		counter(MetricOptRebuildSkipped, "run", "Rebuilds of the optimizer that were due and left out").set(setRebuild),
		gauge(MetricSeedsGrafted, UnitCount, "run", "Seeds that were grafted into the network in the last step"),
		counter(MetricEpochs, "run", "Held-out evaluations at the end of an epoch"),
		counter(MetricEpochsFailed, "run reason", "Epochs that failed").set(setEpochs),
		gauge(MetricEpochHookMs, UnitMs, "run", "How long the slowest answer of the last epoch took, as the trainer waited for it").set("tolaria.hook_budget_ms"),
		gauge(MetricTolariaBreaker, UnitState, "run component", "State of a breaker of the training loop").codes(breakerStates{}).set(setBreaker),
		gauge(MetricConflicts, UnitCount, "run", "Pairs of tasks whose gradients pointed against each other in the last step"),
		gauge(MetricConflictRatio, UnitRatio, "run", "Conflicting pairs of tasks over all pairs in the last step").set(setConflict),
		gauge(MetricWeightsMean, UnitRatio, "run", "Mean of the weights that the last step's task gradients were given"),
		gauge(MetricPCGradApplied, UnitBool, "run", "Whether PCGrad changed the last step's gradients"),
		counter(MetricSnapshotsTotal, "run tier", "Snapshots that were verified and registered"),
		gauge(MetricRollbackRestoreMs, UnitMs, "run", "How long the trainer took to restore the last snapshot"),
		gauge(MetricRollbackTotalMs, UnitMs, "run", "How long the last rollback took from its decision to its end").set(setRollback),
		counter(MetricRollbackFailures, "run reason", "Rollbacks that did not succeed"),
		counter(MetricRollbackDeadline, "run", "Rollbacks that passed their deadline").set(setRollback),
		gauge(MetricEmergencyLevel, UnitState, "run", "Emergency level").codes(emergencyLevels{}),
		gauge(MetricEmergencyHalt, UnitBool, "run", "Whether the plane has halted the run"),
		counter(MetricEmergencyHalts, "run", "Times the plane has halted the run"),
		counter(MetricEmergencyBroadcasts, "level", "Emergency signals that were published"),
		counter(MetricEmergencyUnsent, "level", "Emergency signals that could not be published"),
		gauge(MetricEmergencyBroadcastMs, UnitMs, "level", "How long the last emergency signal took to be published"),
		counter(MetricTamiyoTimeouts, "run", "Questions that the policy did not answer in time").set("tamiyo.policy_budget_ms"),
		gauge(MetricTamiyoLastMs, UnitMs, "run", "How long training last waited for an answer of the policy").set("tamiyo.policy_budget_ms"),
		counter(MetricKasminaTimeouts, "run", "Accepted commands that were not carried out in time").set("kasmina.command_deadline_ms"),
		gauge(MetricKasminaLastMs, UnitMs, "run", "How long the last command took to be carried out as the trainer measured it").set("kasmina.command_deadline_ms"),
	}
}

// The metrics of Tolaria that no record carries yet.
const (
	MetricAMPEnabled       MetricName = "tolaria.train.amp_enabled"
	MetricForeachEnabled   MetricName = "tolaria.train.foreach_enabled"
	MetricPinMemory        MetricName = "tolaria.train.pin_memory"
	MetricProfilerEnabled  MetricName = "tolaria.profiler.enabled"
	MetricProfilerTraces   MetricName = "tolaria.profiler.traces_emitted_total"
	MetricProfilerFailures MetricName = "tolaria.profiler.traces_failed_total"
	MetricFastHits         MetricName = "tolaria.rollback.fast_hits_total"
	MetricFastMisses       MetricName = "tolaria.rollback.fast_misses_total"
	MetricFastBytes        MetricName = "tolaria.rollback.fast_size_bytes"
	MetricMicrobatches     MetricName = "tolaria.grad_agg.microbatches_total"
	MetricTeacherShare     MetricName = "tolaria.grad_agg.teacher_share"
	MetricAggWeight        MetricName = "tolaria.grad_agg.seed.weight"
	MetricAggNorm          MetricName = "tolaria.grad_agg.seed.norm"
	MetricAggShare         MetricName = "tolaria.grad_agg.seed.share"
	MetricAggShareDelta    MetricName = "tolaria.grad_agg.seed.share_delta"
	MetricAggAlpha         MetricName = "tolaria.grad_agg.seed.alpha"
	MetricAggConflicts     MetricName = "tolaria.grad_agg.seed.conflicts"
	MetricAggConflictRatio MetricName = "tolaria.grad_agg.seed.conflict_ratio"
	MetricAggParams        MetricName = "tolaria.grad_agg.seed.params"
	MetricAggMaskFraction  MetricName = "tolaria.grad_agg.seed.mask_fraction"
	MetricAggTeacherShare  MetricName = "tolaria.grad_agg.seed.teacher_share"
	MetricAggLayerNorm     MetricName = "tolaria.grad_agg.seed.layer_norm"
)

func tolariaReserved() []MetricInfo {
	const seed = "run seed_id stage"
	table := []MetricInfo{
		gauge(MetricAMPEnabled, UnitBool, "run", "Whether the trainer uses automatic mixed precision"),
		gauge(MetricForeachEnabled, UnitBool, "run", "Whether the optimizer uses its multi-tensor form"),
		gauge(MetricPinMemory, UnitBool, "run", "Whether the trainer pins its input memory"),
		gauge(MetricProfilerEnabled, UnitBool, "run", "Whether the trainer records a profile"),
		counter(MetricProfilerTraces, "run", "Profiles that were written"),
		counter(MetricProfilerFailures, "run", "Profiles that could not be written"),
		counter(MetricFastHits, "run", "Rollbacks that were served from the fast tier"),
		counter(MetricFastMisses, "run", "Rollbacks that asked the fast tier in vain"),
		gauge(MetricFastBytes, UnitBytes, "run", "Bytes of snapshots in the fast tier"),
		counter(MetricMicrobatches, "run", "Microbatches whose gradients were aggregated"),
		gauge(MetricTeacherShare, UnitRatio, "run", "Share of the teacher in the aggregated gradient"),
		gauge(MetricAggWeight, UnitRatio, seed, "Mean weight of a seed's gradient over the epoch"),
		gauge(MetricAggNorm, UnitGrad, seed, "Mean norm of a seed's gradient over the epoch"),
		gauge(MetricAggShare, UnitRatio, seed, "Mean share of a seed in the sum of norms over the epoch"),
		gauge(MetricAggShareDelta, UnitRatio, seed, "Change of a seed's share since the epoch before"),
		gauge(MetricAggAlpha, UnitRatio, seed, "Mean alpha of a seed over the epoch"),
		gauge(MetricAggConflicts, UnitCount, seed, "Conflicts of a seed's gradient in the epoch"),
		gauge(MetricAggConflictRatio, UnitRatio, seed, "Conflicts of a seed's gradient over the pairs it was in"),
		gauge(MetricAggParams, UnitElems, seed, "Parameters that a seed owns"),
		gauge(MetricAggMaskFraction, UnitRatio, seed, "Parameters that a seed owns over all parameters"),
		gauge(MetricAggTeacherShare, UnitRatio, seed, "Share of the teacher in a seed's gradient"),
		gauge(MetricAggLayerNorm, UnitGrad, seed+" layer", "Mean norm of a seed's gradient in one layer over the epoch"),
	}
	for i := range table {
		table[i] = table[i].reserved(SubsystemTolaria)
	}
	return table
}
