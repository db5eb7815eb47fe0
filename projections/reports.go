package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Reports is what Tamiyo keeps for field reports. Every list in it is bounded.
type Reports struct {
	Runs  []RunReports // sorted by run
	Index []Filed      // in the order of filing, at most leyline.MaxReportsIndexed

	Published uint64 // deliveries that every sink took
	Retries   uint64 // attempts after the first
	Dropped   uint64 // deliveries that were given up
}

// RunReports are the observation windows of one run.
type RunReports struct {
	Run     leyline.RunID
	Awaited []AwaitedReport // accepted commands of Tamiyo that are not in force yet; as many as may be pending
	Open    []ReportWindow  // in the order of opening, at most leyline.MaxReportWindows
	Marks   []ReportMark    // one per registered snapshot

	Steps      uint64  // that told how long finalising took while a window was open; never rewound
	FinalizeMs float64 // sum over them
}

// AwaitedReport is an accepted command of Tamiyo, with what the network was
// before it. Its window opens once the command is in force.
type AwaitedReport struct {
	Command   leyline.CommandID
	Kind      leyline.CommandKind
	Operation leyline.SeedOperation
	Seed      leyline.SeedID
	Blueprint leyline.BlueprintID
	IssuedAt  leyline.Instant
	Metadata  leyline.DecisionMetadata
	Grown     uint64
	InForce   bool
	TookNs    uint64 // that it took to carry out
}

// ReportWindow is an open observation window.
type ReportWindow struct {
	Opened    leyline.FieldReportOpened
	Seq       leyline.Seq   // of the record that opened it
	Epochs    []leyline.Seq // of the records of the epochs that it has seen
	FollowUps []leyline.Mitigation
	More      uint32 // follow-ups that found no room

	Steps      uint64  // as in RunReports, when it was opened
	FinalizeMs float64 // the same

	HookNs   uint64 // slowest answer of those epochs, as the trainer waited for it
	Critical bool   // a follow-up that makes any report a REGRESSION
}

// ReportMark says in which record a snapshot was registered: what was opened or
// seen later is undone by a return to it.
type ReportMark struct {
	Snapshot leyline.SnapshotID
	Seq      leyline.Seq
}

// Filed is a report in the index.
type Filed struct {
	Report   leyline.CommandID
	Run      leyline.RunID
	IssuedAt leyline.Instant
	Status   leyline.ReportStatus
	Attempts uint32              // that have failed
	Effect   leyline.EffectID    // the attempt under way
	Due      leyline.Instant     // of the next attempt, while it waits
	Body     leyline.FieldReport // until its delivery is settled
}

func reportsRun(r *RunReports) leyline.RunID { return r.Run }

// Run returns the windows of a run, or nil.
func (r *Reports) Run(id leyline.RunID) *RunReports { return get(r.Runs, id, reportsRun) }

// Filed returns a report in the index, or nil.
func (r *Reports) Filed(id leyline.CommandID) *Filed {
	for i := len(r.Index) - 1; i >= 0; i-- {
		if r.Index[i].Report == id {
			return &r.Index[i]
		}
	}
	return nil
}

// Fill counts the reports that are on their way.
func (r *Reports) Fill() (f leyline.ReportFill) {
	for i := range r.Index {
		switch r.Index[i].Status {
		case leyline.ReportSending:
			f.Pending++
		case leyline.ReportWaiting:
			f.Pending++
			f.Backlog++
		}
	}
	return f
}

// Settled reports whether nothing more will be done to deliver a report.
func (f *Filed) Settled() bool {
	return f.Status != leyline.ReportSending && f.Status != leyline.ReportWaiting
}

// Window returns the open window of a report, or nil.
func (r *RunReports) Window(id leyline.CommandID) *ReportWindow {
	for i := range r.Open {
		if r.Open[i].Opened.Report == id {
			return &r.Open[i]
		}
	}
	return nil
}

// Mark is the record in which a snapshot was registered; 0: there is none.
func (r *RunReports) Mark(id leyline.SnapshotID) leyline.Seq {
	for _, m := range r.Marks {
		if m.Snapshot == id {
			return m.Seq
		}
	}
	return 0
}

