package leyline

// Telemetry of data-parallel and of pipelined trainers.
const (
	MetricTrainerRanks    MetricName = "tolaria.trainer.ranks"
	MetricTrainerLag      MetricName = "tolaria.trainer.lag"
	MetricTrainerBarrier  MetricName = "tolaria.trainer.barrier_ms"
	MetricTrainerBarriers MetricName = "tolaria.trainer.barriers"
)

// The telemetry events of a pipelined trainer.
const (
	NameWeightsMismatched EventName = "tolaria.trainer.weights_mismatched"
	NameStepOvertaken     EventName = "tolaria.trainer.step_overtaken"
)

func rankMetrics() []MetricInfo {
	return []MetricInfo{
		gauge(MetricTrainerRanks, UnitCount, "run", "Ranks of a data-parallel trainer, as it declared them"),
		gauge(MetricTrainerLag, UnitCount, "run", "Steps that the answers to the trainer may be behind, as it declared them; 0 is a synchronous trainer"),
		gauge(MetricTrainerBarrier, UnitMs, "run", "How long rank 0 waited for the other ranks in the last step"),
		counter(MetricTrainerBarriers, "run bound", "Steps by how long rank 0 waited for the others: each counts under the least of 1ms, 3ms, 10ms, 30ms, 100ms, 300ms, 1s, 3s and 10s that it did not exceed, or under more"),
	}
}

func rankEvents() []EventInfo {
	return []EventInfo{
		event(NameWeightsMismatched, "run step task applied derived", "A pipelined trainer has applied other weights than the plane derives; the task that differs most, and both of its weights", LevelCritical),
		event(NameStepOvertaken, "run step incarnation rollback_id", "A step was reported that a rollback had made void before the report came", LevelInfo),
	}
}
