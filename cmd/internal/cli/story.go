package cli

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/sla"
)

// story is what a log tells of one run: a pure fold over records, so that the
// summary of a resumed run covers all of its lives, and tomorrow's replay tells
// the same. Its memory does not grow with the number of steps.
type story struct {
	run       leyline.RunID
	records   uint64
	bytes     uint64 // of the records, as stored; counted by who reads them
	last      leyline.Step
	plan      leyline.RunOpened
	Timeline  []beat
	falls     sla.Collector
	Seeds     []seedLife
	Commands  commandStory
	Telemetry telemetryStory
	Series    observed
	Combined  uint64              // steps that were given weights
	Conflicts uint64              // of these, with a conflict
	ratioSum  float64             // of the conflict ratio
	method    leyline.Aggregation // of the last step
	Snapshots int                 // registered
	Kept      []leyline.Step      // of the snapshots that are left, ascending
	ratio     float64             // of the last step
	saved     map[leyline.SnapshotID]savedSnapshot
	suspect   uint32                  // anomalous steps in a row
	floods    int                     // of commands refused at the door, told so far
	withheld  string                  // the last proposal that was withheld, and why
	weighed   []*weighing             // windows in which risk had an effect; the newest maxReportWeighed
	gates     []gateVerdict           // the newest of each seed, not yet taken by a move
	proposed  leyline.CommandProposed // the newest
	halted    string                  // why the plane stopped the run
	haltedAt  leyline.Seq             // the record that did
}

// savedSnapshot is a registered snapshot and the record that registered it.
type savedSnapshot struct {
	seq  leyline.Seq
	step leyline.Step
}

// beat is one thing on a run's timeline.
type beat struct {
	Seq  leyline.Seq    `json:"seq"`
	Step leyline.Step   `json:"step"`
	Seed leyline.SeedID `json:"seed,omitempty"` // set for what the life of a seed tells too
	Text string         `json:"text"`
}

func newStory(run leyline.RunID) *story {
	return &story{run: run, falls: sla.Collector{Run: run}, saved: map[leyline.SnapshotID]savedSnapshot{}}
}

// add folds one record and returns the beats it added.
func (s *story) add(r leyline.Record) []beat {
	n := len(s.Timeline)
	s.records++
	s.Telemetry.add(r)
	for _, e := range r.Events {
		switch e.EventKind() {
		case leyline.EventRunResumed, leyline.EventRollbackFinished:
			s.gates = nil // what they opened is undone
		}
		s.training(r, e)
		s.health(r, e)
		s.trouble(r, e)
		s.disk(r, e)
		s.seeds(r, e)
		s.commands(r, e)
		s.registry(r, e)
		s.policies(r, e)
		s.pipelined(r, e)
		s.rollbacks(r, e)
		s.snapshots(r, e)
	}
	s.observe(r)
	return s.Timeline[n:]
}

func (s *story) beat(r leyline.Record, format string, args ...any) {
	s.Timeline = append(s.Timeline, beat{Seq: r.Seq, Step: s.last, Text: fmt.Sprintf(format, args...)})
}

// seedBeat is a beat that the life of a seed tells too.
func (s *story) seedBeat(r leyline.Record, id leyline.SeedID, format string, args ...any) {
	s.Timeline = append(s.Timeline, beat{Seq: r.Seq, Step: s.last, Seed: id, Text: fmt.Sprintf(format, args...)})
}

func (s *story) training(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		if x.Run == s.run {
			s.plan = x.Plan
			s.Series.begin(&x.Plan)
			s.beat(r, "run %s opened: %s, %d steps, seed %d", x.Run, x.Plan.Workload, x.Plan.Steps, x.Plan.Seed)
		}
	case leyline.RunResumed:
		if x.Run == s.run {
			s.last = x.Step
			s.beat(r, "resumed from step %d after the process stopped at step %d (incarnation %d)", x.Step, x.Lost, x.Incarnation)
		}
	case leyline.GradientsCombined:
		if x.Run == s.run {
			s.combined(x)
		}
	case leyline.EmergencyEscalated:
		s.beat(r, "emergency %s to %s: %s", x.From, x.To, x.Reason)
	case leyline.EmergencyCleared:
		s.beat(r, "emergency lowered to %s", x.To)
	case leyline.ConservativeEntered:
		s.beat(r, "conservative mode entered: %s", x.Reason)
	case leyline.ConservativeLeft:
		s.beat(r, "conservative mode left after %d healthy windows (%s), %d steps after it was entered", x.Healthy, x.Reason, x.LastedSteps)
	}
}

