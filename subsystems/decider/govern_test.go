package decider_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/esper-plane/esper/leyline"
)

func itoa(s leyline.Step) string { return strconv.FormatUint(uint64(s), 10) }

// spiky is a configuration whose loss rule looks early and at small losses.
func spiky(c *leyline.ExecutionConfig) { c.Tolaria.DivergeLoss, c.Tolaria.DivergeWarmup = 2, 5 }

// spike is the next step with a loss of 9.
func (w *world) spike() leyline.StepObserved {
	x := w.report()
	x.Losses = []float64{9, 9}
	return x
}

func TestDivergenceRollsBackToBeforeItsFirstStep(t *testing.T) {
	w := newWorld(t, spiky)
	w.open()
	w.steps(11)
	before, seed := w.run().Track.LossEWMA, *w.seed()
	var seen leyline.Instant
	for n := uint32(1); n <= 2; n++ {
		ev := w.must(w.spike())
		a := one[leyline.TrainingAssessed](w, ev)
		if a.Health != leyline.HealthSuspect || a.Suspect != n || a.Limit != 3*before.Mean {
			t.Fatalf("anomalous step %d is %+v", n, a)
		}
		if n == 1 {
			seen = w.at
		}
		one[leyline.GradientsCombined](w, ev) // training goes on
		if w.run().Track.LossEWMA != before || w.seed().Isolation != seed.Isolation {
			t.Errorf("something was learned from anomalous step %d", n)
		}
	}
	ev := w.must(w.spike())
	if a := one[leyline.TrainingAssessed](w, ev); a.Health != leyline.HealthDiverged || a.Suspect != 3 {
		t.Errorf("the third is %+v", a)
	}
	if _, ok := first[leyline.GradientsCombined](ev); ok {
		t.Error("the step that diverged was given weights")
	}
	s := one[leyline.RollbackStarted](w, ev)
	if s.Cause != leyline.FaultDiverged || s.FaultStep != 12 || s.Seen != seen || s.Snapshot != "s-1-10" || s.Since != w.at {
		t.Errorf("rolls back as %+v; the first anomalous step was 12", s)
	}
	if one[leyline.ConservativeEntered](w, ev); w.run().Emergency != leyline.EmergencyElevated {
		t.Errorf("the emergency level is %s", w.run().Emergency)
	}
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))).Incarnation
	if w.run().Track.Suspect != 0 || w.run().Track.Step != 10 {
		t.Errorf("rewound to %+v", w.run().Track)
	}
}

func TestSuspicionPasses(t *testing.T) {
	w := newWorld(t, spiky)
	w.open()
	w.steps(11)
	w.must(w.spike())
	w.must(w.spike())
	a := one[leyline.TrainingAssessed](w, w.must(w.report()))
	if a.Health != leyline.HealthHealthy || a.Suspect != 0 || w.run().Track.Suspect != 0 {
		t.Fatalf("a normal loss after two anomalous ones is %+v", a)
	}
	if a = one[leyline.TrainingAssessed](w, w.must(w.spike())); a.Suspect != 1 {
		t.Errorf("the next anomalous step counts as number %d", a.Suspect)
	}
}

func TestSuspectStateIsNeverSnapshotted(t *testing.T) {
	w := newWorld(t, spiky)
	w.open()
	w.steps(14)
	w.must(w.spike())
	ev := w.must(w.snapshot("s-1-15"))
	if e := one[leyline.SnapshotRefused](w, ev); e.Snapshot != "s-1-15" {
		t.Errorf("refused %+v", e)
	}
	if w.run().Snapshot("s-1-10") == nil || w.run().Snapshot("s-1-15") != nil {
		t.Errorf("snapshots %+v", w.run().Snapshots)
	}
}

func TestNonFiniteAfterSuspicionGoesBackToBeforeIt(t *testing.T) {
	w := newWorld(t, spiky)
	w.open()
	w.steps(9)
	w.must(w.spike()) // step 10
	w.must(w.spike())
	s := one[leyline.RollbackStarted](w, w.fault())
	if s.Cause != leyline.FaultNonFinite || s.FaultStep != 10 || s.Snapshot != "s-1-5" {
		t.Errorf("rolls back as %+v", s)
	}
}

