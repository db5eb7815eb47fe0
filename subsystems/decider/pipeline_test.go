package decider_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/decider"
)

// piped opens run-1 with a lag.
func (w *world) piped(lag uint32) {
	w.t.Helper()
	p := plan()
	p.Lag, p.Principal, p.Away = lag, "uid:1000", leyline.AwayWait
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
}

// ahead is the report of a step so many after the next one, as the network is now.
func (w *world) ahead(n leyline.Step) leyline.StepObserved {
	x := w.report()
	x.Step += n
	return x
}

// TestAStepThatARollbackHasOvertaken reports the steps that were under way when a fault
// was found: while the rollback is, and after it. They change nothing.
func TestAStepThatARollbackHasOvertaken(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	w.piped(4)
	w.steps(7)
	under := []leyline.StepObserved{w.ahead(1), w.ahead(2), w.ahead(3), w.ahead(4), w.ahead(6)}
	w.fault() // step 8
	id := w.run().Rollback.ID
	before := w.run().Track
	for i, x := range under[:2] {
		e := one[leyline.StepOvertaken](w, w.must(x))
		if want := (leyline.StepOvertaken{Run: "run-1", Step: 9 + leyline.Step(i), Incarnation: 1, Rollback: id}); e != want || len(w.last) != 1 {
			t.Errorf("got %+v among %s, want %+v alone", e, kinds(w.last), want)
		}
	}
	if diff := cmp.Diff(before, w.run().Track); diff != "" {
		t.Errorf("an overtaken step changed the run: %s", diff)
	}
	if r := w.refused(under[4]); r.Kind != leyline.RefusalRollbackActive {
		t.Errorf("a step more than the lag ahead: %v", &r)
	}
	other := under[0]
	other.Seed++
	if r := w.refused(other); r.Kind != leyline.RefusalStepConflict {
		t.Errorf("an overtaken step with another content: %v", &r)
	}
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
	old := w.inc
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5")))).Incarnation
	if e := one[leyline.StepOvertaken](w, w.must(under[2])); e.Incarnation != old || e.Rollback != id {
		t.Errorf("after the rollback: %+v", e)
	}
	w.steps(4)
	one[leyline.StepOvertaken](w, w.must(under[3])) // 4 steps beyond
	w.steps(1)
	if r := w.refused(w.stale(old, 12)); r.Kind != leyline.RefusalIncarnation {
		t.Errorf("a step of the old incarnation, more than the lag later: %v", &r)
	}
}

// stale is the report of a step of another incarnation.
func (w *world) stale(inc leyline.Incarnation, step leyline.Step) leyline.StepObserved {
	x := w.report()
	x.Incarnation, x.Step = inc, step
	return x
}

// TestASynchronousTrainerIsNeverOvertaken holds a run without a lag to what it was.
func TestASynchronousTrainerIsNeverOvertaken(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	w.open()
	w.steps(7)
	x := w.ahead(1)
	w.fault()
	if r := w.refused(x); r.Kind != leyline.RefusalRollbackActive {
		t.Errorf("a step under a rollback: %v", &r)
	}
	w = newWorld(t)
	w.open()
	if r := w.refused(withApplied(w.report(), 1, 1)); r.Kind != leyline.RefusalInvalidField || r.Field != "applied" {
		t.Errorf("weights that were applied already: %v", &r)
	}
}

func withApplied(x leyline.StepObserved, weights ...float64) leyline.StepObserved {
	x.Applied = weights
	return x
}

// TestAppliedWeights holds the weights of a pipelined trainer against those of the plane,
// to the last bit.
func TestAppliedWeights(t *testing.T) {
	w := newWorld(t)
	w.piped(2)
	derived := one[leyline.GradientsCombined](w, w.must(w.report())).Weights
	mismatched := func(x leyline.StepObserved) (leyline.WeightsMismatched, bool) {
		t.Helper()
		return first[leyline.WeightsMismatched](w.must(x))
	}
	if e, ok := mismatched(withApplied(w.report(), derived...)); ok {
		t.Errorf("the same weights: %+v", e)
	}
	if e, ok := mismatched(w.report()); ok {
		t.Errorf("no weights yet: %+v", e)
	}
	near := []float64{derived[0], math.Nextafter(derived[1], math.Inf(1))}
	if e, ok := mismatched(withApplied(w.report(), near...)); !ok || !cmp.Equal(e, leyline.WeightsMismatched{Run: "run-1", Step: 4, Applied: near, Derived: derived}) {
		t.Errorf("one bit off: %+v", e)
	}
	if r := w.refused(withApplied(w.report(), 1)); r.Field != "applied" {
		t.Errorf("weights of one of two tasks: %v", &r)
	}
	for n := range 7 {
		w.must(w.report())
		if n == 0 {
			w.must(w.snapshot("s-1-5"))
		}
	}
	x := withApplied(w.report(), 1, 1)
	x.Gram = []float64{math.Inf(1), 0, 0, 1}
	if e, ok := mismatched(x); !ok || len(e.Derived) != 0 {
		t.Errorf("weights although there is nothing to apply: %+v", e)
	}
}

