package leyline

// ReportOutcome is what became of an adaptation.
type ReportOutcome = Enum[reportOutcomes]

type reportOutcomes struct{}

func (reportOutcomes) list() []string { return reportOutcomeNames[:] }

var reportOutcomeNames = [...]string{"unspecified", "success", "neutral", "regression", "aborted"}

// The outcomes of a field report.
const (
	ReportUnspecified ReportOutcome = iota
	ReportSuccess
	ReportNeutral
	ReportRegression
	ReportAborted
)

// Bounds on field reports.
const (
	MaxMitigations    = 16   // FieldReport.FollowUps
	MaxReportEpochs   = 64   // epochs of an observation window
	MaxReportWindows  = 64   // open windows of a run; one more closes the oldest
	MaxReportsIndexed = 1024 // filed reports in the index of the state, over all runs
	MaxReportsExpired = 64   // that leave the index with one that is filed
)

// ReportClosure says what closed an observation window.
type ReportClosure = Enum[reportClosures]

type reportClosures struct{}

func (reportClosures) list() []string { return reportClosureNames[:] }

var reportClosureNames = [...]string{"unspecified", "epochs", "run_ended", "run_failed", "run_halted", "rewound", "displaced"}

// The closures. The first two leave a report that can be judged by what was
// observed; the report of every other is ABORTED.
const (
	ReportClosureUnspecified ReportClosure = iota
	ReportByEpochs                         // the window saw the epochs that it was opened for
	ReportByEnd                            // the run ended as planned: judged by what there is
	ReportByFailure                        // its trainer closed the run as failed
	ReportByHalt                           // the plane halted the run
	ReportByRewind                         // a rollback or a resume took the run back to before the window
	ReportByOverflow                       // MaxReportWindows were open already
)

// ReportStatus is how far the delivery of a filed report has come.
type ReportStatus = Enum[reportStatuses]

type reportStatuses struct{}

func (reportStatuses) list() []string { return reportStatusNames[:] }

var reportStatusNames = [...]string{"unspecified", "kept", "sending", "waiting", "delivered", "dropped"}

// The states of a delivery.
const (
	ReportStatusUnspecified ReportStatus = iota
	ReportKept                           // no sink was configured when it was filed
	ReportSending                        // an attempt is under way
	ReportWaiting                        // to be sent again
	ReportHandedOver                     // every sink has taken it
	ReportGivenUp                        // it has failed too often, or found no room
)

// Judged reports whether a window that was closed so says anything about the
// command.
func Judged(c ReportClosure) bool { return c == ReportByEpochs || c == ReportByEnd }

// Mitigation is something that followed an adaptation.
type Mitigation struct {
	Kind   EventKind // of the event that was the follow-up
	Record Seq       // that holds it
	Why    string
}

// FieldReportDelta is what an adaptation changed, measured over the report's
// window. A learner stacks the eight figures in this order (SPEC.md 1.3). What
// was not measured is 0.
type FieldReportDelta struct {
	Loss           float64 // after less before: of the held-out losses where HeldOut is set, else of the running training loss
	Parameters     float64 // after less before, in parameters of seeds that are grafted
	RiskIndex      float64 // class of the risk, as the policy counts them
	RiskScore      float64 // [0,1]
	PolicyMs       float64 // the policy's answer, ms
	HookMs         float64 // the trainer's wait for the plane, ms: the slowest of the epochs observed
	KasminaApplyMs float64 // carrying out the command, ms
	KasminaEndMs   float64 // finalising the steps of the window, mean, ms
	Extra          []Extra // at most MaxExtraMetrics, ascending by Name
}

// FieldReport tells a learner what a command did to a run. Filing reports is
// Tamiyo's; this is the contract.
type FieldReport struct {
	Report       CommandID // unique; the id under which it is delivered
	Command      CommandID
	Run          RunID
	Seed         SeedID      // empty: the command was about the whole run
	Blueprint    BlueprintID // of the seed when the command was accepted; empty: it had none
	Outcome      ReportOutcome
	Delta        FieldReportDelta
	WindowEpochs uint32  // epochs that the window was opened for, 1 or more
	IssuedAt     Instant // of the command, in plane time; required (a report without one would never expire)
	Policy       string  // name and version of the policy; empty: the command names none
	FollowUps    []Mitigation
	Notes        string
	Kind         CommandKind
	Operation    SeedOperation // of the kind SEED
	Closure      ReportClosure
	Epochs       uint32 // of them that were observed
	HeldOut      bool   // Delta.Loss is of held-out data
	From         Step   // at which the command was in force
	To           Step   // at which the window was closed
}

// Validate returns a *Refusal that names the first field that is missing or
// wrong.
func (r FieldReport) Validate() error {
	var c check
	needID(&c, "report", r.Report)
	needID(&c, "command", r.Command)
	needID(&c, "run", r.Run)
	mayID(&c, "seed", r.Seed)
	mayID(&c, "blueprint", r.Blueprint)
	needEnum(&c, "outcome", r.Outcome)
	c.part("delta", r.Delta.Validate())
	need(&c, "window_epochs", r.WindowEpochs > 0)
	need(&c, "issued_at", r.IssuedAt > 0)
	text(&c, "policy", r.Policy, MaxText)
	bound(&c, "follow_ups", len(r.FollowUps), MaxMitigations)
	for i, m := range r.FollowUps {
		c.element("follow_ups", i)
		needEnum(&c, "kind", m.Kind)
		need(&c, "record", m.Record > 0)
		text(&c, "why", m.Why, MaxText)
	}
	c.leave()
	text(&c, "notes", r.Notes, MaxText)
	needEnum(&c, "kind", r.Kind)
	mayEnum(&c, "operation", r.Operation)
	needEnum(&c, "closure", r.Closure)
	return c.result()
}

// Validate returns a *Refusal that names the first figure that is not finite or
// out of its range.
func (d FieldReportDelta) Validate() error {
	var c check
	finite(&c, "loss", d.Loss)
	finite(&c, "parameters", d.Parameters)
	finite(&c, "risk_index", d.RiskIndex)
	unit(&c, "risk_score", d.RiskScore)
	for _, f := range []struct {
		name  string
		value float64
	}{{"policy_ms", d.PolicyMs}, {"hook_ms", d.HookMs}, {"kasmina_apply_ms", d.KasminaApplyMs}, {"kasmina_end_ms", d.KasminaEndMs}} {
		finite(&c, f.name, f.value)
		notNegative(&c, f.name, f.value)
	}
	extras(&c, "extra", d.Extra)
	return c.result()
}
