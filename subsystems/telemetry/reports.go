package telemetry

import "github.com/esper-plane/esper/leyline"

// reports says what becomes of field reports. How many are on their way is told
// with every change.
func (b *builder) reports(e leyline.Event) {
	switch x := e.(type) {
	case leyline.FieldReportFiled:
		b.onTheirWay(x.Run, x.Fill).event(leyline.NameReportSynthesised, leyline.LevelInfo, text(keyRun, x.Run),
			text(keyReport, x.Report.Report), text(keyCommand, x.Report.Command), name(keyOutcome, x.Report.Outcome), name(keyCause, x.Report.Closure))
	case leyline.FieldReportDelivered:
		b.onTheirWay(x.Run, x.Fill).count(leyline.MetricReportsPublished, text(keyRun, x.Run))
	case leyline.FieldReportDeferred:
		b.onTheirWay(x.Run, x.Fill)
	case leyline.FieldReportRetried:
		s := b.onTheirWay(x.Run, x.Fill)
		s.count(leyline.MetricReportsRetries, text(keyRun, x.Run))
		s.event(leyline.NameReportRetry, leyline.LevelWarning, text(keyRun, x.Run), text(keyReport, x.Report), whole(keyRetries, x.Attempts-1))
	case leyline.FieldReportDropped:
		s := b.onTheirWay(x.Run, x.Fill)
		s.count(leyline.MetricReportsDropped, text(keyRun, x.Run))
		s.event(leyline.NameReportDrop, leyline.LevelWarning,
			text(keyRun, x.Run), text(keyReport, x.Report), whole(keyRetries, max(x.Attempts, 1)-1), text(keyReason, x.Reason))
	}
}

func (b *builder) onTheirWay(run leyline.RunID, fill leyline.ReportFill) *section {
	s := b.at(leyline.SubsystemTamiyo, run)
	s.metric(leyline.MetricReportsPending, float64(fill.Pending))
	s.metric(leyline.MetricReportsRetryBacklog, float64(fill.Backlog))
	return s
}

// proposalRejected says that a command was declined which the policy asked for. One
// that has not proven who sent it may only claim that.
func (b *builder) proposalRejected(x leyline.CommandRejected) {
	if x.Issuer != leyline.IssuerTamiyo || !leyline.Authentic(x.Reason) {
		return
	}
	b.at(leyline.SubsystemTamiyo, x.Run).event(leyline.NameTamiyoCommandRejected, leyline.LevelWarning,
		text(keyRun, x.Run), text(keyCommand, x.Command), name(keyKind, x.Kind), name(keyOperation, x.Operation), text(keySeed, x.Seed),
		name(keyReason, x.Reason), text(keyDetails, x.Detail))
}
