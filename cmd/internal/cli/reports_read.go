package cli

import (
	"errors"
	"fmt"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/reports"
)

// reportRows reads the reports of a log, in the order of filing, and what of the log
// could not be read: stretches of bytes, and whole records that mean nothing.
func reportRows(dir string) (rows []reportRow, damage []error, err error) {
	at := map[leyline.CommandID]int{}
	for e, err := range eventlog.Rescue(dir) {
		var d *eventlog.DamageError
		switch {
		case errors.As(err, &d):
			damage = append(damage, d)
			continue
		case err != nil:
			return nil, nil, err
		case e.Kind != eventlog.KindTransition:
			continue
		}
		r, err := wire.DecodeRecord(leyline.Seq(e.Seq), leyline.Instant(e.At), e.Payload)
		if err != nil {
			damage = append(damage, fmt.Errorf("record %d: %w", e.Seq, err))
			continue
		}
		for _, event := range r.Events {
			rows = noteReport(rows, at, r, event)
		}
	}
	return rows, damage, nil
}

// noteReport adds a report that is filed, and notes how far the delivery of one has come.
// Of one whose filing could not be read there is nothing to note.
func noteReport(rows []reportRow, at map[leyline.CommandID]int, r leyline.Record, e leyline.Event) []reportRow {
	note := func(id leyline.CommandID, status leyline.ReportStatus, attempts uint32) {
		if i, ok := at[id]; ok {
			rows[i].Delivery, rows[i].Attempts = status.String(), attempts
		}
	}
	switch x := e.(type) {
	case leyline.FieldReportFiled:
		row := reportRow{Record: r.Seq, FiledAt: r.At, Delivery: leyline.ReportKept.String(), Document: reports.Of(&x.Report), issued: x.Report.IssuedAt}
		if x.Deliver {
			row.Delivery, row.Attempts = leyline.ReportSending.String(), 1
		}
		at[x.Report.Report] = len(rows)
		return append(rows, row)
	case leyline.FieldReportDelivered:
		note(x.Report, leyline.ReportHandedOver, x.Attempts)
	case leyline.FieldReportDeferred:
		note(x.Report, leyline.ReportWaiting, x.Attempts)
	case leyline.FieldReportRetried:
		note(x.Report, leyline.ReportSending, x.Attempts)
	case leyline.FieldReportDropped:
		note(x.Report, leyline.ReportGivenUp, x.Attempts)
	}
	return rows
}
