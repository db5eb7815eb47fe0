package cli

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// tale is a log written by hand: one record a millisecond.
type tale struct {
	*story
	seq leyline.Seq
}

func newTale(t *testing.T) *tale {
	t.Helper()
	s := &tale{story: newStory("run-1")}
	s.tell(leyline.RunStarted{Run: "run-1", Incarnation: 1, Plan: leyline.RunOpened{
		Run: "run-1", Workload: "penguins", Steps: 900, Tasks: []leyline.TaskID{"a", "b"}, Seeds: []leyline.SeedID{"seed-a"},
	}})
	return s
}

func (s *tale) at() leyline.Instant { return leyline.Instant(1_000_000 * int64(s.seq)) }

// tell adds a record with some events.
func (s *tale) tell(events ...leyline.Event) leyline.Seq {
	s.seq++
	s.add(leyline.Record{Seq: s.seq, At: s.at(), Run: "run-1", Input: leyline.TimerFired{}, Events: events})
	return s.seq
}

// step adds a reported step and what else its record decided.
func (s *tale) step(n leyline.Step, loss float64, health leyline.Health, events ...leyline.Event) {
	s.seq++
	s.add(leyline.Record{
		Seq: s.seq, At: s.at(), Run: "run-1", Input: leyline.StepObserved{Run: "run-1", Step: n, Losses: []float64{loss, loss}},
		Events: append([]leyline.Event{leyline.TrainingAssessed{Run: "run-1", Step: n, Health: health, Loss: loss}}, events...),
	})
}

func (s *tale) snapshot(id leyline.SnapshotID, step leyline.Step, digest byte) {
	s.tell(leyline.SnapshotRegistered{Run: "run-1", Snapshot: id, Step: step, Digest: leyline.Digest{digest}})
}

func (s *tale) moves(step leyline.Step, stages ...leyline.Stage) {
	for _, to := range stages {
		s.tell(leyline.GateEvaluated{Run: "run-1", Seed: "seed-a", Gate: leyline.GateSanity, Passed: true},
			leyline.SeedMoved{Run: "run-1", Seed: "seed-a", To: to, Step: step, Blueprint: "mlp", Cause: "cmd-1"})
	}
}

func (s *tale) printed() string {
	var b bytes.Buffer
	for i := range s.falls.Rollbacks {
		(*fall)(&s.falls.Rollbacks[i]).print(&b)
	}
	return strings.ReplaceAll(b.String(), "\t", " ")
}

// TestRollbackInFourParts tells of a rollback whose first snapshot turned out to
// be damaged: one story with two attempts, in parts that follow from the times
// of records alone.
func TestRollbackInFourParts(t *testing.T) {
	s := newTale(t)
	s.snapshot("old", 50, 1)
	s.snapshot("new", 100, 2)
	s.step(119, 9, leyline.HealthSuspect)
	seen := s.at()
	s.tell()
	since := s.at().Add(1_000_000) // of the record that is told next
	start := leyline.RollbackStarted{
		Run: "run-1", Rollback: "rb-6", Cause: leyline.FaultDiverged, FaultStep: 119, Snapshot: "new", ToStep: 100,
		Seen: seen, Since: since, Deadline: since.Add(12_000_000), LevelBy: since.Add(12_000_000),
	}
	s.step(120, 9, leyline.HealthDiverged, start)
	s.tell()
	again := start
	again.Rollback, again.Snapshot, again.ToStep = "rb-8", "old", 50
	s.tell(leyline.RollbackFinished{Run: "run-1", Rollback: "rb-6", Outcome: leyline.OutcomeFailed, Reason: leyline.FaultDigestMismatch, Digest: leyline.Digest{9}}, again)
	s.tell(leyline.RollbackAdvanced{Run: "run-1", Rollback: "rb-8", Phase: leyline.PhaseCommit})
	s.tell()
	s.tell()
	s.tell()
	s.tell(leyline.RollbackFinished{
		Run: "run-1", Rollback: "rb-8", Outcome: leyline.OutcomeOK, Snapshot: "old", Step: 50, Digest: leyline.Digest{1}, WithinSLA: true,
	})
	s.tell()
	s.tell(leyline.TrainingAssessed{Run: "run-1", Step: 51, Health: leyline.HealthHealthy, FirstGood: "rb-8"})
	want := `
rollback  rb-8: diverged at step 119, back to step 50: ok
  attempt 1 rb-6 to step 100, record 6: failed (digest_mismatch)
  attempt 2 rb-8 to step 50, record 8: ok
  detect 2.00 ms step 119 is reported to the decision in record 6
  decide 3.00 ms a snapshot is chosen, read and its bytes verified, record 9
  restore 4.00 ms the trainer has restored it and says so, record 13
  first good step 2.00 ms step 51 is healthy, record 15
  SLA 7.00 ms of 12 ms: met
  bytes digest restored 010000000000 equals digest saved 010000000000
`
	if diff := cmp.Diff(want, s.printed()); diff != "" {
		t.Error(diff)
	}
}

