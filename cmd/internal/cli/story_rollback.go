package cli

import "github.com/esper-plane/esper/leyline"

// rollbackStory is one fault from its first bad step to the first good one
// after it: in four parts, each from the times of records alone. A part that
// did not happen, or whose beginning no record tells, is nil.
type rollbackStory struct {
	ID        leyline.RollbackID  `json:"id"` // of the last attempt
	Cause     leyline.FaultReason `json:"cause"`
	FaultStep leyline.Step        `json:"fault_step"`
	ToStep    leyline.Step        `json:"to_step"`
	Outcome   leyline.Outcome     `json:"outcome"` // of the last attempt
	Saved     leyline.Digest      `json:"digest_saved"`
	Restored  leyline.Digest      `json:"digest_restored"`
	Attempts  []attempt           `json:"attempts"`
	DetectMs  *float64            `json:"detect_ms"`     // the first bad step was reported -> rollback started
	DecideMs  *float64            `json:"decide_ms"`     // -> snapshot chosen, read, its bytes verified
	RestoreMs *float64            `json:"restore_ms"`    // -> the trainer has restored it
	GoodMs    *float64            `json:"first_good_ms"` // -> the first good step
	GoodStep  leyline.Step        `json:"first_good_step"`
	BudgetMs  *float64            `json:"sla_ms"`   // nil while its clock stands still
	SpentMs   *float64            `json:"spent_ms"` // of the budget, over every attempt
	WithinSLA bool                `json:"within_sla"`
	Resumed   bool                `json:"completed_by_resume"` // the process died within it
	ResumeMs  *float64            `json:"resume_ms"`           // in place of restore: until the run was resumed
	Died      string              `json:"died_in,omitempty"`   // the part in which the process died
	since     leyline.Instant
	started   leyline.Instant
	decided   leyline.Instant
	finished  leyline.Instant // or resumed
	records   rollbackRecords
}

// rollbackRecords are where a rollback's turning points lie in the log.
type rollbackRecords struct{ started, decided, finished, good leyline.Seq }

// attempt is one try of a rollback.
type attempt struct {
	Seq     leyline.Seq         `json:"seq"`
	ID      leyline.RollbackID  `json:"id"`
	ToStep  leyline.Step        `json:"to_step"`
	Outcome leyline.Outcome     `json:"outcome"`
	Reason  leyline.FaultReason `json:"reason"`
}

func (s *story) rollbacks(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RollbackStarted:
		s.started(r, x)
	case leyline.RollbackAdvanced:
		if b := s.rollback(x.Rollback); x.Phase == leyline.PhaseCommit {
			b.decided, b.records.decided = r.At, r.Seq
			b.DecideMs = between(b.started, r.At)
		}
	case leyline.RollbackFinished:
		s.finished(r, x)
	case leyline.PlaneBooted:
		if n := len(s.Rollbacks); n > 0 {
			s.Rollbacks[n-1].died()
		}
	case leyline.RunResumed:
		if x.Run == s.run {
			s.resumed(r, x)
		}
	case leyline.TrainingAssessed:
		if x.FirstGood != "" {
			b := s.rollback(x.FirstGood)
			b.GoodMs, b.GoodStep, b.records.good = between(b.finished, r.At), x.Step, r.Seq
			s.beat(r, "first good step %d after %s", x.Step, x.FirstGood)
		}
	}
}

// resumed ends a rollback that its process did not.
func (s *story) resumed(r leyline.Record, x leyline.RunResumed) {
	s.undo(x.Snapshot, "the resume")
	s.Series.mark(markResumed, x.Step)
	if x.Rollback == "" {
		return
	}
	b := s.rollback(x.Rollback)
	b.Resumed, b.ToStep = true, x.Step
	b.finished, b.records.finished = r.At, r.Seq
	b.ResumeMs, b.SpentMs = between(max(b.started, b.decided), r.At), between(b.since, r.At)
}

// died notes in which part of a rollback a process ended: the next one has
// started.
func (b *rollbackStory) died() {
	switch {
	case b.Outcome != leyline.OutcomeUnspecified || b.Died != "":
	case b.decided == 0:
		b.Died = partDecide
	default:
		b.Died = partRestore
	}
}

// started begins a rollback, or the next attempt of one whose bytes were not
// what they should be.
func (s *story) started(r leyline.Record, x leyline.RollbackStarted) {
	s.Series.mark(markRollback, x.FaultStep)
	s.beat(r, "CRITICAL step %d is %s: rolling back to step %d", x.FaultStep, x.Cause, x.ToStep)
	if n := len(s.Rollbacks); n == 0 || !s.Rollbacks[n-1].goesOn(x) {
		s.Rollbacks = append(s.Rollbacks, rollbackStory{
			Cause: x.Cause, FaultStep: x.FaultStep, since: x.Since, started: r.At, DetectMs: between(x.Seen, r.At),
			records: rollbackRecords{started: r.Seq},
		})
	}
	b := &s.Rollbacks[len(s.Rollbacks)-1]
	b.ID, b.ToStep, b.Outcome, b.Saved = x.Rollback, x.ToStep, leyline.OutcomeUnspecified, s.saved[x.Snapshot].digest
	b.Attempts = append(b.Attempts, attempt{Seq: r.Seq, ID: x.Rollback, ToStep: x.ToStep})
	if x.Deadline != 0 { // its clock may stand still after a restart
		b.BudgetMs = between(x.Since, x.Deadline)
	}
}

// goesOn reports whether a rollback that starts is the next attempt of one that
// failed.
func (b *rollbackStory) goesOn(x leyline.RollbackStarted) bool {
	return b.Outcome == leyline.OutcomeFailed && b.FaultStep == x.FaultStep && b.since == x.Since && b.finished != 0
}

func (s *story) finished(r leyline.Record, x leyline.RollbackFinished) {
	b := s.rollback(x.Rollback)
	b.Outcome, b.Restored, b.WithinSLA = x.Outcome, x.Digest, x.WithinSLA
	b.finished, b.records.finished = r.At, r.Seq
	b.SpentMs = between(b.since, r.At)
	if n := len(b.Attempts); n > 0 {
		b.Attempts[n-1].Outcome, b.Attempts[n-1].Reason = x.Outcome, x.Reason
	}
	if x.Outcome != leyline.OutcomeOK {
		s.beat(r, "rollback %s ended after %.2f ms: %s (%s)", x.Rollback, ms(x.TotalNs), x.Outcome, x.Reason)
		return
	}
	if b.decided != 0 {
		b.RestoreMs = between(b.decided, r.At)
	}
	s.undo(x.Snapshot, string(x.Rollback))
	s.last = x.Step
	s.beat(r, "rollback %s ok in %.2f ms: back at step %d, incarnation %d", x.Rollback, ms(x.TotalNs), x.Step, x.Incarnation)
}

// rollback finds a rollback by the id of its last attempt. A story that begins
// in the middle of one knows nothing of it: what is told of it then is dropped.
func (s *story) rollback(id leyline.RollbackID) *rollbackStory {
	for i := len(s.Rollbacks) - 1; i >= 0; i-- {
		if s.Rollbacks[i].ID == id {
			return &s.Rollbacks[i]
		}
	}
	return &rollbackStory{}
}

// between is the time from one instant to another in milliseconds, or nil when
// one of them is not known.
func between(from, to leyline.Instant) *float64 {
	if from == 0 || to == 0 {
		return nil
	}
	d := msBetween(from, to)
	return &d
}
