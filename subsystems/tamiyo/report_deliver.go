package tamiyo

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// delivered notes that every sink has taken a report.
func delivered(t *projections.Turn, x leyline.ReportDelivered) {
	f := t.State.Tamiyo.Reports.Filed(x.Report)
	fill := t.State.Tamiyo.Reports.Fill()
	fill.Pending--
	t.Emit(leyline.FieldReportDelivered{Run: x.Run, Report: x.Report, Attempts: f.Attempts + 1, TookNs: x.TookNs, Fill: fill})
}

// undelivered puts a report off that could not be delivered, or gives it up once
// it has been sent again as often as is configured.
func undelivered(t *projections.Turn, x leyline.ReportFailed) {
	book, c := &t.State.Tamiyo.Reports, &t.Config().Tamiyo
	failed, fill := book.Filed(x.Report).Attempts+1, book.Fill()
	if failed > c.ReportRetries {
		fill.Pending--
		t.Emit(leyline.FieldReportDropped{Run: x.Run, Report: x.Report, Attempts: failed, Reason: x.Reason, Fill: fill})
		return
	}
	fill.Backlog++
	t.Emit(leyline.FieldReportDeferred{
		Run: x.Run, Report: x.Report, Attempts: failed, Outcome: x.Outcome, Reason: x.Reason,
		Due: t.Meta.At.Add(c.ReportPause(failed)), Fill: fill,
	})
}

// sendAgain begins the next attempt at a report whose pause is over.
func sendAgain(t *projections.Turn, x leyline.TimerFired) {
	f := t.State.Tamiyo.Reports.Filed(leyline.CommandID(x.Subject))
	fill := t.State.Tamiyo.Reports.Fill()
	fill.Backlog--
	t.Emit(leyline.FieldReportRetried{Run: f.Run, Report: f.Report, Attempts: f.Attempts + 1, Fill: fill})
}

// expired lists the reports that leave the index: those that nothing more is done
// to deliver and whose command was issued longer ago than is kept.
func expired(t *projections.Turn) []leyline.CommandID {
	var out []leyline.CommandID
	keep := t.Meta.At.Add(-t.Config().Tamiyo.ReportRetention())
	index := t.State.Tamiyo.Reports.Index
	for i := range index {
		f := &index[i]
		crowded := len(index)-len(out) >= leyline.MaxReportsIndexed
		if f.Settled() && (f.IssuedAt < keep || crowded) && len(out) < leyline.MaxReportsExpired {
			out = append(out, f.Report)
		}
	}
	return out
}

// makeRoom gives the oldest delivery up when the index holds nothing but reports
// that are on their way.
func makeRoom(t *projections.Turn) {
	book := &t.State.Tamiyo.Reports
	if len(book.Index) < leyline.MaxReportsIndexed || slices.ContainsFunc(book.Index, func(f projections.Filed) bool { return f.Settled() }) {
		return
	}
	f, fill := book.Index[0], book.Fill()
	fill.Pending--
	if f.Status == leyline.ReportWaiting {
		fill.Backlog--
	}
	t.Emit(leyline.FieldReportDropped{Run: f.Run, Report: f.Report, Attempts: f.Attempts, Reason: "too many reports wait to be delivered", Fill: fill})
}
