package telemetry

import "github.com/esper-plane/esper/leyline"

// sources says whose decision an event is. A refusal names its own subsystem.
var sources = [...]leyline.Subsystem{
	leyline.EventPlaneBooted:          leyline.SubsystemPlane,
	leyline.EventEffectRecovered:      leyline.SubsystemPlane,
	leyline.EventConfigAdopted:        leyline.SubsystemPlane,
	leyline.EventKeyEnrolled:          leyline.SubsystemPlane,
	leyline.EventBlueprintAdmitted:    leyline.SubsystemPlane,
	leyline.EventRunStarted:           leyline.SubsystemTolaria,
	leyline.EventRunResumed:           leyline.SubsystemTolaria,
	leyline.EventRunEnded:             leyline.SubsystemTolaria,
	leyline.EventRunHalted:            leyline.SubsystemTolaria,
	leyline.EventGradientsCombined:    leyline.SubsystemTolaria,
	leyline.EventTrainingAssessed:     leyline.SubsystemTolaria,
	leyline.EventEpochAssessed:        leyline.SubsystemTolaria,
	leyline.EventConservativeEntered:  leyline.SubsystemTamiyo,
	leyline.EventConservativeLeft:     leyline.SubsystemTamiyo,
	leyline.EventRiskAssessed:         leyline.SubsystemTamiyo,
	leyline.EventActionNone:           leyline.SubsystemTamiyo,
	leyline.EventCommandProposed:      leyline.SubsystemTamiyo,
	leyline.EventCommandVerified:      leyline.SubsystemKasmina,
	leyline.EventCommandRejected:      leyline.SubsystemKasmina,
	leyline.EventCommandSettled:       leyline.SubsystemKasmina,
	leyline.EventCommandExpired:       leyline.SubsystemKasmina,
	leyline.EventGateEvaluated:        leyline.SubsystemKasmina,
	leyline.EventSeedMoved:            leyline.SubsystemKasmina,
	leyline.EventBlendConfigured:      leyline.SubsystemKasmina,
	leyline.EventBlendStepped:         leyline.SubsystemKasmina,
	leyline.EventIsolationAssessed:    leyline.SubsystemKasmina,
	leyline.EventPrefetchRequested:    leyline.SubsystemKasmina,
	leyline.EventPrefetchSettled:      leyline.SubsystemKasmina,
	leyline.EventSnapshotRegistered:   leyline.SubsystemTolaria,
	leyline.EventSnapshotRefused:      leyline.SubsystemTolaria,
	leyline.EventSnapshotEvicted:      leyline.SubsystemTolaria,
	leyline.EventRollbackStarted:      leyline.SubsystemTolaria,
	leyline.EventRollbackAdvanced:     leyline.SubsystemTolaria,
	leyline.EventRollbackFinished:     leyline.SubsystemTolaria,
	leyline.EventEmergencyEscalated:   leyline.SubsystemTolaria,
	leyline.EventEmergencyCleared:     leyline.SubsystemTolaria,
	leyline.EventEmergencyPublished:   leyline.SubsystemTolaria,
	leyline.EventContributionMeasured: leyline.SubsystemKasmina,
	leyline.EventPolicyAsked:          leyline.SubsystemTamiyo,
	leyline.EventPolicyMissed:         leyline.SubsystemTamiyo,
	leyline.EventTrainerStalled:       leyline.SubsystemTolaria,
	leyline.EventTrainerReturned:      leyline.SubsystemTolaria,
	leyline.EventDiskLow:              leyline.SubsystemPlane,
	leyline.EventDiskRecovered:        leyline.SubsystemPlane,
	leyline.EventCompileFellBack:      leyline.SubsystemKasmina,
	leyline.EventBreakerMoved:         leyline.SubsystemKasmina,
	leyline.EventProfileRecorded:      leyline.SubsystemTolaria,
	leyline.EventEpochFailed:          leyline.SubsystemTolaria,
	leyline.EventRateSet:              leyline.SubsystemTolaria,
	leyline.EventRateAcked:            leyline.SubsystemTolaria,
	leyline.EventOptimizerRebuild:     leyline.SubsystemTolaria,
	leyline.EventEmergencyDispatched:  leyline.SubsystemTolaria,
	leyline.EventEmergencyHeld:        leyline.SubsystemTolaria,
	leyline.EventSeedFailed:           leyline.SubsystemKasmina,
	leyline.EventKeyWithdrawn:         leyline.SubsystemPlane,
	leyline.EventCommandsRefused:      leyline.SubsystemKasmina,
	leyline.EventClockAlarmed:         leyline.SubsystemPlane,
	leyline.EventParametersRegistered: leyline.SubsystemKasmina,
	leyline.EventRegistryConflicted:   leyline.SubsystemKasmina,
	leyline.EventTeacherEnrolled:      leyline.SubsystemKasmina,
	leyline.EventTeacherForgotten:     leyline.SubsystemKasmina,
	leyline.EventRegistryReset:        leyline.SubsystemKasmina,
	leyline.EventSeedPaused:           leyline.SubsystemKasmina,
	leyline.EventSeedResumed:          leyline.SubsystemKasmina,
	leyline.EventRatesScaled:          leyline.SubsystemTolaria,
	leyline.EventPolicyWeighed:        leyline.SubsystemTamiyo,
	leyline.EventWindowEnded:          leyline.SubsystemTamiyo,
	leyline.EventBlueprintRetired:     leyline.SubsystemPlane,
	leyline.EventPrefetchLate:         leyline.SubsystemKasmina,
	leyline.EventPrefetchesCancelled:  leyline.SubsystemKasmina,
	leyline.EventEmergencyCleaned:     leyline.SubsystemKasmina,
	leyline.EventFieldReportOpened:    leyline.SubsystemTamiyo,
	leyline.EventFieldReportFiled:     leyline.SubsystemTamiyo,
	leyline.EventFieldReportDelivered: leyline.SubsystemTamiyo,
	leyline.EventFieldReportDeferred:  leyline.SubsystemTamiyo,
	leyline.EventFieldReportRetried:   leyline.SubsystemTamiyo,
	leyline.EventFieldReportDropped:   leyline.SubsystemTamiyo,

	leyline.EventMetadataAsked:         leyline.SubsystemTamiyo,
	leyline.EventMetadataSettled:       leyline.SubsystemTamiyo,
	leyline.EventMetadataMissed:        leyline.SubsystemTamiyo,
	leyline.EventPolicyRefused:         leyline.SubsystemTamiyo,
	leyline.EventAnswerLate:            leyline.SubsystemTamiyo,
	leyline.EventConservativeRefreshed: leyline.SubsystemTamiyo,
	leyline.EventBudgetLearned:         leyline.SubsystemTamiyo,
	leyline.EventFieldReportMeasured:   leyline.SubsystemTamiyo,
	leyline.EventPolicyAdmitted:        leyline.SubsystemPlane,
	leyline.EventPolicyRequested:       leyline.SubsystemTamiyo,
	leyline.EventPolicyActivated:       leyline.SubsystemTamiyo,
	leyline.EventPolicyReverted:        leyline.SubsystemTamiyo,
	leyline.EventPolicyConfirmed:       leyline.SubsystemTamiyo,
	leyline.EventPolicyRejected:        leyline.SubsystemTamiyo,
	leyline.EventWeightsMismatched:     leyline.SubsystemTolaria,
	leyline.EventStepOvertaken:         leyline.SubsystemTolaria,
}

