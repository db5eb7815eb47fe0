package leyline

// ReportFill is how many field reports are on their way after an event about one.
type ReportFill struct {
	Pending uint32 // neither delivered nor given up
	Backlog uint32 // of them that wait to be sent again
}

// FieldReportOpened opens the observation window of a command of Tamiyo that is in
// force: the trainer has carried it out, or the plane has. What was before is
// what the network was when the command was accepted.
type FieldReportOpened struct {
	Run          RunID
	Report       CommandID // unique in this log and, by the log's name, among others
	Command      CommandID
	Kind         CommandKind
	Operation    SeedOperation // of the kind SEED
	Seed         SeedID        // empty: the command is about the whole run
	Blueprint    BlueprintID
	Policy       string     // as signed; empty: the command names none
	Reason       RiskReason // for which it was issued; unset: the command names none
	IssuedAt     Instant    // of the command, in plane time
	Step         Step
	Epoch        uint32 // last one observed
	WindowEpochs uint32 // that the window is opened for, 1 or more
	Loss         float64
	Measured     bool    // there was a held-out evaluation before: the next two are of it
	HeldOut      float64 // mean loss over the tasks
	Accuracy     float64 // mean over the tasks, [0,1]
	Parameters   uint64  // of the run's grafted seeds, before the command
	RiskScore    float64 // [0,1], as signed; 0: the command names none
	RiskIndex    uint32  // its likeliest class, as signed
	PolicyNs     uint64  // of the policy's last answer; 0: the rules ran inside the decider
	ApplyNs      uint64  // that it took to carry out; 0: not measured
}

// FieldReportFiled closes an observation window with its report. The report stays
// in the log for ever; the index of the state keeps it for
// tamiyo.report_retention_hours.
type FieldReportFiled struct {
	Run     RunID
	Report  FieldReport
	Deliver bool        // handed to the sinks; false: none is configured
	Expired []CommandID // reports that leave the index of the state with this one
	Fill    ReportFill
}

// FieldReportDelivered says that every sink has taken a report.
type FieldReportDelivered struct {
	Run      RunID
	Report   CommandID
	Attempts uint32 // this one included
	TookNs   uint64
	Fill     ReportFill
}

// FieldReportDeferred says that a report could not be delivered and will be sent
// again. WARNING.
type FieldReportDeferred struct {
	Run      RunID
	Report   CommandID
	Attempts uint32  // that have failed
	Outcome  Outcome // FAILED or DEADLINE
	Reason   string
	Due      Instant // of the next attempt
	Fill     ReportFill
}

// FieldReportRetried sends a report again.
type FieldReportRetried struct {
	Run      RunID
	Report   CommandID
	Attempts uint32 // this one included
	Fill     ReportFill
}

// FieldReportDropped gives the delivery of a report up. WARNING: it is in the log,
// and `esper report export` still finds it.
type FieldReportDropped struct {
	Run      RunID
	Report   CommandID
	Attempts uint32 // that have failed
	Reason   string
	Fill     ReportFill
}

// FieldReportMeasured says what a step told of how long finalising took, while a
// window of its run was open: how many such steps there were since the run was
// opened, and what they took together. A window is measured by the difference.
type FieldReportMeasured struct {
	Run        RunID
	Steps      uint64  // this one included
	FinalizeMs float64 // sum over them, ms
}

// EventKind implements Event.
func (FieldReportMeasured) EventKind() EventKind { return EventFieldReportMeasured }

// EventKind implements Event.
func (FieldReportOpened) EventKind() EventKind { return EventFieldReportOpened }

// EventKind implements Event.
func (FieldReportFiled) EventKind() EventKind { return EventFieldReportFiled }

// EventKind implements Event.
func (FieldReportDelivered) EventKind() EventKind { return EventFieldReportDelivered }

// EventKind implements Event.
func (FieldReportDeferred) EventKind() EventKind { return EventFieldReportDeferred }

// EventKind implements Event.
func (FieldReportRetried) EventKind() EventKind { return EventFieldReportRetried }

// EventKind implements Event.
func (FieldReportDropped) EventKind() EventKind { return EventFieldReportDropped }

// Validate implements Event.
func (x FieldReportOpened) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "report", x.Report)
	needID(&c, "command", x.Command)
	needEnum(&c, "kind", x.Kind)
	mayEnum(&c, "operation", x.Operation)
	mayID(&c, "seed", x.Seed)
	mayID(&c, "blueprint", x.Blueprint)
	text(&c, "policy", x.Policy, MaxText)
	mayEnum(&c, "reason", x.Reason)
	need(&c, "issued_at", x.IssuedAt > 0)
	need(&c, "window_epochs", x.WindowEpochs > 0)
	finite(&c, "loss", x.Loss)
	notNaN(&c, "held_out", x.HeldOut)
	unit(&c, "accuracy", x.Accuracy)
	unit(&c, "risk_score", x.RiskScore)
	return c.result()
}

// Validate implements Event.
func (x FieldReportFiled) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	c.part("report", x.Report.Validate())
	if x.Report.Run != x.Run {
		c.fail(Invalid("report.run", "is another run than that of the event"))
	}
	bound(&c, "expired", len(x.Expired), MaxReportsExpired)
	needIDs(&c, "expired", x.Expired)
	return c.result()
}

// Validate implements Event.
func (x FieldReportDelivered) Validate() error {
	var c check
	aboutReport(&c, x.Run, x.Report, x.Attempts)
	return c.result()
}

// Validate implements Event.
func (x FieldReportDeferred) Validate() error {
	var c check
	aboutReport(&c, x.Run, x.Report, x.Attempts)
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	needText(&c, "reason", x.Reason)
	need(&c, "due", x.Due > 0)
	return c.result()
}

// Validate implements Event.
func (x FieldReportRetried) Validate() error {
	var c check
	aboutReport(&c, x.Run, x.Report, x.Attempts)
	return c.result()
}

// Validate implements Event. One that found no room in the index may have failed
// never.
func (x FieldReportDropped) Validate() error {
	var c check
	aboutReport(&c, x.Run, x.Report, 1)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Event.
func (x FieldReportMeasured) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "steps", x.Steps > 0)
	finite(&c, "finalize_ms", x.FinalizeMs)
	notNegative(&c, "finalize_ms", x.FinalizeMs)
	return c.result()
}

func aboutReport(c *check, run RunID, report CommandID, attempts uint32) {
	needID(c, "run", run)
	needID(c, "report", report)
	need(c, "attempts", attempts > 0)
}
