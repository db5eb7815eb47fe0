package telemetry

import "github.com/esper-plane/esper/leyline"

func (b *builder) snapshots(e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		b.at(leyline.SubsystemTolaria, x.Run).count(leyline.MetricSnapshotsTotal,
			text(keyRun, x.Run), name(keyTier, x.Tier))
	case leyline.SnapshotRefused:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameSnapshotRefused, leyline.LevelCritical,
			text(keyRun, x.Run), whole(keyStep, x.Step), text(keySnapshot, x.Snapshot), text(keyReason, x.Reason))
	}
}

func (b *builder) rollback(e leyline.Event) {
	switch x := e.(type) {
	case leyline.RollbackStarted:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameRollbackStarted, leyline.LevelCritical,
			text(keyRun, x.Run), text(keyRollback, x.Rollback), name(keyReason, x.Cause),
			whole(keyFaultStep, x.FaultStep), text(keySnapshot, x.Snapshot), whole(keyStep, x.ToStep),
			name(keyTier, x.Tier))
	case leyline.RollbackFinished:
		b.rollbackFinished(x)
	}
}

// rollbackFinished reports the end of a rollback. Anything but OK is a failure;
// a deadline was exceeded when it ended the rollback or was passed by a
// successful one.
func (b *builder) rollbackFinished(x leyline.RollbackFinished) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	run := text(keyRun, x.Run)
	ok := x.Outcome == leyline.OutcomeOK
	s.duration(leyline.MetricRollbackRestoreMs, x.CommitNs, run)
	s.duration(leyline.MetricRollbackTotalMs, x.TotalNs, run)
	if x.Outcome == leyline.OutcomeDeadline || ok && !x.WithinSLA {
		s.count(leyline.MetricRollbackDeadline, run)
	}
	attrs := []leyline.Attr{
		run, text(keyRollback, x.Rollback), name(keyOutcome, x.Outcome), name(keyReason, x.Reason),
		text(keySnapshot, x.Snapshot), whole(keyStep, x.Step), whole(keyIncarnation, x.Incarnation),
		boolean(keyWithinSLA, x.WithinSLA), took(x.TotalNs),
	}
	if ok {
		s.place(x.Step, x.Incarnation, run)
		s.event(leyline.NameRollbackRestored, leyline.LevelWarning, attrs...)
		return
	}
	s.count(leyline.MetricRollbackFailures, run, name(keyReason, x.Reason))
	s.event(leyline.NameRollbackFailed, leyline.LevelCritical, attrs...)
}

func (b *builder) emergency(e leyline.Event) {
	switch x := e.(type) {
	case leyline.EmergencyEscalated:
		level := either(x.To >= leyline.EmergencyConservative, leyline.LevelCritical, leyline.LevelWarning)
		b.emergencyMoved(x.Run, x.From, x.To, x.Reason, leyline.NameEmergencyEscalated, level)
	case leyline.EmergencyCleared:
		b.emergencyMoved(x.Run, x.From, x.To, x.Reason, leyline.NameEmergencyCleared, leyline.LevelInfo)
	case leyline.EmergencyHeld:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameEmergencyHeld, leyline.LevelWarning,
			text(keyRun, x.Run), name(keyLevel, x.Level), name(keyUntil, x.Until))
	case leyline.EmergencyPublished:
		b.emergencyPublished(x)
	}
}

func (b *builder) emergencyMoved(id leyline.RunID, from, to leyline.EmergencyLevel, why leyline.FaultReason,
	what leyline.EventName, level leyline.Level) {
	s := b.at(leyline.SubsystemTolaria, id)
	run := text(keyRun, id)
	s.metric(leyline.MetricEmergencyLevel, float64(to), run)
	s.event(what, level, run, name(keyFrom, from), name(keyTo, to), name(keyReason, why))
}

func (b *builder) emergencyPublished(x leyline.EmergencyPublished) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	level := name(keyLevel, x.Level)
	if x.Outcome == leyline.OutcomeOK {
		s.count(leyline.MetricEmergencyBroadcasts, level)
		s.duration(leyline.MetricEmergencyBroadcastMs, x.TookNs, level)
		return
	}
	s.count(leyline.MetricEmergencyUnsent, level)
	what := leyline.NameEmergencyDispatch
	if x.Outcome == leyline.OutcomeDeadline {
		what = leyline.NameDispatchTimeout
	}
	s.event(what, leyline.LevelCritical,
		name(keyRequest, x.Effect), level, name(keyOutcome, x.Outcome),
		text(keyReason, x.Reason), took(x.TookNs))
}
