package leyline

// The metrics of kernels. Those of the kernel cache belong to the running process:
// it is empty when a process starts, and no record holds what it does.
const (
	MetricPrefetchInflight   MetricName = "kasmina.prefetch.inflight"
	MetricPrewarmMs          MetricName = "kasmina.prewarm.latency_ms"
	MetricCacheWaitMs        MetricName = "kasmina.cache.lock_wait_ms"
	MetricKernelAttached     MetricName = "kasmina.seed.kernel_attached"
	MetricKernelCacheSize    MetricName = "kasmina.cache.kernel_size"
	MetricKernelCacheBytes   MetricName = "kasmina.cache.kernel_bytes"
	MetricKernelCacheHits    MetricName = "kasmina.cache.kernel_hit_rate"
	MetricKernelCacheEvicted MetricName = "kasmina.cache.kernel_evictions"
)

func kernelMetrics() []MetricInfo {
	return []MetricInfo{
		gauge(MetricPrefetchInflight, UnitCount, "run", "Prefetches that are under way"),
		gauge(MetricPrewarmMs, UnitMs, "run seed_id share", "How long a kernel took to be decoded and checked, by the share of samples that took no longer").set("kasmina.prewarm_samples"),
		gauge(MetricCacheWaitMs, UnitMs, "run seed_id", "How long a fetch waited for another one of the same kernel, or for room in the kernel cache").set("kasmina.cache_wait_warn_ms"),
		gauge(MetricKernelAttached, UnitBool, "run seed_id", "Whether the trainer has a seed's kernel in its network, as its last step says"),
		gauge(MetricKernelCacheSize, UnitCount, "", "Kernels in the kernel cache").set("kasmina.cache_ttl_ms").process(),
		gauge(MetricKernelCacheBytes, UnitBytes, "", "Bytes that the kernel cache has reserved").set("kasmina.cache_mib").process(),
		gauge(MetricKernelCacheHits, UnitRatio, "", "Lookups since the start that the kernel cache could serve, or another fetch of the same kernel").process(),
		counter(MetricKernelCacheEvicted, "cause", "Kernels that left the kernel cache: for room, for their age, or because it was cleared").set("kasmina.cache_mib kasmina.cache_ttl_ms").process(),
	}
}

// The telemetry events of kernels.
const (
	NameCacheContention    EventName = "cache_lock_contention"
	NamePrefetchLate       EventName = "prefetch_late"
	NamePrefetchSummary    EventName = "prefetch_canceled_summary"
	NameEmergencyCleanup   EventName = "emergency_cleanup"
	NameBlueprintWithdrawn EventName = "plane.blueprint_withdrawn"
)

func kernelEvents() []EventInfo {
	return []EventInfo{
		event(NameCacheContention, "run seed_id blueprint_id wait_ms", "A fetch has waited long for another one of the same kernel, or for room in the kernel cache", LevelWarning).
			set("kasmina.cache_wait_warn_ms"),
		event(NamePrefetchLate, "run seed_id request_id outcome latency_ms", "A fetch has ended that nobody waits for any more", LevelWarning),
		event(NamePrefetchSummary, "reason runs requests", "A shutdown has cancelled fetches", LevelWarning),
		event(NameEmergencyCleanup, "run command_id kernels bytes kept latency_ms", "The kernel cache was emptied by command", LevelCritical),
		event(NameBlueprintWithdrawn, "blueprint_id reason", "Nothing is germinated of a blueprint any more", LevelWarning),
	}
}
