package leyline

import "time"

// Bounds on the pause before a field report is sent again.
const (
	maxReportRetries = 16
	maxReportFactor  = 10
	maxReportPause   = 24 * time.Hour
)

// DeliversReports reports whether field reports are handed to anybody.
func (c *TamiyoConfig) DeliversReports() bool { return c.ReportDir != "" || c.ReportURLFile != "" }

// ReportPause is how long a field report waits to be sent again after so many
// attempts, 1 or more, that have failed: report_backoff_ms times
// report_backoff_factor for each of them, so that the first pause is longer than
// report_backoff_ms already (SPEC.md 3.11); a day at most.
func (c *TamiyoConfig) ReportPause(failed uint32) time.Duration {
	pause := float64(c.ReportBackoff.Duration())
	for range failed {
		if pause = float64(pause * c.ReportFactor); pause >= float64(maxReportPause) {
			return maxReportPause
		}
	}
	return time.Duration(pause)
}

// ReportRetention is how long the index of the state and a directory of reports
// keep a field report after its command was issued.
func (c *TamiyoConfig) ReportRetention() time.Duration {
	return time.Duration(c.ReportHours) * time.Hour
}
