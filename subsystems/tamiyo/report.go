package tamiyo

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Report decides field reports. It runs last, so it sees everything that the
// record decided, and nothing that it decides is read by any other rule: whether
// and when a report is delivered changes no run.
func Report(t *projections.Turn, in leyline.Input) {
	for _, e := range t.Events() { // those of the reports themselves are appended behind
		switch x := e.(type) {
		case leyline.CommandSettled:
			inForce(t, x.Run)
		case leyline.EpochAssessed:
			observed(t, x)
		case leyline.RunResumed:
			rewound(t, x.Run, x.Snapshot)
		case leyline.RollbackFinished:
			if x.Outcome == leyline.OutcomeOK {
				rewound(t, x.Run, x.Snapshot)
			}
		case leyline.RunEnded:
			ended(t, x)
		case leyline.RunHalted:
			closeAll(t, x.Run, leyline.ReportByHalt)
		}
	}
	switch x := in.(type) {
	case leyline.StepObserved:
		finalised(t, x)
	case leyline.ReportDelivered:
		delivered(t, x)
	case leyline.ReportFailed:
		undelivered(t, x)
	case leyline.TimerFired:
		if x.Timer == leyline.TimerReport {
			sendAgain(t, x)
		}
	}
}

// inForce opens the windows of the commands that are in force now. A run that is
// no longer open has nothing left to observe.
func inForce(t *projections.Turn, id leyline.RunID) {
	r := t.State.Tamiyo.Reports.Run(id)
	for {
		i := slices.IndexFunc(r.Awaited, func(a projections.AwaitedReport) bool { return a.InForce })
		if i < 0 {
			return
		}
		if len(r.Open) == leyline.MaxReportWindows {
			file(t, r.Open[0], leyline.ReportByOverflow)
		}
		t.Emit(opening(t, id, r.Awaited[i]))
	}
}

// opening is what a window begins with.
func opening(t *projections.Turn, id leyline.RunID, a projections.AwaitedReport) leyline.FieldReportOpened {
	run := t.State.Tolaria.Run(id)
	risk, _ := a.Metadata.Score(leyline.ScoreRisk)
	x := leyline.FieldReportOpened{
		Run: id, Report: reportID(t, a.Command), Command: a.Command, Kind: a.Kind, Operation: a.Operation, Seed: a.Seed,
		Blueprint: a.Blueprint, Policy: policyName(&a.Metadata), Reason: a.Metadata.Reason, IssuedAt: a.IssuedAt,
		Step: run.Track.Step, Epoch: run.Track.Epoch, WindowEpochs: t.Config().Tamiyo.ReportEpochs,
		Loss: run.Track.LossEWMA.Mean, Parameters: a.Grown, RiskScore: risk, RiskIndex: a.Metadata.RiskIndex, PolicyNs: run.Waits.TamiyoNs, ApplyNs: a.TookNs,
	}
	x.HeldOut, x.Accuracy, x.Measured = heldOut(run)
	return x
}

// policyName is the policy with its version; empty where a command names none.
func policyName(d *leyline.DecisionMetadata) string {
	if d.Policy == "" {
		return ""
	}
	return d.Policy + "/" + d.Version
}

// reportID makes the id of a report: the command with the log in the first eight
// bytes of a digest, which tell one log from another, and the place of the event
// that opens the window, which nothing else in this log has.
func reportID(t *projections.Turn, command leyline.CommandID) leyline.CommandID {
	sum := sha256.Sum256([]byte(t.State.Plane.Origin + "\n" + string(command)))
	at := leyline.EffectID{Seq: t.Meta.Seq, Index: uint16(len(t.Events()))}
	return leyline.CommandID(fmt.Sprintf("fr-%x-%s", sum[:8], at))
}

// longestFinalise is the longest time that a step may tell to count, ms: a day. What is
// longer is no measurement, and sums stay finite.
const longestFinalise = 86_400_000

// finalised adds up what the steps within windows tell of how long finalising took.
func finalised(t *projections.Turn, x leyline.StepObserved) {
	r := t.State.Tamiyo.Reports.Run(x.Run)
	if ms, told := x.Metrics.Get(leyline.TrainFinalizeMs); told && ms >= 0 && ms <= longestFinalise && len(r.Open) > 0 {
		t.Emit(leyline.FieldReportMeasured{Run: x.Run, Steps: r.Steps + 1, FinalizeMs: r.FinalizeMs + ms})
	}
}

// observed closes the windows that have seen the epochs they were opened for.
func observed(t *projections.Turn, x leyline.EpochAssessed) {
	r := t.State.Tamiyo.Reports.Run(x.Run)
	for {
		i := slices.IndexFunc(r.Open, func(w projections.ReportWindow) bool { return len(w.Epochs) >= int(w.Opened.WindowEpochs) })
		if i < 0 {
			return
		}
		file(t, r.Open[i], leyline.ReportByEpochs)
	}
}

// rewound closes the windows of commands that a return to a snapshot has undone:
// what they were about is no more.
func rewound(t *projections.Turn, id leyline.RunID, to leyline.SnapshotID) {
	r := t.State.Tamiyo.Reports.Run(id)
	mark := r.Mark(to)
	for {
		i := slices.IndexFunc(r.Open, func(w projections.ReportWindow) bool { return w.Seq > mark })
		if i < 0 {
			return
		}
		file(t, r.Open[i], leyline.ReportByRewind)
	}
}

// ended closes every window of a run: one that its trainer finished is judged by
// what there is.
func ended(t *projections.Turn, x leyline.RunEnded) {
	why := leyline.ReportByEnd
	if x.Outcome != leyline.OutcomeOK {
		why = leyline.ReportByFailure
	}
	closeAll(t, x.Run, why)
}

func closeAll(t *projections.Turn, id leyline.RunID, why leyline.ReportClosure) {
	r := t.State.Tamiyo.Reports.Run(id)
	for len(r.Open) > 0 {
		file(t, r.Open[0], why)
	}
}

// file closes a window with its report and hands that to the sinks, if there are
// any.
func file(t *projections.Turn, w projections.ReportWindow, why leyline.ReportClosure) {
	book := &t.State.Tamiyo.Reports
	makeRoom(t)
	x := leyline.FieldReportFiled{
		Run: w.Opened.Run, Report: judge(t.State, w, why), Deliver: t.Config().Tamiyo.DeliversReports(), Expired: expired(t),
		Fill: book.Fill(),
	}
	if x.Deliver {
		x.Fill.Pending++
	}
	t.Emit(x)
}
