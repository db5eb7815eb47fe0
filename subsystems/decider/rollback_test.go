package decider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
)

func TestRollbackRestoresTheNewestProvenSnapshot(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(10)
	w.steps(1) // proves the snapshot of step 10
	seed, track := *w.seed(), w.run().Snapshot("s-1-10").Memo
	w.steps(2)
	ev := w.fault()
	started := one[leyline.RollbackStarted](w, ev)
	if started.Snapshot != "s-1-10" || started.FaultStep != 14 || started.ToStep != 10 {
		t.Fatalf("rollback goes to %s step %d for a fault at %d", started.Snapshot, started.ToStep, started.FaultStep)
	}
	if _, ok := first[leyline.GradientsCombined](ev); ok {
		t.Error("a faulty step was given weights")
	}
	one[leyline.ConservativeEntered](w, ev)
	if r := w.refused(w.report()); r.Kind != leyline.RefusalRollbackActive {
		t.Errorf("a step during a rollback is refused as %s", r.Kind)
	}
	one[leyline.RollbackAdvanced](w, w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10"))))
	fin := one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10"))))
	if fin.Outcome != leyline.OutcomeOK || fin.Incarnation != 2 || fin.Lineage != 1 || !fin.WithinSLA {
		t.Errorf("finished as %+v", fin)
	}
	if d := cmp.Diff(track, w.run().Track); d != "" {
		t.Errorf("the track was not rewound:\n%s", d)
	}
	if w.seed().Stage != leyline.StageTraining || seed.ID != w.seed().ID {
		t.Errorf("the seed is %s after the rewind", w.seed().Stage)
	}
	if r := w.refused(w.report()); r.Kind != leyline.RefusalIncarnation {
		t.Errorf("a report of the old incarnation is refused as %s", r.Kind)
	}
	w.inc = 2
	good := one[leyline.TrainingAssessed](w, w.must(w.report()))
	if good.FirstGood != started.Rollback {
		t.Errorf("the first good step names rollback %q, want %q", good.FirstGood, started.Rollback)
	}
}

func TestSnapshotOfTheFaultyStateIsNeverRestored(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(10) // the snapshot of step 10 is not proven by a later step
	if s := one[leyline.RollbackStarted](w, w.fault()); s.Snapshot != "s-1-5" {
		t.Fatalf("rolls back to %s, want the older snapshot that is proven good", s.Snapshot)
	}
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
	ev := w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5")))
	if e := one[leyline.SnapshotEvicted](w, ev); e.Snapshot != "s-1-10" {
		t.Errorf("evicted %s, want the snapshot of the abandoned history", e.Snapshot)
	}
}

func TestUnreadableSnapshotFallsBackToTheNextOlder(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	w.fault()
	due := w.run().Rollback.Deadline
	ev := w.must(w.rollback(leyline.PhasePrepare, digest("other bytes")))
	if f := one[leyline.RollbackFinished](w, ev); f.Reason != leyline.FaultDigestMismatch {
		t.Errorf("finished for %s", f.Reason)
	}
	if s := one[leyline.RollbackStarted](w, ev); s.Snapshot != "s-1-5" || s.Deadline != due {
		t.Errorf("falls back to %s, deadline moved by %v", s.Snapshot, s.Deadline.Sub(due))
	}
	ev = w.must(w.rollback(leyline.PhasePrepare, digest("other bytes")))
	if h := one[leyline.RunHalted](w, ev); h.Reason != leyline.FaultNoSnapshot {
		t.Errorf("halted for %s", h.Reason)
	}
	if w.run().Emergency != leyline.EmergencyHalt {
		t.Errorf("emergency level %s after a halt", w.run().Emergency)
	}
}

func TestRestoreOfWrongBytesHalts(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	ev := w.must(w.rollback(leyline.PhaseCommit, digest("other bytes")))
	if h := one[leyline.RunHalted](w, ev); h.Reason != leyline.FaultDigestMismatch {
		t.Errorf("halted for %s", h.Reason)
	}
	if r := w.refused(w.report()); r.Kind != leyline.RefusalRunNotOpen {
		t.Errorf("a step of a halted run is refused as %s", r.Kind)
	}
}

func TestDeadlineHalts(t *testing.T) {
	for _, late := range []string{"timer", "report"} {
		t.Run(late, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			w.steps(11)
			w.fault()
			w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
			due, ok := w.s.NextTimer()
			if !ok || due.Timer != leyline.TimerRollback {
				t.Fatalf("the next timer is %+v", due)
			}
			if r := w.refused(due); r.Kind != leyline.RefusalUnknownTimer {
				t.Errorf("an early timer is refused as %s", r.Kind)
			}
			w.at = due.Due
			var in leyline.Input = due
			if late == "report" {
				in = w.rollback(leyline.PhaseCommit, digest("s-1-10"))
			}
			ev := w.must(in)
			if f := one[leyline.RollbackFinished](w, ev); f.Outcome != leyline.OutcomeDeadline || f.WithinSLA {
				t.Errorf("finished as %+v", f)
			}
			if h := one[leyline.RunHalted](w, ev); h.Reason != leyline.FaultRollbackDeadline {
				t.Errorf("halted for %s", h.Reason)
			}
		})
	}
}