func (r *Reports) apply(m leyline.Meta, id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		r.Runs = put(r.Runs, RunReports{Run: x.Run}, reportsRun)
	case leyline.CommandVerified:
		r.await(x)
	case leyline.CommandSettled:
		if run := r.Run(x.Run); run != nil {
			run.settle(x)
		}
	case leyline.CommandExpired:
		if run := r.Run(x.Run); run != nil {
			run.forget(x.Command)
		}
	case leyline.FieldReportOpened:
		run := r.Run(x.Run)
		run.forget(x.Command)
		run.Open = append(run.Open, ReportWindow{Opened: x, Seq: m.Seq, Steps: run.Steps, FinalizeMs: run.FinalizeMs})
	case leyline.FieldReportFiled:
		r.file(id, x)
	default:
		r.observe(m, e)
		r.deliver(id, e)
	}
}

// await remembers a command that will be reported on: an adaptation that Tamiyo
// asked for.
func (r *Reports) await(x leyline.CommandVerified) {
	run := r.Run(x.Run)
	if run == nil || x.Issuer != leyline.IssuerTamiyo || !leyline.PolicyMay(x.Kind) {
		return
	}
	seed := x.Seed.Seed
	if x.Kind == leyline.CommandPause {
		seed = x.Pause.Seed
	}
	run.Awaited = append(run.Awaited, AwaitedReport{
		Command: x.Command, Kind: x.Kind, Operation: x.Seed.Operation, Seed: seed, Blueprint: x.Blueprint,
		IssuedAt: x.IssuedAt, Metadata: x.Metadata, Grown: x.Grown,
	})
}

func (r *RunReports) settle(x leyline.CommandSettled) {
	if x.Outcome != leyline.OutcomeOK {
		r.forget(x.Command)
		return
	}
	for i := range r.Awaited {
		if a := &r.Awaited[i]; a.Command == x.Command {
			a.InForce, a.TookNs = true, x.TookNs
		}
	}
}

func (r *RunReports) forget(id leyline.CommandID) {
	r.Awaited = slices.DeleteFunc(r.Awaited, func(a AwaitedReport) bool { return a.Command == id })
}

// file moves a report from the open windows into the index.
func (r *Reports) file(id leyline.EffectID, x leyline.FieldReportFiled) {
	run := r.Run(x.Run)
	run.Open = slices.DeleteFunc(run.Open, func(w ReportWindow) bool { return w.Opened.Report == x.Report.Report })
	r.Index = slices.DeleteFunc(r.Index, func(f Filed) bool { return slices.Contains(x.Expired, f.Report) })
	f := Filed{Report: x.Report.Report, Run: x.Run, IssuedAt: x.Report.IssuedAt, Status: leyline.ReportKept}
	if x.Deliver {
		f.Status, f.Effect, f.Body = leyline.ReportSending, id, x.Report
	}
	r.Index = append(r.Index, f)
}

// deliver follows the delivery of a report.
func (r *Reports) deliver(id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.FieldReportDelivered:
		r.Published++
		r.Filed(x.Report).settle(leyline.ReportHandedOver, x.Attempts-1)
	case leyline.FieldReportDropped:
		r.Dropped++
		r.Filed(x.Report).settle(leyline.ReportGivenUp, x.Attempts)
	case leyline.FieldReportDeferred:
		f := r.Filed(x.Report)
		f.Status, f.Attempts, f.Effect, f.Due = leyline.ReportWaiting, x.Attempts, leyline.EffectID{}, x.Due
	case leyline.FieldReportRetried:
		r.Retries++
		f := r.Filed(x.Report)
		f.Status, f.Effect, f.Due = leyline.ReportSending, id, 0
	}
}

func (f *Filed) settle(status leyline.ReportStatus, failed uint32) {
	f.Status, f.Attempts, f.Effect, f.Due, f.Body = status, failed, leyline.EffectID{}, 0, leyline.FieldReport{}
}

// timers wait for the reports that are sent again, also of runs that have ended.
func (r *Reports) timers(consider func(leyline.TimerFired)) {
	for i := range r.Index {
		if f := &r.Index[i]; f.Status == leyline.ReportWaiting {
			consider(leyline.TimerFired{Timer: leyline.TimerReport, Run: f.Run, Subject: string(f.Report), Due: f.Due})
		}
	}
}