// Source returns the subsystem that decided an event. A refusal without a
// known subsystem is the plane's; a breaker is that of whoever asks it.
func Source(e leyline.Event) leyline.Subsystem {
	if x, ok := e.(leyline.DependencyViolated); ok {
		if s := x.Refusal.Subsystem; s.Validate() == nil {
			return s
		}
		return leyline.SubsystemPlane
	}
	if x, ok := e.(leyline.BreakerMoved); ok {
		switch x.Breaker {
		case leyline.BreakerInference, leyline.BreakerMetadata:
			return leyline.SubsystemTamiyo
		case leyline.BreakerEpochs, leyline.BreakerOptimizer:
			return leyline.SubsystemTolaria
		}
	}
	if k := e.EventKind(); int(k) < len(sources) {
		return sources[k]
	}
	return leyline.SubsystemUnknown
}

// Packets computes the telemetry of a record, at most one packet per
// subsystem. It is pure; the packets share no memory with the record but
// strings. The package comment says what is promised of them.
func Packets(r leyline.Record) []leyline.Packet {
	b := builder{in: r.Input, now: r.At}
	if !refused(r.Events) {
		b.measured(r.Input)
	}
	for i, e := range r.Events {
		b.event(leyline.EffectID{Seq: r.Seq, Index: uint16(i)}, e)
	}
	return b.packets(r)
}

