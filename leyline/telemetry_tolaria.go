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
	MetricThroughput           MetricName = "tolaria.training.samples_per_second"
	MetricGradientNorm         MetricName = "tolaria.training.gradient_norm_ewma"
	MetricLearnRate            MetricName = "tolaria.lr_controller.current_lr"
	MetricSeedsGrafted         MetricName = "tolaria.seeds.active"
	MetricEpochs               MetricName = "tolaria.epochs.total"
	MetricProfilerEnabled      MetricName = "tolaria.profiler.enabled"
	MetricProfilerTraces       MetricName = "tolaria.profiler.traces_emitted_total"
	MetricProfilerFailures     MetricName = "tolaria.profiler.traces_failed_total"
	MetricConflicts            MetricName = "tolaria.grad_agg.conflicts"
	MetricConflictRatio        MetricName = "tolaria.grad_agg.conflict_ratio"
	MetricWeightsMean          MetricName = "tolaria.grad_agg.weights_mean"
	MetricPCGradApplied        MetricName = "tolaria.grad_agg.pcgrad_applied"
	MetricSnapshotsTotal       MetricName = "tolaria.rollback.snapshots_total"
	MetricRollbackRestoreMs    MetricName = "tolaria.rollback.restore_latency_ms"
	MetricRollbackTotalMs      MetricName = "tolaria.rollback.total_ms"
	MetricRollbackFailures     MetricName = "tolaria.rollback.failures_total"
	MetricRollbackDeadline     MetricName = "tolaria.rollback.deadline_exceeded_total"
	MetricFastHits             MetricName = "tolaria.rollback.fast_hits_total"
	MetricFastMisses           MetricName = "tolaria.rollback.fast_misses_total"
	MetricFastBytes            MetricName = "tolaria.rollback.fast_size_bytes"
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
	MetricLearnRateScale     MetricName = "tolaria.lr_controller.scale"
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
		gauge(MetricThroughput, UnitRate, "run", "Running mean of the samples per second of whole steps").set("tolaria.ewma_alpha"),
		gauge(MetricGradientNorm, UnitGrad, "run", "Running mean of the length of the combined gradient over healthy steps").set("tolaria.ewma_alpha"),
		gauge(MetricLearnRate, UnitLearnRate, "run", "Learning rate of the last step as the trainer told it"),
		gauge(MetricLearnRateEnabled, UnitBool, "run", "Whether a learning-rate policy of the plane sets the rates").set("tolaria.lr_policy"),
		gauge(MetricLearnRateScale, UnitRatio, "run", "By what a command multiplies the learning rates"),
		gauge(MetricOptRebuildMs, UnitMs, "run", "How long the last rebuild of the optimizer took, as the trainer measured it").set(setRebuild),
		counter(MetricOptRebuilds, "run", "Rebuilds of the optimizer").set(setRebuild),
		counter(MetricOptRebuildFailures, "run", "Rebuilds of the optimizer that failed").set(setRebuild),
		counter(MetricOptRebuildSkipped, "run", "Rebuilds of the optimizer that were due and left out").set(setRebuild),
		gauge(MetricSeedsGrafted, UnitCount, "run", "Seeds that were grafted into the network in the last step"),
		counter(MetricEpochs, "run", "Held-out evaluations at the end of an epoch"),
		gauge(MetricProfilerEnabled, UnitBool, "run", "Whether the last step was to be in a profile").set(setProfile),
		counter(MetricProfilerTraces, "run", "Profiles that were written").set(setProfile),
		counter(MetricProfilerFailures, "run", "Profiles that could not be written").set(setProfile),
		counter(MetricEpochsFailed, "run reason", "Epochs that failed").set(setEpochs),
		gauge(MetricEpochHookMs, UnitMs, "run", "How long the slowest answer of the last epoch took, as the trainer waited for it").set("tolaria.hook_budget_ms"),
		gauge(MetricTolariaBreaker, UnitState, "run component", "State of a breaker of the training loop").codes(breakerStates{}).set(setBreaker),
		gauge(MetricConflicts, UnitCount, "run", "Pairs of tasks whose gradients pointed against each other in the last step"),
		gauge(MetricConflictRatio, UnitRatio, "run", "Conflicting pairs of tasks over all pairs in the last step").set(setConflict),
		gauge(MetricWeightsMean, UnitRatio, "run", "Mean of the weights that the last step's task gradients were given"),
		gauge(MetricPCGradApplied, UnitBool, "run", "Whether PCGrad changed the last step's gradients"),
		counter(MetricSnapshotsTotal, "run tier", "Copies of snapshots that were verified and registered"),
		gauge(MetricRollbackRestoreMs, UnitMs, "run", "How long the trainer took to restore the last snapshot"),
		gauge(MetricRollbackTotalMs, UnitMs, "run", "How long the last rollback took from its decision to its end").set(setRollback),
		counter(MetricRollbackFailures, "run reason", "Rollbacks that did not succeed"),
		counter(MetricRollbackDeadline, "run", "Rollbacks that passed their deadline").set(setRollback),
		counter(MetricFastHits, "run", "Rollbacks that the fast tier served"),
		counter(MetricFastMisses, "run", "Rollbacks that ended otherwise than served by the fast tier"),
		gauge(MetricFastBytes, UnitBytes, "", "Bytes of snapshots in the fast tier, over all runs").set("tolaria.fast_bytes_mib tolaria.fast_percent"),
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
