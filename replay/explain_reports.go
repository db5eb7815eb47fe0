package replay

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// reportWords tells what becomes of field reports.
func reportWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.FieldReportOpened:
		return fmt.Sprintf("command %s is in force: report %s watches it for %d epochs", x.Command, x.Report, x.WindowEpochs)
	case leyline.FieldReportMeasured:
		return fmt.Sprintf("%d steps within windows of reports took %.4g ms to finalise", x.Steps, x.FinalizeMs)
	case leyline.FieldReportFiled:
		r := &x.Report
		return fmt.Sprintf("report %s on command %s: %s, closed by %s after %d of %d epochs, loss %+.4g%s, %d follow-ups", r.Report, r.Command, r.Outcome,
			r.Closure, r.Epochs, r.WindowEpochs, r.Delta.Loss, when(r.HeldOut, " held out", " in training"), len(r.FollowUps))
	case leyline.FieldReportDelivered:
		return fmt.Sprintf("report %s is delivered with attempt %d in %s", x.Report, x.Attempts, took(x.TookNs))
	case leyline.FieldReportDeferred:
		return because(fmt.Sprintf("report %s was not delivered (attempt %d, %s) and is sent again at %s", x.Report, x.Attempts, x.Outcome, x.Due), x.Reason)
	case leyline.FieldReportRetried:
		return fmt.Sprintf("report %s is sent again, attempt %d", x.Report, x.Attempts)
	case leyline.FieldReportDropped:
		return because(fmt.Sprintf("the delivery of report %s is given up after %d attempts", x.Report, x.Attempts), x.Reason)
	}
	return ""
}

// reportFigures are those of what came of an attempt at a report.
func reportFigures(r leyline.Record) []Figure {
	switch x := r.Input.(type) {
	case leyline.ReportDelivered:
		return []Figure{fig("took", "%s", took(x.TookNs))}
	case leyline.ReportFailed:
		return problem([]Figure{fig("took", "%s", took(x.TookNs))}, x.Reason)
	}
	return nil
}
