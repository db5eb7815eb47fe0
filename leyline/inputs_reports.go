package leyline

// ReportDelivered says that every sink has taken a field report.
type ReportDelivered struct {
	Request EffectID // the attempt
	Run     RunID
	Report  CommandID
	TookNs  uint64
}

// ReportFailed says that a field report could not be delivered.
type ReportFailed struct {
	Request EffectID // the attempt
	Run     RunID
	Report  CommandID
	Outcome Outcome // FAILED or DEADLINE
	Reason  string
	TookNs  uint64
}

// InputKind implements Input.
func (ReportDelivered) InputKind() InputKind { return InputReportDelivered }

// InputKind implements Input.
func (ReportFailed) InputKind() InputKind { return InputReportFailed }

// Validate implements Input.
func (x ReportDelivered) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	needID(&c, "report", x.Report)
	return c.result()
}

// Validate implements Input.
func (x ReportFailed) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	needID(&c, "report", x.Report)
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	needText(&c, "reason", x.Reason)
	return c.result()
}
