package telemetry

import "github.com/esper-plane/esper/leyline"

func (b *builder) snapshots(e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		s := b.at(leyline.SubsystemTolaria, x.Run)
		s.count(leyline.MetricSnapshotsTotal, text(keyRun, x.Run), name(keyTier, x.Tier))
		s.fastBytes(x.Tier, x.FastBytes)
	case leyline.SnapshotRefused:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameSnapshotRefused, lossOf(x.Tier),
			text(keyRun, x.Run), whole(keyStep, x.Step), text(keySnapshot, x.Snapshot), name(keyTier, x.Tier), text(keyReason, x.Reason))
	case leyline.SnapshotEvicted:
		b.evicted(x)
	}
}

// lossOf is how bad the loss of a copy is. Without one in the full tier there is
// less to fall back to.
func lossOf(t leyline.Tier) leyline.Level {
	return either(t == leyline.TierFast, leyline.LevelWarning, leyline.LevelCritical)
}

// fastBytes reports what the fast tier holds when that has changed.
func (s *section) fastBytes(t leyline.Tier, held uint64) {
	if t == leyline.TierFast {
		s.metric(leyline.MetricFastBytes, float64(held))
	}
}

// evicted reports what was given up for a reason that nobody had planned.
func (b *builder) evicted(x leyline.SnapshotEvicted) {
	s := b.at(leyline.SubsystemTolaria, x.Run)
	s.fastBytes(x.Tier, x.FastBytes)
	level := lossOf(x.Tier)
	switch x.Why {
	case leyline.EvictOrphaned:
		level = leyline.LevelWarning
	case leyline.EvictLost:
	default:
		return
	}
	s.event(leyline.NameSnapshotLost, level, text(keyRun, x.Run), text(keySnapshot, x.Snapshot), name(keyTier, x.Tier),
		text(keyFile, x.File), name(keyReason, x.Why), text(keyDetails, x.Detail))
}

func (b *builder) rollback(e leyline.Event) {
	switch x := e.(type) {
	case leyline.RollbackStarted:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameRollbackStarted, leyline.LevelCritical,
			text(keyRun, x.Run), text(keyRollback, x.Rollback), name(keyReason, x.Cause),
			whole(keyFaultStep, x.FaultStep), text(keySnapshot, x.Snapshot), whole(keyStep, x.ToStep),
			name(keyTier, x.Tier))
	case leyline.RollbackAdvanced:
		if x.Left != leyline.PhaseUnspecified {
			b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameFastGivenUp, leyline.LevelWarning,
				text(keyRun, x.Run), text(keyRollback, x.Rollback), name(keyPhase, x.Left), name(keyReason, x.Reason))
		}
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
	if ok && x.Tier == leyline.TierFast {
		s.count(leyline.MetricFastHits, run)
	} else {
		s.count(leyline.MetricFastMisses, run)
	}
	if x.Outcome == leyline.OutcomeDeadline || ok && !x.WithinSLA {
		s.count(leyline.MetricRollbackDeadline, run)
	}
	attrs := []leyline.Attr{
		run, text(keyRollback, x.Rollback), name(keyOutcome, x.Outcome), name(keyReason, x.Reason),
		text(keySnapshot, x.Snapshot), whole(keyStep, x.Step), name(keyTier, x.Tier), name(keyPhase, x.Overran),
		whole(keyIncarnation, x.Incarnation),
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
