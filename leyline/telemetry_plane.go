package leyline

// The metrics of the plane. All but the first belong to the running process: no
// record holds them.
const (
	MetricDiskLow MetricName = "plane.disk.low"

	MetricBuild           MetricName = "plane.build"
	MetricDiskFree        MetricName = "plane.disk.free_bytes"
	MetricPublished       MetricName = "plane.telemetry.records_total"
	MetricDropped         MetricName = "plane.telemetry.dropped_total"
	MetricCapped          MetricName = "plane.telemetry.capped_total"
	MetricCut             MetricName = "plane.telemetry.cut_total"
	MetricSubscribers     MetricName = "plane.telemetry.subscribers"
	MetricTokens          MetricName = "plane.telemetry.emergency_tokens"
	MetricSeriesDropped   MetricName = "plane.telemetry.series_dropped_total"
	MetricWebhookSent     MetricName = "plane.webhook.sent_total"
	MetricWebhookRetries  MetricName = "plane.webhook.retries_total"
	MetricWebhookFailures MetricName = "plane.webhook.failures_total"
	MetricWebhookDropped  MetricName = "plane.webhook.dropped_total"
	MetricWebhookOpen     MetricName = "plane.webhook.open_alerts"
	MetricWorkerSubmitted MetricName = "plane.worker.submitted_total"
	MetricWorkerRejected  MetricName = "plane.worker.rejected_total"
	MetricWorkerEnded     MetricName = "plane.worker.ended_total"
	MetricWorkerQueued    MetricName = "plane.worker.queued"
	MetricWorkerRunning   MetricName = "plane.worker.running"
	MetricWorkerLeaked    MetricName = "plane.worker.leaked"
	MetricWorkerPanics    MetricName = "plane.worker.panics_total"
	MetricWorkerQueuedMs  MetricName = "plane.worker.queued_ms"
	MetricWorkerRanMs     MetricName = "plane.worker.ran_ms"
)

func planeMetrics() []MetricInfo {
	return []MetricInfo{
		gauge(MetricDiskLow, UnitBool, "", "Whether the disk of the data directory is nearly full").set(setDisk),

		gauge(MetricBuild, UnitCount, "version", "The program that runs: always 1").process(),
		gauge(MetricDiskFree, UnitBytes, "", "Bytes that this process may still write to the disk of the data directory").set(setDisk).process(),
		counter(MetricPublished, "", "Records whose packets were given to the subscribers").process(),
		counter(MetricDropped, "cause priority", "Packets that a slow subscriber or the emergency cap has lost").set(setLanes).process(),
		counter(MetricCapped, "", "Packets that the emergency cap has held back").set("telemetry.emergency_per_min").process(),
		counter(MetricCut, "", "Subscribers that were cut off because they were too slow for CRITICAL packets").set("telemetry.queue_critical").process(),
		gauge(MetricSubscribers, UnitCount, "", "Subscribers of the telemetry streams").set("telemetry.subscribers").process(),
		gauge(MetricTokens, UnitCount, "", "Packets that the emergency cap would let through at once").set("telemetry.emergency_per_min").process(),
		counter(MetricSeriesDropped, "", "Series that the metrics page has given up to stay within its bounds").process(),
		counter(MetricWebhookSent, "", "Notifications that the webhook has accepted").set("telemetry.webhook_file telemetry.webhook_priority").process(),
		counter(MetricWebhookRetries, "", "Notifications that were sent again").process(),
		counter(MetricWebhookFailures, "", "Notifications that were given up").process(),
		counter(MetricWebhookDropped, "", "Alerts that found no room to wait for the webhook, or whose notification was given up").process(),
		gauge(MetricWebhookOpen, UnitCount, "", "Alerts that fire and can still be resolved").process(),
		counter(MetricWorkerSubmitted, "", "Jobs that the worker has accepted").process(),
		counter(MetricWorkerRejected, "", "Jobs that the worker has refused").set("plane.worker_queue").process(),
		counter(MetricWorkerEnded, "state", "Jobs that have ended, by how").process(),
		gauge(MetricWorkerQueued, UnitCount, "", "Jobs that wait").set("plane.worker_queue").process(),
		gauge(MetricWorkerRunning, UnitCount, "", "Jobs that run").set("plane.workers").process(),
		gauge(MetricWorkerLeaked, UnitCount, "", "Jobs that have ended but do not return").process(),
		counter(MetricWorkerPanics, "", "Panics of jobs after their end and of their callbacks").process(),
		gauge(MetricWorkerQueuedMs, UnitMs, "share", "How long jobs that have ended had waited; at most half above the truth").process(),
		gauge(MetricWorkerRanMs, UnitMs, "share", "How long jobs that have ended had run; at most half above the truth").process(),
	}
}

// The telemetry events of the plane. StorageFailed and Overflow are in no record:
// the one is told by the outlets when none can be written, the other is made by
// the streams themselves.
const (
	NameDependencyViolation EventName = "dependency_guard.violation"
	NamePlaneStarted        EventName = "plane.started"
	NameEffectUnknown       EventName = "plane.effect_unknown"
	NameDiskLow             EventName = "plane.disk_low"
	NameDiskRecovered       EventName = "plane.disk_recovered"
	NameKeyRevoked          EventName = "plane.key_revoked"
	NameClockStepped        EventName = "plane.clock_stepped"
	NameStorageFailed       EventName = "plane.storage_failed"
	NameOverflow            EventName = "telemetry.overflow"
)

func planeEvents() []EventInfo {
	const disk = "free_bytes total_bytes threshold_bytes"
	return []EventInfo{
		event(NameDependencyViolation, "run subsystem input dependency_type identifier reason field details hint", "An input was refused", LevelCritical),
		event(NamePlaneStarted, "boot origin boots decider version clean torn_bytes signal", "The plane has started; WARNING after an unclean stop", LevelInfo, LevelWarning),
		event(NameEffectUnknown, "run request_id kind", "Nobody knows whether an effect was carried out before a stop", LevelWarning),
		event(NameDiskLow, disk, "The disk is nearly full", LevelCritical).set(setDisk),
		event(NameDiskRecovered, disk, "There is room on the disk again", LevelInfo).set(setDisk),
		event(NameKeyRevoked, "key_id issuer next reason", "A key is not good for commands any more, and which takes its place", LevelWarning),
		event(NameClockStepped, "amount_ms from to steps", "The wall clock was set, which plane time does not follow; CRITICAL when it was set back", LevelWarning, LevelCritical).set("kasmina.skew_ms"),
		event(NameStorageFailed, "reason", "The log cannot be written, so the plane has ended and nothing more is recorded", LevelCritical).process(),
		event(NameOverflow, "cause priority first last packets ongoing", "Packets between two records were not delivered, and whether that goes on", LevelWarning).set(setLanes).process(),
	}
}
