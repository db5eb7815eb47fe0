package cli

import (
	"github.com/esper-plane/esper/leyline"
)

// rollbacks tells of rollbacks as they go. What they took is told by package sla.
func (s *story) rollbacks(r leyline.Record, e leyline.Event) {
	s.falls.Event(r, e)
	switch x := e.(type) {
	case leyline.RollbackStarted:
		s.Series.mark(markRollback, x.FaultStep)
		s.beat(r, "CRITICAL step %d is %s: rolling back to step %d", x.FaultStep, x.Cause, x.ToStep)
	case leyline.RollbackAdvanced:
		if x.Left != leyline.PhaseUnspecified {
			s.beat(r, "rollback %s gives up the fast tier in phase %s: %s", x.Rollback, x.Left, x.Reason)
		}
	case leyline.RollbackFinished:
		s.finished(r, x)
	case leyline.RunResumed:
		if x.Run == s.run {
			s.undo(x.Snapshot, "the resume")
			s.Series.mark(markResumed, x.Step)
		}
	case leyline.TrainingAssessed:
		if x.FirstGood != "" {
			s.beat(r, "first good step %d after %s", x.Step, x.FirstGood)
		}
	}
}

func (s *story) finished(r leyline.Record, x leyline.RollbackFinished) {
	if x.Outcome != leyline.OutcomeOK {
		s.beat(r, "rollback %s ended after %.2f ms: %s (%s)", x.Rollback, ms(x.TotalNs), x.Outcome, x.Reason)
		return
	}
	s.undo(x.Snapshot, string(x.Rollback))
	s.last = x.Step
	s.beat(r, "rollback %s ok in %.2f ms: back at step %d, incarnation %d", x.Rollback, ms(x.TotalNs), x.Step, x.Incarnation)
}