func (s *story) combined(x leyline.GradientsCombined) {
	s.Combined++
	s.ratio, s.method = x.Ratio, x.Method
	s.ratioSum += x.Ratio
	if x.Conflicts > 0 {
		s.Conflicts++
	}
}

// health follows the steps: where the run is, and rows of anomalous losses.
func (s *story) health(r leyline.Record, e leyline.Event) {
	x, ok := e.(leyline.TrainingAssessed)
	if !ok || x.Run != s.run {
		return
	}
	s.last = x.Step
	switch {
	case x.Suspect == 1 && x.Health == leyline.HealthHealthy:
		s.beat(r, "loss %.4g is %s; the rule only watches", x.Loss, replay.Anomaly(x))
	case x.Suspect == 1:
		s.beat(r, "loss %.4g is %s: nothing is learned from the step", x.Loss, replay.Anomaly(x))
	case x.Suspect == 0 && s.suspect > 0 && x.Health == leyline.HealthHealthy && x.FirstGood == "":
		s.beat(r, "loss is normal again after %d anomalous steps", s.suspect)
	}
	s.suspect = x.Suspect
}

// trouble tells what a person would want to be woken for.
func (s *story) trouble(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRefused:
		s.beat(r, "CRITICAL snapshot %s refused: %s", x.Snapshot, x.Reason)
	case leyline.RunHalted:
		if x.Run == s.run {
			s.halted, s.haltedAt = fmt.Sprintf("%s: %s", x.Reason, x.Detail), r.Seq
		}
		s.beat(r, "CRITICAL run halted (%s): %s", x.Reason, x.Detail)
	case leyline.DependencyViolated:
		s.beat(r, "CRITICAL %s", x.Refusal.Error())
	case leyline.PolicyMissed:
		s.beat(r, "CRITICAL the policy gave no answer (%s) after %.0f ms: nothing is proposed in its place", x.Outcome, ms(x.TookNs))
	case leyline.PolicyRefused:
		s.beat(r, "CRITICAL what the policy would do cannot be weighed (%s): %s", x.Reason, x.Refusal.Error())
	case leyline.MetadataMissed:
		s.beat(r, "CRITICAL no safety sheet of %s counts (%s): nothing is proposed", x.Blueprint, x.Fault)
	case leyline.TrainerStalled:
		s.beat(r, "the trainer has been silent for %.1f s", float64(x.AgeNs)/1e9)
	case leyline.TrainerReturned:
		s.beat(r, "the trainer reports again after %.1f s", float64(x.AgeNs)/1e9)
	case leyline.ClockAlarmed:
		s.beat(r, "%sthe wall clock was set by %.1f s: plane time does not follow", beatLevel(x.AmountNs < 0), float64(x.AmountNs)/1e9)
	case leyline.KeyWithdrawn:
		s.beat(r, "key %s of %s revoked: %s", short(string(x.Key)), printable(x.Issuer), printable(x.Reason))
	case leyline.EmergencyPublished:
		if x.Outcome != leyline.OutcomeOK {
			s.beat(r, "CRITICAL emergency signal %s not published: %s", x.Level, x.Reason)
		}
	}
}

// beatLevel begins a beat that is CRITICAL.
func beatLevel(critical bool) string {
	if critical {
		return "CRITICAL "
	}
	return ""
}

// disk tells of a shortage of disk space and its end.
func (s *story) disk(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.DiskLow:
		s.beat(r, "CRITICAL the disk is nearly full: %s are free, under the limit of %s: a new run would be refused; make room", mib(x.Free), mib(x.Threshold))
	case leyline.DiskRecovered:
		s.beat(r, "the disk is not nearly full any more: %s are free", mib(x.Free))
	}
}

func mib(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

func (s *story) snapshots(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		if x.Run == s.run {
			s.registered(r, x)
		}
	case leyline.SnapshotEvicted:
		if i := slices.Index(s.Kept, s.saved[x.Snapshot].step); x.Run == s.run && x.Gone && i >= 0 {
			s.Kept = slices.Delete(s.Kept, i, i+1)
			delete(s.saved, x.Snapshot)
		}
	}
}

// registered counts snapshots, not their copies.
func (s *story) registered(r leyline.Record, x leyline.SnapshotRegistered) {
	if x.Further {
		return
	}
	s.Snapshots++
	s.saved[x.Snapshot] = savedSnapshot{r.Seq, x.Step}
	s.Kept = append(s.Kept, x.Step)
	slices.Sort(s.Kept)
}

func ms(ns uint64) float64 { return float64(ns) / 1e6 }