func TestRollbackLimitHalts(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.RollbackLimit = 2 })
	w.open()
	w.steps(6)
	for range 2 {
		w.fault()
		w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
		w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5")))).Incarnation
	}
	if h := one[leyline.RunHalted](w, w.fault()); h.Reason != leyline.FaultRollbackLimit {
		t.Errorf("halted for %s", h.Reason)
	}
}

func TestFaultBeforeAnySnapshotHalts(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(3)
	if h := one[leyline.RunHalted](w, w.fault()); h.Reason != leyline.FaultNoSnapshot {
		t.Errorf("halted for %s", h.Reason)
	}
}

func TestResumeRewindsAndKeepsTheLineage(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(13)
	again := plan()
	again.Resume = true
	e := one[leyline.RunResumed](w, w.must(again))
	if e.Snapshot != "s-1-10" || e.Step != 10 || e.Lost != 13 || e.Incarnation != 2 || e.Lineage != 0 {
		t.Errorf("resumed as %+v", e)
	}
	other := again
	other.Seed++
	other.Parameters++
	if r := w.refused(other); r.Kind != leyline.RefusalInvalidField || !strings.HasSuffix(r.Reason, "other are parameters, seed") {
		t.Errorf("another plan is refused as %s: %s", r.Kind, r.Reason)
	}
}

func TestResumeDuringARollbackCompletesIt(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	w.fault()
	id := w.run().Rollback.ID
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	if rec := one[leyline.EffectRecovered](w, w.last); rec.Kind != leyline.EffectStage || !rec.Reissued {
		t.Errorf("recovered %+v", rec)
	}
	if _, armed := w.s.NextTimer(); armed {
		t.Error("the rollback's clock runs although its trainer is gone")
	}
	w.at = w.at.Add(time.Hour)
	again := plan()
	again.Resume = true
	ev := w.must(again)
	if f := one[leyline.RollbackFinished](w, ev); f.Outcome != leyline.OutcomeSuperseded || f.Rollback != id {
		t.Errorf("finished as %+v", f)
	}
	if e := one[leyline.RunResumed](w, ev); e.Rollback != id || e.Lineage != 1 || e.Step != 10 {
		t.Errorf("resumed as %+v", e)
	}
}

