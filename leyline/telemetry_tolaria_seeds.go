package leyline

// TeacherSeed and TeacherStage stand for the host among its seeds in the metrics
// tolaria.grad_agg.seed.*.
const (
	TeacherSeed  = "__teacher__"
	TeacherStage = "TEACHER"
)

// The metrics of Tolaria that tell of the gradients of host and seeds.
const (
	MetricAMPEnabled       MetricName = "tolaria.train.amp_enabled"
	MetricForeachEnabled   MetricName = "tolaria.train.foreach_enabled"
	MetricPinMemory        MetricName = "tolaria.train.pin_memory"
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

func tolariaSeeds() []MetricInfo {
	const seed = "run seed_id stage"
	return []MetricInfo{
		gauge(MetricAMPEnabled, UnitBool, "run", "Whether the trainer uses automatic mixed precision"),
		gauge(MetricForeachEnabled, UnitBool, "run", "Whether the optimizer uses its multi-tensor form"),
		gauge(MetricPinMemory, UnitBool, "run", "Whether the trainer pins its input memory"),
		counter(MetricMicrobatches, "run", "Microbatches whose gradients were aggregated"),
		gauge(MetricTeacherShare, UnitRatio, "run", "Mean share of the host, the teacher of its seeds, in the sum of norms over the epoch"),
		gauge(MetricAggWeight, UnitRatio, seed, "Mean weight of a seed's gradient over the epoch"),
		gauge(MetricAggNorm, UnitGrad, seed, "Mean norm of a seed's gradient over the epoch"),
		gauge(MetricAggShare, UnitRatio, seed, "Mean share of a seed in the sum of norms over the epoch"),
		gauge(MetricAggShareDelta, UnitRatio, seed, "Change of a seed's share since the epoch before").set("tolaria.seed_share_jump"),
		gauge(MetricAggAlpha, UnitRatio, seed, "Mean alpha of a seed over the epoch"),
		gauge(MetricAggConflicts, UnitCount, seed, "Steps of the epoch in which a seed's gradient pointed against the host's"),
		gauge(MetricAggConflictRatio, UnitRatio, seed, "Steps of the epoch in which a seed's gradient pointed against the host's, over all its steps").set("tolaria.seed_conflict"),
		gauge(MetricAggParams, UnitElems, seed, "Parameters that a seed owns"),
		gauge(MetricAggMaskFraction, UnitRatio, seed, "Parameters that a seed owns over all parameters"),
		gauge(MetricAggTeacherShare, UnitRatio, seed, "Mean share of the host's gradient that was attributed to a seed over the epoch").set("tolaria.attribution"),
		gauge(MetricAggLayerNorm, UnitGrad, seed+" layer", "Mean norm of a seed's gradient in one layer over the epoch").set("tolaria.seed_layers"),
	}
}