func TestLossLimit(t *testing.T) {
	for _, x := range []struct {
		name   string
		change func(*leyline.ExecutionConfig)
		loss   float64
		health leyline.Health
		limit  bool
	}{
		{"over all three", spiky, 9, leyline.HealthSuspect, true},
		{"below the absolute one", func(c *leyline.ExecutionConfig) { spiky(c); c.Tolaria.DivergeLoss = 10 }, 9, leyline.HealthHealthy, true},
		{"below the spread", func(c *leyline.ExecutionConfig) { spiky(c); c.Tolaria.DivergeSigma = 1e6 }, 9, leyline.HealthHealthy, true},
		{"below the multiple", func(c *leyline.ExecutionConfig) { spiky(c); c.Tolaria.DivergeFactor = 100 }, 9, leyline.HealthHealthy, true},
		{"warming up", func(c *leyline.ExecutionConfig) { spiky(c); c.Tolaria.DivergeWarmup = 50 }, 9, leyline.HealthHealthy, false},
		{"off", func(c *leyline.ExecutionConfig) { spiky(c); c.Tolaria.DivergeMode = leyline.RuleOff }, 9, leyline.HealthHealthy, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, x.change)
			w.open()
			for i := range 11 {
				r := w.report()
				r.Losses[0] += 0.01 * float64(i%3)
				w.must(r)
				w.serve()
			}
			r := w.report()
			r.Losses = []float64{x.loss, x.loss}
			a := one[leyline.TrainingAssessed](w, w.must(r))
			if a.Health != x.health || (a.Limit > 0) != x.limit {
				t.Errorf("a loss of %v is %s against a limit of %v", x.loss, a.Health, a.Limit)
			}
		})
	}
}

// TestShadowChangesNothing lives the same life twice, with the loss rule off and
// watching, and compares everything that was decided.
func TestShadowChangesNothing(t *testing.T) {
	var lives [2][]leyline.Event
	for i, mode := range []leyline.RuleMode{leyline.RuleOff, leyline.RuleShadow} {
		w := newWorld(t, spiky, func(c *leyline.ExecutionConfig) { c.Tolaria.DivergeMode, c.Tamiyo.LossMode = mode, leyline.RuleShadow })
		w.open()
		w.steps(11)
		for range 5 {
			w.must(w.spike())
			w.serve()
			w.measure(0.02)
		}
		w.must(w.snapshot("s-1-x"))
		w.steps(2)
		w.fault()
		for _, r := range w.log {
			for _, e := range r.Events {
				if a, ok := e.(leyline.TrainingAssessed); ok {
					a.Limit, a.Suspect, a.Anomaly = 0, 0, leyline.FaultNone
					e = a
				}
				if _, ok := e.(leyline.ConfigAdopted); !ok {
					lives[i] = append(lives[i], e)
				}
			}
		}
	}
	if d := cmp.Diff(lives[0], lives[1], cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
}

func TestShadowDivergenceOnlyCounts(t *testing.T) {
	w := newWorld(t, spiky, func(c *leyline.ExecutionConfig) { c.Tolaria.DivergeMode = leyline.RuleShadow })
	w.open()
	w.steps(11)
	before := w.run().Track.LossEWMA
	ev := w.must(w.spike())
	if a := one[leyline.TrainingAssessed](w, ev); a.Health != leyline.HealthHealthy || a.Suspect != 1 {
		t.Errorf("assessed as %+v", a)
	}
	if w.run().Track.LossEWMA == before {
		t.Error("a watched step was kept out of the running figures")
	}
}

func TestSilentTrainerIsStalledNotDead(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Stall, c.Tolaria.StallFactor = 1_000, 20 })
	w.open()
	w.steps(3)
	due, ok := w.s.NextTimer()
	if !ok || due.Timer != leyline.TimerSilence || due.Due != w.run().Heard.Add(time.Second) {
		t.Fatalf("the next timer is %+v", due)
	}
	w.at = due.Due
	if e := one[leyline.TrainerStalled](w, w.must(due)); e.Step != 3 || e.AgeNs < 1e9 {
		t.Errorf("stalled as %+v", e)
	}
	if due, ok := w.s.NextTimer(); ok && due.Timer == leyline.TimerSilence {
		t.Error("it is said to be stalled twice")
	}
	ev := w.must(w.report())
	if e := one[leyline.TrainerReturned](w, ev); e.AgeNs < 1e9 || w.run().Stalled {
		t.Errorf("returned as %+v", e)
	}
	one[leyline.GradientsCombined](w, ev)
}

