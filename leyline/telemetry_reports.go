package leyline

// NameTamiyoCommandRejected is the event of a command of Tamiyo that was declined.
const NameTamiyoCommandRejected EventName = "tamiyo.command_rejected"

const (
	setWindows = "tamiyo.report_epochs"
	setSinks   = "tamiyo.report_dir tamiyo.report_url_file"
	setRetries = "tamiyo.report_retries tamiyo.report_backoff_ms tamiyo.report_backoff_factor tamiyo.report_timeout_ms"
)

func reportMetrics() []MetricInfo {
	return []MetricInfo{
		counter(MetricReportsPublished, "run", "Field reports that every sink has taken").set(setSinks),
		counter(MetricReportsRetries, "run", "Times that a field report was sent again").set(setRetries),
		counter(MetricReportsDropped, "run", "Field reports whose delivery was given up; the log has them").set(setRetries),
		gauge(MetricReportsPending, UnitCount, "", "Field reports that are not delivered yet").set(setSinks),
		gauge(MetricReportsRetryBacklog, UnitCount, "", "Field reports that wait to be sent again").set(setRetries),
	}
}

func reportEvents() []EventInfo {
	return []EventInfo{
		event(NameReportSynthesised, "run report_id command_id outcome cause", "A field report closes an observation window", LevelInfo).set(setWindows),
		event(NameReportRetry, "run report_id retry_count", "A field report is sent again", LevelWarning).set(setRetries),
		event(NameReportDrop, "run report_id retry_count reason", "The delivery of a field report is given up", LevelWarning).set(setRetries),
		event(NameTamiyoCommandRejected, "run command_id kind operation seed_id reason details", "A command that the policy asked for was declined", LevelWarning),
	}
}
