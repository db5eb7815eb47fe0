package plane

import (
	"context"
	"errors"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/worker"
)

// Reports takes field reports: package subsystems/reports has sinks that do.
type Reports interface {
	// Deliver takes a report, or says why not; it is then called again, a bounded
	// number of times. A report may come more than once, always under the same id.
	// What was delivered of commands that were issued before keep may be deleted.
	// Calls for different reports may run at the same time.
	Deliver(ctx context.Context, r *leyline.FieldReport, keep leyline.Instant) error
}

var errNoReports = errors.New("this process was started without a sink of field reports")

// deliver hands a report to the sink on the shared worker, behind everything else
// there: no decision waits for it.
func (l *loop) deliver(f effect.Effect) {
	to := l.plane.opts.Reports
	l.submit(worker.Job{
		Name: "report " + f.ID.String(), Priority: worker.Background, Timeout: f.Within,
		Run: func(ctx context.Context) error {
			if to == nil {
				return errNoReports
			}
			return to.Deliver(ctx, f.Report, f.Keep)
		},
	}, &completion{effect: f})
}

// delivered records what came of an attempt at a report. One that the end of the
// process has broken off is nobody's failure: the next process makes it again.
func (l *loop) delivered(c *completion) {
	f, took := c.effect, uint64(c.outcome.Queued+c.outcome.Ran)
	switch c.outcome.State {
	case worker.Done:
		l.stamp(leyline.ReportDelivered{Request: f.ID, Run: f.Run, Report: f.Report.Report, TookNs: took}, nil)
	case worker.Cancelled:
		l.log.Debug("delivery of a field report broken off", "report", f.Report.Report)
	default:
		l.stamp(leyline.ReportFailed{
			Request: f.ID, Run: f.Run, Report: f.Report.Report, Outcome: outcomeOf(c.outcome), Reason: strings.ToValidUTF8(clip(c.outcome.Err), "?"), TookNs: took,
		}, nil)
	}
}