func refused(events []leyline.Event) bool {
	for _, e := range events {
		if e.EventKind() == leyline.EventDependencyViolated {
			return true
		}
	}
	return false
}

// highest returns the highest level among events, INFO without any.
func highest(events []leyline.TelemetryEvent) leyline.Level {
	level := leyline.LevelInfo
	for i := range events {
		level = max(level, events[i].Level)
	}
	return level
}

// section is the part of a record's telemetry that belongs to one subsystem.
type section struct {
	metrics []leyline.Metric
	events  []leyline.TelemetryEvent
	run     leyline.RunID // Invariant: empty unless all events so far agree on it
	used    bool
}

// metric adds a value in the unit of the catalogue.
func (s *section) metric(name leyline.MetricName, value float64, attrs ...leyline.Attr) {
	row, _ := leyline.DescribeMetric(name)
	s.metrics = append(s.metrics, leyline.Metric{Name: name, Value: value, Unit: row.Unit, Attrs: attrs})
}

// count adds one occurrence to a counter.
func (s *section) count(name leyline.MetricName, attrs ...leyline.Attr) {
	s.metric(name, 1, attrs...)
}

// duration adds a measured duration unless it was not measured.
func (s *section) duration(name leyline.MetricName, ns uint64, attrs ...leyline.Attr) {
	if ns > 0 {
		s.metric(name, millis(ns), attrs...)
	}
}

func (s *section) event(name leyline.EventName, level leyline.Level, attrs ...leyline.Attr) {
	s.events = append(s.events, leyline.TelemetryEvent{Name: name, Level: level, Attrs: attrs})
}

// builder collects sections, indexed by subsystem.
type builder struct {
	in       leyline.Input
	now      leyline.Instant // of the record
	sections [leyline.SubsystemTrainer + 1]section
}

// at returns the section of a subsystem for something that concerns a run.
func (b *builder) at(source leyline.Subsystem, run leyline.RunID) *section {
	s := &b.sections[source]
	if !s.used {
		s.run, s.used = run, true
	} else if s.run != run {
		s.run = ""
	}
	return s
}

func (b *builder) event(id leyline.EffectID, e leyline.Event) {
	switch Source(e) {
	case leyline.SubsystemTolaria:
		b.training(e)
		b.trainer(e)
		b.pipelined(e)
		b.snapshots(e)
		b.rollback(e)
		b.emergency(e)
		b.epochs(e)
		b.rates(e)
		b.rebuild(e)
	case leyline.SubsystemTamiyo:
		b.policy(e)
		b.reports(e)
		b.artifacts(e)
	case leyline.SubsystemKasmina:
		b.commands(e)
		b.verifier(e)
		b.seeds(e)
		b.isolation(e)
		b.failedSeed(e)
		b.contribution(e)
		b.compile(e)
		b.prefetch(id, e)
		b.registry(e)
		b.kernels(e)
	case leyline.SubsystemPlane:
		b.plane(e)
		b.artifacts(e)
		b.trust(e)
	}
	if x, ok := e.(leyline.DependencyViolated); ok {
		b.violation(Source(e), x)
	}
}

func (b *builder) packets(r leyline.Record) []leyline.Packet {
	var out []leyline.Packet
	for i := range b.sections {
		s := &b.sections[i]
		if len(s.metrics) == 0 && len(s.events) == 0 {
			continue
		}
		run := r.Run
		if run == "" {
			run = s.run
		}
		level := highest(s.events)
		out = append(out, leyline.Packet{
			Seq: r.Seq, At: r.At, Run: run, Source: leyline.Subsystem(i),
			Level: level, Priority: leyline.PriorityOf(level), Metrics: s.metrics, Events: s.events,
		})
	}
	return out
}
