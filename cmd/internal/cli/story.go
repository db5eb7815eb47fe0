package cli

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// story is what a log tells of one run: a pure fold over records, so that the
// summary of a resumed run covers all of its lives.
type story struct {
	run       leyline.RunID
	records   uint64
	last      leyline.Step
	Timeline  []beat
	Rollbacks []rollbackStory
	Accepted  uint64
	Rejected  uint64
	Answered  uint64
	Failed    uint64
	Combined  uint64              // steps that were given weights
	Conflicts uint64              // of these, with a conflict
	ratioSum  float64             // of the conflict ratio
	method    leyline.Aggregation // of the last step
	Packets   map[string]uint64
	Critical  []named
	Snapshots int            // registered
	Kept      []leyline.Step // of the snapshots that are left, ascending
	ratio     float64        // of the last step
	saved     map[leyline.SnapshotID]leyline.SnapshotRegistered
}

// beat is one thing on a run's timeline.
type beat struct {
	Seq  leyline.Seq  `json:"seq"`
	Step leyline.Step `json:"step"`
	Text string       `json:"text"`
}

// named counts something by name, in order of appearance.
type named struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// rollbackStory is one rollback from its fault to the first good step.
type rollbackStory struct {
	ID        leyline.RollbackID  `json:"id"`
	Cause     leyline.FaultReason `json:"cause"`
	FaultStep leyline.Step        `json:"fault_step"`
	ToStep    leyline.Step        `json:"to_step"`
	Outcome   leyline.Outcome     `json:"outcome"`
	Saved     leyline.Digest      `json:"digest_saved"`
	Restored  leyline.Digest      `json:"digest_restored"`
	PrepareMs float64             `json:"prepare_ms"`
	CommitMs  float64             `json:"commit_ms"`
	TotalMs   float64             `json:"total_ms"`
	GoodMs    float64             `json:"first_good_ms"`
	SLAMs     float64             `json:"sla_ms"`
	WithinSLA bool                `json:"within_sla"`
	Resumed   bool                `json:"completed_by_resume"` // the process died within it
	started   leyline.Instant
}

func newStory(run leyline.RunID) *story {
	return &story{run: run, Packets: map[string]uint64{}, saved: map[leyline.SnapshotID]leyline.SnapshotRegistered{}}
}

// add folds one record and returns the beats it added.
func (s *story) add(r leyline.Record) []beat {
	n := len(s.Timeline)
	s.records++
	s.telemetry(r)
	for _, e := range r.Events {
		s.training(r, e)
		s.seeds(r, e)
		s.commands(e)
		s.rollbacks(r, e)
		s.snapshots(e)
	}
	return s.Timeline[n:]
}

func (s *story) telemetry(r leyline.Record) {
	for _, p := range telemetry.Packets(r) {
		s.Packets[p.Priority.String()]++
		for _, e := range p.Events {
			if e.Level == leyline.LevelCritical {
				s.critical(string(e.Name))
			}
		}
	}
}

func (s *story) critical(name string) {
	for i := range s.Critical {
		if s.Critical[i].Name == name {
			s.Critical[i].Count++
			return
		}
	}
	s.Critical = append(s.Critical, named{name, 1})
}

func (s *story) beat(r leyline.Record, format string, args ...any) {
	s.Timeline = append(s.Timeline, beat{r.Seq, s.last, fmt.Sprintf(format, args...)})
}

func (s *story) training(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		if x.Run == s.run {
			s.beat(r, "run %s opened: %s, %d steps, seed %d", x.Run, x.Plan.Workload, x.Plan.Steps, x.Plan.Seed)
		}
	case leyline.RunResumed:
		if x.Run == s.run {
			s.last = x.Step
			s.beat(r, "resumed from step %d after the process stopped at step %d (incarnation %d)", x.Step, x.Lost, x.Incarnation)
			if x.Rollback != "" {
				s.lastRollback().Resumed = true
			}
		}
	case leyline.TrainingAssessed:
		if x.Run == s.run {
			s.last = x.Step
		}
	case leyline.GradientsCombined:
		if x.Run == s.run {
			s.Combined++
			s.ratio, s.method = x.Ratio, x.Method
			s.ratioSum += x.Ratio
			if x.Conflicts > 0 {
				s.Conflicts++
			}
		}
	case leyline.SnapshotRefused:
		s.beat(r, "CRITICAL snapshot %s refused: %s", x.Snapshot, x.Reason)
	case leyline.EmergencyEscalated:
		s.beat(r, "emergency %s to %s: %s", x.From, x.To, x.Reason)
	case leyline.EmergencyCleared:
		s.beat(r, "emergency lowered to %s", x.To)
	case leyline.RunHalted:
		s.beat(r, "CRITICAL run halted (%s): %s", x.Reason, x.Detail)
	case leyline.ConservativeEntered:
		s.beat(r, "conservative mode entered: %s", x.Reason)
	case leyline.ConservativeLeft:
		s.beat(r, "conservative mode left after %d healthy windows", x.Healthy)
	case leyline.DependencyViolated:
		s.beat(r, "CRITICAL %s", x.Refusal.Error())
	}
}