// TestALagNeedsWeightsOfTheTrainersOwn refuses to open a pipelined run under a method
// that needs the plane.
func TestALagNeedsWeightsOfTheTrainersOwn(t *testing.T) {
	for _, m := range leyline.AggregationUnspecified.Members() {
		w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = m })
		p := plan()
		p.Lag, p.TaskWeights, p.Owners = 1, []float64{1, 2}, []leyline.SeedID{"", "seed-a"}
		own := m == leyline.AggregationSum || m == leyline.AggregationMean || m == leyline.AggregationPCGrad || m == leyline.AggregationWeighted
		if own {
			w.must(p)
		} else if r := w.refused(p); r.Kind != leyline.RefusalInvalidField || r.Field != "lag" {
			t.Errorf("%s: %v", m, &r)
		}
		p.Run, p.Lag = "run-2", 0
		w.must(p)
	}
}

// TestStepsRunWithOlderAnswers grows a seed beside a trainer that runs each step with
// what the answer of so many steps before said, and never anything older.
func TestStepsRunWithOlderAnswers(t *testing.T) {
	w := newWorld(t)
	w.piped(3)
	var held []leyline.StepObserved // as the answers said, the newest last
	for range 24 {
		held = append(held, w.report())
		x := w.report()
		x.Seeds = held[max(len(held)-4, 0)].Seeds // of 3 steps ago
		w.must(x)
		w.serve()
		w.measure(0.02)
		if s := w.run().Track.Step; s%5 == 0 {
			w.must(w.snapshot("s-1-" + string(rune('a'+s))))
		}
	}
	if w.seed().Alpha == 0 || w.seed().Stage == leyline.StageTraining {
		t.Fatalf("the seed is %s at alpha %v, the test shows nothing", w.seed().Stage, w.seed().Alpha)
	}
	x := w.report()
	x.Seeds = nil
	if r := w.refused(x); r.Kind != leyline.RefusalMissingSeed {
		t.Errorf("without the seed: %v", &r)
	}
	x = w.report()
	x.Seeds[0].Alpha = 0.123
	if r := w.refused(x); r.Kind != leyline.RefusalInvalidField || r.Field != "seeds[0].alpha" {
		t.Errorf("an alpha that nobody answered: %v", &r)
	}
}

// TestTheFiguresOfASeedThatIsGoneAreIgnored culls a seed while steps with it are under
// way.
func TestTheFiguresOfASeedThatIsGoneAreIgnored(t *testing.T) {
	w := newWorld(t)
	w.piped(2)
	w.steps(8)
	if w.seed().Stage != leyline.StageTraining {
		t.Fatalf("the seed is %s", w.seed().Stage)
	}
	x := w.report()
	failed := x
	failed.Seeds = append([]leyline.SeedObserved(nil), x.Seeds...)
	failed.Seeds[0].Failure, failed.Seeds[0].Why = leyline.SeedFailureForward, "shape"
	w.must(failed)
	if leyline.Grafted(w.seed().Stage) {
		t.Fatalf("the seed is %s", w.seed().Stage)
	}
	for range 2 {
		x.Step++
		x.Seeds[0].Leak = 1e9 // would be a violation
		ev := w.must(x)
		if e, ok := first[leyline.IsolationAssessed](ev); ok {
			t.Errorf("step %d: %+v", x.Step, e)
		}
	}
	x.Step++
	if r := w.refused(x); r.Kind != leyline.RefusalUnknownSeed {
		t.Errorf("with the seed, more than the lag later: %v", &r)
	}
}

// TestASilentPipelineIsStalled notices a trainer of another process that falls silent:
// before its first step, with a lag, and once more after the plane was started again,
// which such a trainer may have outlived.
func TestASilentPipelineIsStalled(t *testing.T) {
	quick := func(c *leyline.ExecutionConfig) { c.Tolaria.Stall, c.Tamiyo.Enabled = 1_000, false }
	stalled := func(w *world, step leyline.Step) {
		t.Helper()
		due, ok := w.s.NextTimer()
		if !ok || due.Timer != leyline.TimerSilence {
			t.Fatalf("the next timer is %+v", due)
		}
		w.at = due.Due
		if e := one[leyline.TrainerStalled](w, w.must(due)); e.Step != step || e.AgeNs < 1e9 {
			t.Errorf("stalled as %+v", e)
		}
	}
	for _, lag := range []uint32{0, 4, leyline.MaxLag} {
		w := newWorld(t, quick)
		w.piped(lag)
		stalled(w, 0)
		w.steps(3)
		stalled(w, 3)
		w.steps(1)
		w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: decider.Version})
		if quiet := w.run().QuietBy.Sub(w.at); quiet != time.Second {
			t.Errorf("lag %d: after a start of the plane the trainer has %v", lag, quiet)
		}
		stalled(w, 4)
		w.must(leyline.PlaneStarted{Boot: "b3", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: decider.Version})
		if !w.run().Stalled {
			t.Error("a start of the plane made the trainer return")
		}
		one[leyline.TrainerReturned](w, w.must(w.report()))
	}
	w := newWorld(t, quick) // within a rollback, whose clock stands still after a start
	w.piped(4)
	w.steps(7)
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: decider.Version})
	stalled(w, 7)
}
