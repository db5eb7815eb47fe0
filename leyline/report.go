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

// MaxMitigations bounds FieldReport.FollowUps.
const MaxMitigations = 16

// Mitigation is something that followed an adaptation.
type Mitigation struct {
	Kind   EventKind // of the event that was the follow-up
	Record Seq       // that holds it
	Why    string
}

// FieldReportDelta is what an adaptation changed, measured over the report's
// window. A learner stacks the eight figures in this order (SPEC.md 1.3).
type FieldReportDelta struct {
	Loss           float64 // after less before
	Parameters     float64 // after less before, in parameters
	RiskIndex      float64 // class of the risk, as the policy counts them
	RiskScore      float64 // [0,1]
	PolicyMs       float64 // the policy's answer, ms
	HookMs         float64 // the trainer's wait for the plane, ms
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
	Seed         SeedID
	Blueprint    BlueprintID
	Outcome      ReportOutcome
	Delta        FieldReportDelta
	WindowEpochs uint32  // epochs observed, 1 or more
	IssuedAt     Instant // plane time; required (a report without one would never expire)
	Policy       string  // name and version of the policy
	FollowUps    []Mitigation
	Notes        string
}

// Validate returns a *Refusal that names the first field that is missing or
// wrong.
func (r FieldReport) Validate() error {
	var c check
	needID(&c, "report", r.Report)
	needID(&c, "command", r.Command)
	needID(&c, "run", r.Run)
	needID(&c, "seed", r.Seed)
	needID(&c, "blueprint", r.Blueprint)
	needEnum(&c, "outcome", r.Outcome)
	c.part("delta", r.Delta.Validate())
	need(&c, "window_epochs", r.WindowEpochs > 0)
	need(&c, "issued_at", r.IssuedAt > 0)
	needText(&c, "policy", r.Policy)
	bound(&c, "follow_ups", len(r.FollowUps), MaxMitigations)
	for i, m := range r.FollowUps {
		c.element("follow_ups", i)
		needEnum(&c, "kind", m.Kind)
		need(&c, "record", m.Record > 0)
		text(&c, "why", m.Why, MaxText)
	}
	c.leave()
	text(&c, "notes", r.Notes, MaxText)
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
