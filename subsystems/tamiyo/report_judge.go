package tamiyo

import (
	"fmt"
	"math"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// judge writes the report of a window that is closed. The rule of its outcome is
// in the package comment.
func judge(s *projections.State, w projections.ReportWindow, why leyline.ReportClosure) leyline.FieldReport {
	o := &w.Opened
	run := s.Tolaria.Run(o.Run)
	r := leyline.FieldReport{
		Report: o.Report, Command: o.Command, Run: o.Run, Seed: o.Seed, Blueprint: o.Blueprint,
		WindowEpochs: o.WindowEpochs, IssuedAt: o.IssuedAt, Policy: o.Policy, FollowUps: w.FollowUps,
		Kind: o.Kind, Operation: o.Operation, Closure: why, Epochs: uint32(len(w.Epochs)), From: o.Step, To: run.Track.Step,
		Delta: leyline.FieldReportDelta{RiskScore: o.RiskScore, RiskIndex: float64(o.RiskIndex), PolicyMs: millis(o.PolicyNs), KasminaApplyMs: millis(o.ApplyNs)},
	}
	if w.More > 0 {
		r.Notes = fmt.Sprintf("%d more follow-ups found no room", w.More)
	}
	if why == leyline.ReportByRewind { // the network that there is now never knew the command
		r.Outcome, r.To = leyline.ReportAborted, max(o.Step, r.To)
		return r
	}
	sound := measure(&r, s, w)
	r.Outcome = judged(&r, w.Critical || !sound || critical(o.Reason))
	return r
}

// measure writes what is different at the end of a window. It reports whether the
// losses are finite numbers: one that is not is no difference, and says enough.
func measure(r *leyline.FieldReport, s *projections.State, w projections.ReportWindow) bool {
	o, d := &w.Opened, &r.Delta
	run, book := s.Tolaria.Run(o.Run), s.Tamiyo.Reports.Run(o.Run)
	d.Parameters = float64(s.Kasmina.Run(o.Run).Grown()) - float64(o.Parameters)
	d.HookMs = millis(max(w.HookNs, run.Epochs.Hook))
	if book.Steps > w.Steps {
		d.KasminaEndMs = (book.FinalizeMs - w.FinalizeMs) / float64(book.Steps-w.Steps)
	}
	training := run.Track.LossEWMA.Mean - o.Loss
	if !finite(training) {
		r.Notes = note(r.Notes, "the running training loss has changed by no finite number")
		return false
	}
	d.Loss = training
	if len(w.Epochs) == 0 || !o.Measured {
		return true
	}
	loss, accuracy, ok := heldOut(run)
	if !ok || !finite(loss-o.HeldOut) {
		r.Notes = note(r.Notes, "a held-out loss is not a finite number; the difference is that of the running training loss")
		return false
	}
	r.HeldOut, d.Loss = true, loss-o.HeldOut
	d.Extra = []leyline.Extra{{Name: "accuracy", Value: accuracy - o.Accuracy}, {Name: "running_loss", Value: training}}
	return true
}

// judged applies the rule to a report that is measured.
func judged(r *leyline.FieldReport, critical bool) leyline.ReportOutcome {
	switch {
	case !leyline.Judged(r.Closure):
		return leyline.ReportAborted
	case critical:
		return leyline.ReportRegression
	case r.Kind == leyline.CommandPause, r.Delta.Loss == 0:
		return leyline.ReportNeutral
	case r.Delta.Loss > 0:
		return leyline.ReportRegression
	}
	return leyline.ReportSuccess
}

// critical reports whether a command was issued because the run was in trouble
// already.
func critical(why leyline.RiskReason) bool {
	switch why {
	case leyline.RiskQuarantine, leyline.RiskHandling, leyline.RiskHazardCritical, leyline.RiskLossSpike, leyline.RiskIsolation, leyline.RiskHook:
		return true
	}
	return false
}

// heldOut returns the means over the tasks of the last held-out evaluation; false
// when there was none, or its losses are no finite numbers.
func heldOut(run *projections.Run) (loss, accuracy float64, ok bool) {
	k := &run.Track
	if len(k.EpochLosses) == 0 {
		return 0, 0, false
	}
	if loss = mean(k.EpochLosses); !finite(loss) {
		return 0, 0, false
	}
	return loss, mean(k.Accuracies), true
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

func mean(xs []float64) float64 { return detmath.Sum(xs) / float64(len(xs)) }

func millis(ns uint64) float64 { return float64(ns) / float64(time.Millisecond) }

func note(notes, more string) string {
	if notes == "" {
		return more
	}
	return notes + "; " + more
}