func TestNeverRewound(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(13)
	nonces, high := len(w.s.Kasmina.Nonces), w.s.Kasmina.High(w.tamiyo.KeyID())
	if nonces == 0 {
		t.Fatal("no command was spent, the test shows nothing")
	}
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))
	if len(w.s.Kasmina.Nonces) != nonces || w.s.Kasmina.High(w.tamiyo.KeyID()) != high {
		t.Error("a rollback rewound the replay ledger")
	}
	if !w.s.Tamiyo.Run("run-1").Caution.Conservative || w.run().Emergency != leyline.EmergencyElevated {
		t.Error("a rollback rewound conservative mode or the emergency level")
	}
}

func TestUnknownCommandAfterRestart(t *testing.T) {
	w := newWorld(t)
	w.open()
	for len(w.s.Kasmina.Pending) == 0 {
		w.must(w.report())
	}
	if out := effect.Outstanding(w.s); len(out) == 0 {
		t.Fatal("nothing is outstanding")
	}
	ev := w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	var fates []bool
	for _, e := range ev {
		if x, ok := e.(leyline.EffectRecovered); ok {
			fates = append(fates, x.Reissued)
		}
	}
	if d := cmp.Diff([]bool{false, true}, fates); d != "" { // the command, the prefetch it caused
		t.Errorf("fates of command and prefetch:\n%s", d)
	}
	again := plan()
	again.Resume = true
	if x := one[leyline.CommandExpired](w, w.must(again)); x.Outcome != leyline.OutcomeUnknown {
		t.Errorf("the command ended as %s", x.Outcome)
	}
	if len(w.s.Kasmina.Pending) != 0 || w.seed().Stage != leyline.StageDormant {
		t.Errorf("after the resume: %d pending, seed %s", len(w.s.Kasmina.Pending), w.seed().Stage)
	}
}

// TestClockStandsStillOverEveryAttempt lets the staging fail that a restarted
// process issues again, long after the old deadline.
func TestClockStandsStillOverEveryAttempt(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	w.fault()
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	w.at = w.at.Add(time.Hour)
	again := one[leyline.RollbackStarted](w, w.must(w.rollback(leyline.PhasePrepare, digest("other bytes"))))
	if again.Snapshot != "s-1-5" || again.Deadline != 0 {
		t.Errorf("started again as %+v", again)
	}
	if due, armed := w.s.NextTimer(); armed {
		t.Errorf("the clock runs again: %+v", due)
	}
}

// TestSumsThatOverflowAreAFault reports finite losses whose mean is not.
func TestSumsThatOverflowAreAFault(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(6)
	x := w.report()
	x.Losses = []float64{1.7e308, 1.7e308}
	ev := w.must(x)
	if a := one[leyline.TrainingAssessed](w, ev); a.Health != leyline.HealthNonFinite {
		t.Errorf("assessed as %+v", a)
	}
	if _, ok := first[leyline.GradientsCombined](ev); ok {
		t.Error("the step was given weights")
	}
	one[leyline.RollbackStarted](w, ev)
}

// TestClosedRunWaitsForNothing ends a run with a command and a kernel
// outstanding.
func TestClosedRunWaitsForNothing(t *testing.T) {
	w := newWorld(t)
	w.open()
	for len(w.s.Kasmina.Pending) == 0 {
		w.must(w.report())
	}
	ev := w.must(leyline.RunClosed{Run: "run-1", Incarnation: 1, Step: w.run().Track.Step, Outcome: leyline.OutcomeFailed, Reason: "no more"})
	if e := one[leyline.CommandExpired](w, ev); e.Outcome != leyline.OutcomeSuperseded {
		t.Errorf("the command ended as %s", e.Outcome)
	}
	if e := one[leyline.PrefetchSettled](w, ev); e.Outcome != leyline.OutcomeSuperseded {
		t.Errorf("the prefetch ended as %s", e.Outcome)
	}
	if out := effect.Outstanding(w.s); len(out) != 0 {
		t.Errorf("still outstanding: %+v", out)
	}
	if due, armed := w.s.NextTimer(); armed {
		t.Errorf("still armed: %+v", due)
	}
}
