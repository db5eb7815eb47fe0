package sla

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Collector folds records into the rollbacks that they tell. The zero value is
// ready for the beginning of a log. Its memory grows with rollbacks and registered
// snapshots, not with steps.
type Collector struct {
	Run       leyline.RunID // only this run; empty: all
	Rollbacks []Rollback

	saved map[copyOf]leyline.SnapshotRegistered
}

type copyOf struct {
	run      leyline.RunID
	snapshot leyline.SnapshotID
}

// Begin takes over what was known before the first record, of a log that begins in
// the middle as a bundle does, and returns the position of that record. nil stands
// for the beginning of a log.
func (c *Collector) Begin(s *projections.State) leyline.Seq {
	if s == nil {
		return 1
	}
	for i := range s.Tolaria.Runs {
		r := &s.Tolaria.Runs[i]
		for j := range r.Snapshots {
			snap := &r.Snapshots[j]
			c.register(leyline.SnapshotRegistered{Run: r.ID, Snapshot: snap.ID, Bytes: snap.Bytes, Digest: snap.Digest, Check: snap.Check})
		}
	}
	return s.Seq + 1
}

// Add folds one record.
func (c *Collector) Add(r leyline.Record) {
	for _, e := range r.Events {
		c.Event(r, e)
	}
}

// Event folds one event of a record. Events of a record come in their order.
func (c *Collector) Event(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		c.register(x)
	case leyline.SnapshotEvicted:
		if x.Gone {
			delete(c.saved, copyOf{x.Run, x.Snapshot})
		}
	case leyline.PlaneBooted:
		for i := range c.Rollbacks {
			c.Rollbacks[i].died()
		}
	case leyline.RunResumed:
		c.resumed(r, x)
	case leyline.TrainingAssessed:
		if x.FirstGood != "" {
			b := c.find(x.Run, x.FirstGood)
			b.GoodMs, b.GoodStep, b.Records.Good = between(b.finished, r.At), x.Step, r.Seq
		}
	default:
		c.phases(r, e)
	}
}

func (c *Collector) register(x leyline.SnapshotRegistered) {
	if c.saved == nil {
		c.saved = map[copyOf]leyline.SnapshotRegistered{}
	}
	c.saved[copyOf{x.Run, x.Snapshot}] = x
}

func (c *Collector) phases(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RollbackStarted:
		if c.Run == "" || c.Run == x.Run {
			c.started(r, x)
		}
	case leyline.RollbackAdvanced:
		c.advanced(r, x)
	case leyline.RollbackFinished:
		c.finished(r, x)
	}
}

// started begins a rollback, or the next attempt of one.
func (c *Collector) started(r leyline.Record, x leyline.RollbackStarted) {
	if n := len(c.Rollbacks); n == 0 || !c.Rollbacks[n-1].goesOn(x) {
		c.Rollbacks = append(c.Rollbacks, Rollback{
			Run: x.Run, Cause: x.Cause, FaultStep: x.FaultStep, since: x.Since, started: r.At, DetectMs: between(x.Seen, r.At),
			Records: Places{Started: r.Seq},
		})
	}
	b := &c.Rollbacks[len(c.Rollbacks)-1]
	saved := c.saved[copyOf{x.Run, x.Snapshot}]
	b.ID, b.ToStep, b.Outcome, b.Reason, b.Tier = x.Rollback, x.ToStep, leyline.OutcomeUnspecified, leyline.FaultNone, x.Tier
	b.Saved, b.SavedCheck, b.Bytes = saved.Digest, saved.Check, saved.Bytes
	b.Attempts = append(b.Attempts, Attempt{Seq: r.Seq, ID: x.Rollback, ToStep: x.ToStep, Tier: x.Tier})
	if x.Deadline != 0 { // its clock may stand still after a restart
		b.BudgetMs, b.fullMs = between(x.Since, x.LevelBy), between(x.Since, x.Deadline)
	}
}

func (c *Collector) advanced(r leyline.Record, x leyline.RollbackAdvanced) {
	b := c.find(x.Run, x.Rollback)
	ended := leyline.PhasePrepare
	if x.Left != leyline.PhaseUnspecified {
		ended = x.Left
	}
	b.Phases = append(b.Phases, Phase{Seq: r.Seq, Phase: ended, Tier: b.Tier, Ms: float64(x.TookNs) / 1e6})
	b.Tier = x.Tier
	if x.Left != leyline.PhaseUnspecified {
		b.LeftFast, b.LeftWhy, b.BudgetMs = x.Left, x.Reason, b.fullMs
		b.decided, b.Records.Decided, b.DecideMs = 0, 0, nil
	}
	if x.Phase == leyline.PhaseCommit {
		b.decided, b.Records.Decided, b.DecideMs = r.At, r.Seq, between(b.started, r.At)
	}
}

func (c *Collector) finished(r leyline.Record, x leyline.RollbackFinished) {
	b := c.find(x.Run, x.Rollback)
	b.Outcome, b.Reason, b.Overran, b.Recorded = x.Outcome, x.Reason, x.Overran, x.WithinSLA
	b.Restored, b.RestoredCheck = x.Digest, x.Check
	b.finished, b.Records.Finished, b.SpentMs = r.At, r.Seq, between(b.since, r.At)
	if n := len(b.Attempts); n > 0 {
		b.Attempts[n-1].Outcome, b.Attempts[n-1].Reason = x.Outcome, x.Reason
	}
	if x.Outcome != leyline.OutcomeOK {
		return
	}
	b.Phases = append(b.Phases, Phase{Seq: r.Seq, Phase: leyline.PhaseCommit, Tier: b.Tier, Ms: float64(x.CommitNs) / 1e6})
	if b.decided != 0 {
		b.RestoreMs = between(b.decided, r.At)
	}
	b.WithinSLA = b.BudgetMs != nil && b.SpentMs != nil && *b.SpentMs <= *b.BudgetMs
}

// resumed ends a rollback that its process did not. Its service level is missed.
func (c *Collector) resumed(r leyline.Record, x leyline.RunResumed) {
	if x.Rollback == "" {
		return
	}
	b := c.find(x.Run, x.Rollback)
	b.Resumed, b.ToStep = true, x.Step
	b.finished, b.Records.Finished = r.At, r.Seq
	b.ResumeMs, b.SpentMs = between(max(b.started, b.decided), r.At), between(b.since, r.At)
}

// find returns a rollback by the id of its last attempt. A fold that begins in the
// middle of one knows nothing of it: what is told of it then is dropped.
func (c *Collector) find(run leyline.RunID, id leyline.RollbackID) *Rollback {
	for i := len(c.Rollbacks) - 1; i >= 0; i-- {
		if b := &c.Rollbacks[i]; b.Run == run && b.ID == id {
			return b
		}
	}
	return &Rollback{}
}