func (s *story) seeds(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandProposed:
		s.beat(r, "tamiyo proposes %s for %s: %s", x.Seed.Operation, x.Seed.Seed, x.Why)
	case leyline.GateEvaluated:
		verdict := "passed"
		if !x.Passed {
			verdict = "FAILED on " + x.Reason
		}
		s.beat(r, "%s gate %s %s", x.Seed, x.Gate, verdict)
	case leyline.SeedMoved:
		s.beat(r, "%s moves %s to %s", x.Seed, x.From, x.To)
	case leyline.BlendConfigured:
		s.beat(r, "%s blends %s over %d steps", x.Seed, x.Plan.Mode, x.Plan.TotalSteps)
	case leyline.BlendStepped:
		if x.Complete && x.Alpha < 1 {
			s.beat(r, "%s blend complete at alpha %.4f", x.Seed, x.Alpha)
		}
	case leyline.PrefetchSettled:
		if x.Outcome != leyline.OutcomeOK {
			s.beat(r, "CRITICAL %s has no kernel: %s", x.Seed, x.Reason)
		}
	}
}

func (s *story) snapshots(e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		if x.Run == s.run {
			s.Snapshots++
			s.saved[x.Snapshot] = x
			s.Kept = append(s.Kept, x.Step)
		}
	case leyline.SnapshotEvicted:
		if i := slices.Index(s.Kept, s.saved[x.Snapshot].Step); x.Run == s.run && i >= 0 {
			s.Kept = slices.Delete(s.Kept, i, i+1)
		}
	}
	slices.Sort(s.Kept)
}

func (s *story) commands(e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandVerified:
		s.Accepted++
	case leyline.CommandRejected:
		s.Rejected++
	case leyline.CommandSettled:
		s.Answered++
		if x.Outcome != leyline.OutcomeOK {
			s.Failed++
		}
	}
}

func (s *story) rollbacks(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RollbackStarted:
		b := rollbackStory{
			ID: x.Rollback, Cause: x.Cause, FaultStep: x.FaultStep, ToStep: x.ToStep, Saved: s.saved[x.Snapshot].Digest, started: r.At,
		}
		if x.Deadline != 0 { // its clock may stand still after a restart
			b.SLAMs = ms(uint64(x.Deadline.Sub(x.Since)))
		}
		s.Rollbacks = append(s.Rollbacks, b)
		s.beat(r, "CRITICAL step %d is %s: rolling back to step %d", x.FaultStep, x.Cause, x.ToStep)
	case leyline.RollbackAdvanced:
		s.lastRollback().PrepareMs = ms(x.TookNs)
	case leyline.RollbackFinished:
		b := s.lastRollback()
		b.Outcome, b.Restored, b.WithinSLA = x.Outcome, x.Digest, x.WithinSLA
		b.CommitMs, b.TotalMs = ms(x.CommitNs), ms(x.TotalNs)
		if x.Outcome == leyline.OutcomeOK {
			s.beat(r, "rollback %s ok in %.2f ms: back at step %d, incarnation %d", x.Rollback, b.TotalMs, x.Step, x.Incarnation)
		} else {
			s.beat(r, "rollback %s ended after %.2f ms: %s (%s)", x.Rollback, b.TotalMs, x.Outcome, x.Reason)
		}
	case leyline.TrainingAssessed:
		if x.FirstGood != "" {
			b := s.lastRollback()
			b.GoodMs = ms(uint64(r.At.Sub(b.started)))
			s.beat(r, "first good step %d after %s", x.Step, x.FirstGood)
		}
	}
}

// lastRollback is the newest rollback. A story that begins in the middle of one
// knows nothing of it: what is told of it then is dropped.
func (s *story) lastRollback() *rollbackStory {
	if len(s.Rollbacks) == 0 {
		return &rollbackStory{}
	}
	return &s.Rollbacks[len(s.Rollbacks)-1]
}

func ms(ns uint64) float64 { return float64(ns) / 1e6 }
