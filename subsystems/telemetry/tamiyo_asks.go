package telemetry

import "github.com/esper-plane/esper/leyline"

// caution reports conservative mode.
func (b *builder) caution(e leyline.Event) {
	switch x := e.(type) {
	case leyline.ConservativeEntered:
		s, run := b.at(leyline.SubsystemTamiyo, x.Run), text(keyRun, x.Run)
		s.metric(leyline.MetricTamiyoConservative, 1, run)
		s.event(leyline.NameConservativeEntered, leyline.LevelWarning,
			run, whole(keyStep, x.Step), name(keyReason, x.Reason), name(keyBy, x.By), whole(keyWanted, x.Wanted))
	case leyline.ConservativeRefreshed:
		b.at(leyline.SubsystemTamiyo, x.Run).event(leyline.NameConservativeRefreshed, leyline.LevelWarning,
			text(keyRun, x.Run), whole(keyStep, x.Step), name(keyReason, x.Reason), name(keyPrevious, x.Previous), name(keyBy, x.By), whole(keyCount, x.Times))
	case leyline.ConservativeLeft:
		s, run := b.at(leyline.SubsystemTamiyo, x.Run), text(keyRun, x.Run)
		s.metric(leyline.MetricTamiyoConservative, 0, run)
		s.event(leyline.NameConservativeExited, leyline.LevelInfo,
			run, whole(keyStep, x.Step), whole(keyHealthy, x.Healthy), name(keyReason, x.Reason), name(keyPrevious, x.Previous), name(keyBy, x.By),
			number(keyLasted, millis(x.LastedNs)), whole(keyLastedSteps, x.LastedSteps))
	}
}

// asks reports what Tamiyo asks of the policy and of the catalogue, and what comes of it.
func (b *builder) asks(e leyline.Event) {
	switch x := e.(type) {
	case leyline.PolicyAsked:
		b.budget(leyline.MetricInferenceBudget, x.Run, x.Deadline)
	case leyline.MetadataAsked:
		b.budget(leyline.MetricMetadataBudget, x.Run, x.Deadline)
	case leyline.PolicyRefused:
		what := leyline.NamePolicyInvalid
		if x.Reason == leyline.RiskNoCandidates {
			what = leyline.NameNoSeedCandidates
		}
		b.at(leyline.SubsystemTamiyo, x.Run).event(what, leyline.LevelCritical, text(keyRun, x.Run), whole(keyStep, x.Step), name(keyRequest, x.Request),
			text(keyField, x.Refusal.Field), text(keyIdentifier, x.Refusal.Identifier), text(keyDetails, x.Refusal.Reason), took(x.TookNs))
	case leyline.MetadataSettled:
		s, run := b.at(leyline.SubsystemTamiyo, x.Run), text(keyRun, x.Run)
		s.duration(leyline.MetricMetadataMs, x.TookNs, run)
		s.event(leyline.NameMetadataSettled, leyline.LevelInfo, run, whole(keyStep, x.Step), name(keyRequest, x.Request), text(keyBlueprint, x.Facts.Blueprint),
			whole(keySerial, x.Facts.Serial), text(keyKey, x.Facts.Key), number(keyRisk, x.Facts.Risk), took(x.TookNs))
	case leyline.MetadataMissed:
		b.missedSheet(x)
	case leyline.AnswerLate:
		s, run, kind := b.at(leyline.SubsystemTamiyo, x.Run), text(keyRun, x.Run), name(keyKind, x.Effect)
		s.count(leyline.MetricAnswersLate, run, kind)
		s.event(leyline.NameAnswerLate, leyline.LevelWarning, run, kind, name(keyRequest, x.Request), name(keyOutcome, x.Outcome), took(x.TookNs))
	case leyline.BudgetLearned:
		b.at(leyline.SubsystemTamiyo, x.Run).event(leyline.NameBudgetLearned, leyline.LevelInfo, text(keyRun, x.Run), name(keyKind, x.Effect),
			number(keyOld, millis(x.OldNs)), number(keyNew, millis(x.NewNs)), number(keyMax, millis(x.MaxNs)), whole(keyCount, x.Samples))
	case leyline.BreakerMoved:
		b.askBreaker(x)
	}
}

// budget reports the time that a question has.
func (b *builder) budget(metric leyline.MetricName, run leyline.RunID, deadline leyline.Instant) {
	if d := deadline.Sub(b.now); d > 0 {
		b.at(leyline.SubsystemTamiyo, run).duration(metric, uint64(d), text(keyRun, run))
	}
}

// missedSheet reports a lookup that gave no facts: too late, or none that count.
func (b *builder) missedSheet(x leyline.MetadataMissed) {
	what := leyline.NameMetadataFailed
	if x.Outcome == leyline.OutcomeDeadline {
		what = leyline.NameMetadataTimeout
	}
	s, run := b.at(leyline.SubsystemTamiyo, x.Run), text(keyRun, x.Run)
	s.duration(leyline.MetricMetadataMs, x.TookNs, run)
	s.event(what, leyline.LevelCritical, run, whole(keyStep, x.Step), name(keyRequest, x.Request), text(keyBlueprint, x.Blueprint),
		name(keyFault, x.Fault), text(keyReason, x.Reason), took(x.TookNs))
}

// askBreaker reports every move of the breakers before the policy and the catalogue.
func (b *builder) askBreaker(x leyline.BreakerMoved) {
	state, failures := leyline.MetricInferenceBreaker, leyline.MetricInferenceFailures
	if x.Breaker == leyline.BreakerMetadata {
		state, failures = leyline.MetricMetadataBreaker, leyline.MetricMetadataFailures
	}
	s, run := b.at(leyline.SubsystemTamiyo, x.Run), text(keyRun, x.Run)
	s.metric(state, float64(x.To), run)
	s.metric(failures, float64(x.Failures), run)
	s.moved(leyline.NameBreaker, x)
}