func TestSilenceIsJudgedByTheStepsOfTheRun(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Stall, c.Tolaria.StallFactor = 1, 20 })
	w.open()
	for range 30 {
		x := w.report()
		x.PreviousNs = 1e8
		w.at = w.at.Add(100 * time.Millisecond)
		w.must(x)
	}
	quiet := w.run().QuietBy.Sub(w.run().Heard)
	if math.Abs(quiet.Seconds()-2) > 0.01 {
		t.Errorf("steps of 100 ms may be followed by a silence of %v, want about 2 s", quiet)
	}
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	if w.run().QuietBy != 0 {
		t.Error("a plane that was started again waits for the trainer of the last process")
	}
}

func TestSilenceIsNoticedFromTheStart(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Stall = 1_000 })
	armed := func(when string) {
		t.Helper()
		if due, ok := w.s.NextTimer(); !ok || due.Timer != leyline.TimerSilence || due.Due != w.at.Add(time.Second) {
			t.Errorf("%s the next timer is %+v", when, due)
		}
	}
	w.open()
	armed("after opening")
	w.config.Tamiyo.Enabled = false
	w.steps(3)
	w.steps(3)
	w.fault()
	if w.run().QuietBy != 0 {
		t.Error("a trainer that waits for the plane's rollback is expected to report steps")
	}
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5")))).Incarnation
	armed("after a rollback")
	p := plan()
	p.Resume = true
	w.inc = one[leyline.RunResumed](w, w.must(p)).Incarnation
	armed("after a resume")
}

// A trainer cannot buy itself patience by a step time that never passed.
func TestStepTimeIsHeldAgainstTheClock(t *testing.T) {
	w := newWorld(t)
	w.open()
	x := w.report()
	w.must(x)
	x = w.report()
	x.PreviousNs = math.MaxUint64
	w.must(x)
	if m := w.run().Track.StepEWMA.Mean; m <= 0 || m > float64(time.Second) {
		t.Errorf("the mean step takes %v ns", m)
	}
}

func TestSuspicionStopsWhatGrows(t *testing.T) {
	w := newWorld(t, spiky)
	w.open()
	w.until(leyline.StageProbationary)
	w.must(w.report())
	w.must(w.spike())
	if r := w.refused(w.probe("seed-a", 0.5)); r.Field != "step" {
		t.Errorf("a probe of a suspect network is refused for %s", r.Field)
	}
	if r := w.command(leyline.SeedCommand{Operation: leyline.OpFossilize, Seed: "seed-a"}); r != leyline.RejectSuspect {
		t.Errorf("fossilizing is rejected as %s", r)
	}
	if r := w.command(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a"}); r != leyline.RejectNone {
		t.Errorf("culling is rejected as %s", r)
	}
}

func TestEmergencyIsNotClearedWhileTheLossIsSuspect(t *testing.T) {
	w := newWorld(t, spiky)
	w.open()
	w.steps(11)
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))).Incarnation
	epoch := func(loss float64) leyline.EpochObserved {
		return leyline.EpochObserved{Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Epoch: w.run().Track.Epoch + 1, Losses: []float64{loss, 1}, Accuracies: []float64{0.5, 0.5}, Samples: 10}
	}
	w.must(w.report())
	w.must(w.spike())
	if _, ok := first[leyline.EmergencyCleared](w.must(epoch(1))); ok {
		t.Error("cleared while the loss is anomalous")
	}
	w.must(w.report())
	if _, ok := first[leyline.EmergencyCleared](w.must(epoch(math.NaN()))); ok {
		t.Error("cleared by an epoch whose loss is NaN")
	}
	one[leyline.EmergencyCleared](w, w.must(epoch(1)))
}