// TestRollbackCutOff tells of a process that died within a rollback: the parts
// that never ended are not made up, and the SLA is not met.
func TestRollbackCutOff(t *testing.T) {
	s := newTale(t)
	s.snapshot("new", 100, 2)
	s.step(120, math.NaN(), leyline.HealthNonFinite, leyline.RollbackStarted{
		Run: "run-1", Rollback: "rb-3", Cause: leyline.FaultNonFinite, FaultStep: 120, Snapshot: "new", ToStep: 100,
		Seen: 3_000_000, Since: 3_000_000, Deadline: 503_000_000, LevelBy: 503_000_000,
	})
	s.seq += 39
	s.tell(leyline.PlaneBooted{Boots: 2})
	s.tell(leyline.RollbackFinished{Run: "run-1", Rollback: "rb-3", Outcome: leyline.OutcomeSuperseded, Reason: leyline.FaultResumed},
		leyline.RunResumed{Run: "run-1", Snapshot: "new", Step: 100, Rollback: "rb-3"})
	s.tell(leyline.TrainingAssessed{Run: "run-1", Step: 101, Health: leyline.HealthHealthy, FirstGood: "rb-3"})
	s.tell(leyline.RollbackStarted{Run: "run-1", Rollback: "rb-46", Cause: leyline.FaultNonFinite, FaultStep: 130, Snapshot: "new", ToStep: 100})
	want := `
rollback  rb-3: non_finite at step 120, back to step 100: the process died within it, the resume completed it
  detect 0.00 ms step 120 is reported to the decision in record 3
  resume 41.00 ms the run is resumed from step 100, record 44; the process died here, the time without one is counted
  first good step 1.00 ms step 101 is healthy, record 45
  SLA 41.00 ms of 500 ms: MISSED: the process died within it

rollback  rb-46: non_finite at step 130, back to step 100: not ended
  detect - step 130 is reported to the decision in record 46
  decide - a snapshot is chosen, read and its bytes verified
  restore - the trainer has restored it and says so
  first good step - there was none before the end
  SLA not judged: its clock stood still
`
	if diff := cmp.Diff(want, s.printed()); diff != "" {
		t.Error(diff)
	}
}

