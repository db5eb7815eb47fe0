package telemetry

import "github.com/esper-plane/esper/leyline"

// rates reports learning rates that were ordered and the word of the trainer on
// them. What it uses comes with its next report.
func (b *builder) rates(e leyline.Event) {
	switch x := e.(type) {
	case leyline.RateSet:
		b.at(leyline.SubsystemTolaria, x.Run).metric(leyline.MetricLearnRateEnabled, 1, text(keyRun, x.Run))
	case leyline.RatesScaled:
		b.at(leyline.SubsystemTolaria, x.Run).metric(leyline.MetricLearnRateScale, x.Factor, text(keyRun, x.Run))
	case leyline.RateAcked:
		if x.Outcome == leyline.OutcomeFailed || x.Outcome == leyline.OutcomeDeadline {
			b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameRatesUnset, leyline.LevelWarning,
				text(keyRun, x.Run), name(keyRequest, x.Order), name(keyOutcome, x.Outcome), text(keyReason, x.Reason), took(x.TookNs))
		}
	}
}
