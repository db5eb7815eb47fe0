package decider_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// The target cosines of gradvac move with every step, are in its event, and are
// those of the snapshot again after a rollback.
func TestTargetsOfGradVacAreRewound(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = leyline.AggregationGradVac })
	w.open()
	w.steps(11)
	then := w.run().Snapshot("s-1-10").Memo.Targets
	w.steps(2)
	e := one[leyline.GradientsCombined](w, w.must(w.report()))
	if d := cmp.Diff(e.Targets, w.run().Track.Targets); d != "" || len(e.Targets) != 4 || e.Targets[1] == then[1] {
		t.Fatalf("targets %v after %v:\n%s", e.Targets, then, d)
	}
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))
	if d := cmp.Diff(then, w.run().Track.Targets); d != "" {
		t.Errorf("not those of the snapshot:\n%s", d)
	}
	// The next step goes on from there: half the way to the cosine of -1/sqrt(2).
	w.inc = 2
	e = one[leyline.GradientsCombined](w, w.must(w.report()))
	if want := (then[1] - math.Sqrt(0.5)) / 2; math.Abs(e.Targets[1]-want) > 1e-12 {
		t.Errorf("next target %v, want %v", e.Targets[1], want)
	}
}

// The weights of state_weighted follow the seed through its life.
func TestStateWeightsFollowTheSeed(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = leyline.AggregationStateWeighted })
	in := plan()
	if r := w.refused(in); r.Field != "owners" || r.Kind != leyline.RefusalWeights {
		t.Fatalf("a run without owners: %v", &r)
	}
	in.Owners = []leyline.SeedID{"", "seed-b"}
	if r := w.refused(in); r.Field != "owners[1]" || r.Kind != leyline.RefusalUnknownSeed {
		t.Fatalf("an owner that is no seed: %v", &r)
	}
	in.Owners[1] = "seed-a"
	w.inc = one[leyline.RunStarted](w, w.must(in)).Incarnation
	met := map[leyline.Stage]bool{}
	for range 60 {
		stage, alpha := w.seed().Stage, w.seed().Alpha
		e := one[leyline.GradientsCombined](w, w.must(w.report()))
		want := map[leyline.Stage]float64{
			leyline.StageGerminated: 0.25, leyline.StageTraining: 1, leyline.StageBlending: 0.5, leyline.StageShadowing: 1,
			leyline.StageProbationary: 1, leyline.StageFossilized: 1,
		}[stage] * (0.5 + 0.5*alpha)
		if got := e.Weights[1] / e.Weights[0]; math.Abs(got-want) > 1e-12 {
			t.Fatalf("%s at alpha %v weighs %v, want %v", stage, alpha, got, want)
		}
		met[stage] = true
		w.serve()
		w.measure(0.02)
		if s := w.run().Track.Step; s%leyline.Step(w.config.Tolaria.SnapshotEvery) == 0 {
			w.must(w.snapshot(fmt.Sprintf("s-%d", s)))
		}
	}
	for _, stage := range []leyline.Stage{leyline.StageDormant, leyline.StageTraining, leyline.StageBlending, leyline.StageFossilized} {
		if !met[stage] {
			t.Errorf("the seed never was %s", stage)
		}
	}
}

// Where the host's gradient is attributed to its seeds, it takes part through them:
// with as much as they weigh together, in the shares that the trainer reports.
func TestHostTakesPartThroughItsSeeds(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) {
		c.Tolaria.Aggregation, c.Tolaria.Attribution = leyline.AggregationStateWeighted, leyline.AttributionReported
	})
	in := plan()
	in.Owners = []leyline.SeedID{"", "seed-a"}
	w.inc = one[leyline.RunStarted](w, w.must(in)).Incarnation
	if e := one[leyline.GradientsCombined](w, w.must(w.report())); e.Weights[0] != 1 || e.Weights[1] != 0 {
		t.Errorf("without a seed the weights are %v", e.Weights)
	}
	w.until(leyline.StageTraining)
	x := w.report()
	if e := one[leyline.GradientsCombined](w, w.must(x)); e.Weights[0] <= e.Weights[1] {
		t.Errorf("a seed to which nothing is attributed changes the host's weight: %v", e.Weights)
	}
	x = w.report()
	x.Seeds[0].Attributed = 0.5
	if e := one[leyline.GradientsCombined](w, w.must(x)); e.Weights[0] != 1 || e.Weights[1] != 1 {
		t.Errorf("the one seed stands for all of its host: %v", e.Weights)
	}
}

// A run whose tasks all belong to slots that are empty has no weights: the step is
// refused, and the run goes on under another rule.
func TestOwnersThatAreNotThere(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = leyline.AggregationStateWeighted })
	in := plan()
	in.Owners = []leyline.SeedID{"seed-a", "seed-a"}
	w.inc = one[leyline.RunStarted](w, w.must(in)).Incarnation
	if r := w.refused(w.report()); r.Field != "owners" || r.Kind != leyline.RefusalWeights {
		t.Errorf("refused as %v", &r)
	}
	w.configure(func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = leyline.AggregationWeighted })
	if r := w.refused(w.report()); r.Field != "task_weights" {
		t.Errorf("refused as %v", &r)
	}
	w.configure(func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = leyline.AggregationSum })
	if e := one[leyline.GradientsCombined](w, w.must(w.report())); !slices.Equal(e.Weights, []float64{1, 1}) {
		t.Errorf("weights %v", e.Weights)
	}
}

// A step whose numbers are not finite is a fault under every method, solved or not:
// it is rolled back, not refused.
func TestFaultNeedsNoWeights(t *testing.T) {
	for m := leyline.AggregationSum; m.Known(); m++ {
		w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = m })
		in := plan()
		in.TaskWeights, in.Owners = []float64{1, 2}, []leyline.SeedID{"", ""}
		w.inc = one[leyline.RunStarted](w, w.must(in)).Incarnation
		x := w.report()
		x.Gram = []float64{math.NaN(), 0, 0, 1}
		if e := one[leyline.TrainingAssessed](w, w.must(x)); e.Health != leyline.HealthNonFinite {
			t.Errorf("%s: %s", m, e.Health)
		}
	}
}

// A step of a solved method is decided from its solution, and from nothing else.
func TestSolvedStepNeedsItsSolution(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.Aggregation = leyline.AggregationMGDA })
	w.open()
	x := w.report()
	if r := w.refused(x); r.Field != "solution" || r.Kind != leyline.RefusalWeights {
		t.Errorf("without a solution: %v", &r)
	}
	x.Solution = leyline.Solution{Method: leyline.AggregationMGDA, Weights: []float64{0.4, 0.6}, Iterations: 1}
	if e := one[leyline.GradientsCombined](w, w.must(x)); !slices.Equal(e.Weights, []float64{0.4, 0.6}) || e.Method != leyline.AggregationMGDA {
		t.Errorf("%+v", e)
	}
}