// TestSeedLives follows a slot through a rollback that undoes a probe and a
// verdict, and through a second seed.
func TestSeedLives(t *testing.T) {
	s := newTale(t)
	measured := func(step leyline.Step, n uint32, gain, mean float64) leyline.Event {
		return leyline.ContributionMeasured{Run: "run-1", Seed: "seed-a", Step: step, Probes: n, Accuracy: gain, MeanAccuracy: mean}
	}
	s.moves(200, leyline.StageGerminated, leyline.StageTraining)
	s.moves(300, leyline.StageProbationary)
	s.tell(measured(310, 1, 0.02, 0.02))
	s.snapshot("kept", 315, 1)
	s.tell(measured(320, 2, -0.01, 0.005))
	s.moves(321, leyline.StageCulled)
	s.tell(leyline.RollbackFinished{Run: "run-1", Outcome: leyline.OutcomeOK, Rollback: "rb-9", Snapshot: "kept", Step: 315})
	if l := s.Seeds[0]; l.Stage != leyline.StageProbationary || l.Verdict != nil {
		t.Errorf("after the rollback: %s, verdict %v", l.Stage, l.Verdict)
	}
	s.tell(measured(320, 2, 0.03, 0.025))
	s.tell(leyline.GateEvaluated{Run: "run-1", Seed: "seed-a", Gate: leyline.GateSystemImpact, Reason: "loss_ratio"},
		leyline.SeedMoved{Run: "run-1", Seed: "seed-a", To: leyline.StageCulled, Step: 330, Cause: "G4:loss_ratio"})
	s.moves(430, leyline.StageDormant, leyline.StageGerminated)
	s.tell(leyline.RunResumed{Run: "run-1", Snapshot: "kept", Step: 315})
	var b bytes.Buffer
	summaryDoc{Seeds: s.Seeds}.seeds(&b)
	want := `
seeds	stage@step gates passed to enter it
  seed-a	mlp  PROBATIONARY  1 probe so far: +2.00 points
	  germinated@200 G0  training@200 G0  probationary@300 G0  [culled@321 G0 undone by rb-9]
	  [culled@330 G4 FAILED(loss_ratio)  dormant@430 G0 undone by the resume]
	  measured gain in points: +2.00@310  [-1.00@320 undone]  [+3.00@320 undone]
  seed-a	mlp  undone by the resume
	  [germinated@430 G0 undone by the resume]
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestVerdictRestsOnProbes says why a seed stayed, or why it did not.
func TestVerdictRestsOnProbes(t *testing.T) {
	for _, c := range []struct {
		to   leyline.Stage
		gain float64
		want string
	}{
		{leyline.StageFossilized, 0.021, "4 probes: +2.10 points -> FOSSILIZE"},
		{leyline.StageCulled, 0.004, "4 probes: +0.40 points -> CULL"},
	} {
		s := newTale(t)
		s.moves(200, leyline.StageGerminated, leyline.StageProbationary)
		s.tell(leyline.ContributionMeasured{Run: "run-1", Seed: "seed-a", Step: 250, Probes: 4, Accuracy: 1, MeanAccuracy: c.gain})
		s.moves(260, c.to)
		if got := s.Seeds[0].Verdict.words(); got != c.want {
			t.Errorf("%s: %q, want %q", c.to, got, c.want)
		}
	}
	s := newTale(t)
	s.moves(200, leyline.StageGerminated)
	s.tell(leyline.SeedMoved{Run: "run-1", Seed: "seed-a", To: leyline.StageCulled, Step: 210, Cause: "kernel_missing"})
	if got, want := s.Seeds[0].Verdict.words(), "not measured -> CULL: kernel_missing"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSeriesIsBounded adds more steps than a series holds. Sums and the newest
// value survive the merging, and all series stay aligned.
func TestSeriesIsBounded(t *testing.T) {
	var s, nan series
	sum := 0.0
	const n = 10*maxBuckets + 7
	for i := range n {
		s.add(float64(i))
		nan.add(math.NaN())
		sum += float64(i)
	}
	got, all := 0.0, 0
	for i, b := range s.buckets {
		got, all = got+b.sum, all+b.n
		if b.n != s.width && i < len(s.buckets)-1 {
			t.Fatalf("bucket %d holds %d values, want %d", i, b.n, s.width)
		}
	}
	if got != sum || all != n || len(s.buckets) > maxBuckets || len(s.buckets) < maxBuckets/2 || len(nan.buckets) != len(s.buckets) {
		t.Errorf("sum %v of %d in %d buckets, want %v of %d", got, all, len(s.buckets), sum, n)
	}
	lasts := s.lasts(64)
	if len(lasts) != 64 || lasts[63] != n-1 || s.most() != n-1 || !math.IsNaN(nan.means(64)[0]) {
		t.Errorf("%d values, the last %v, the largest %v", len(lasts), lasts[63], s.most())
	}
	for i := 1; i < len(lasts); i++ {
		if lasts[i] <= lasts[i-1] {
			t.Fatalf("column %d goes back", i)
		}
	}
}
