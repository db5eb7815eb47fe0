package decider_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// until reports healthy steps, serving everything but probes, until the seed has
// a stage.
func (w *world) until(stage leyline.Stage) {
	w.t.Helper()
	for range 100 {
		if w.seed().Stage == stage {
			return
		}
		w.must(w.report())
		w.serve()
	}
	w.t.Fatalf("the seed is %s after 100 steps, not %s", w.seed().Stage, stage)
}

// probation reports n steps and measures the same gain whenever a probe is due.
func (w *world) probation(n int, gain float64) {
	w.t.Helper()
	for range n {
		w.must(w.report())
		w.serve()
		w.measure(gain)
	}
}

func TestSeedThatDoesNotHelpIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.until(leyline.StageProbationary)
	w.probation(8, 0.004)
	if w.seed().Stage != leyline.StageEmbargoed {
		t.Fatalf("the seed is %s after probes that measured 0.4 points", w.seed().Stage)
	}
	if n := w.s.Kasmina.Run("run-1").Trial("bp-1"); n.Culled != 1 || n.Germinated != 1 || n.Fossilized != 0 {
		t.Errorf("the trial is %+v", n)
	}
	due, _ := w.s.NextTimer()
	w.at = due.Due
	w.must(due)
	w.steps(10)
	if w.seed().Stage != leyline.StageDormant {
		t.Errorf("a blueprint that failed was germinated again: the slot is %s", w.seed().Stage)
	}
}

func TestContributionIsTheMeanOverProbes(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Probes = 99; c.Kasmina.MinProbes = 3 })
	w.open()
	w.until(leyline.StageProbationary)
	entered := w.seed().Since
	var got []leyline.ContributionMeasured
	for _, gain := range []float64{0.03, -0.01, 0.01} {
		for len(w.s.Kasmina.ProbesDue("run-1", w.run().Track.Step)) == 0 {
			w.must(w.report())
		}
		got = append(got, one[leyline.ContributionMeasured](w, w.must(w.probe("seed-a", gain))))
	}
	for i, want := range []struct {
		step leyline.Step
		mean float64
	}{{entered + 2, 0.03}, {entered + 4, 0.01}, {entered + 6, 0.01}} {
		e := got[i]
		if e.Step != want.step || math.Abs(e.MeanAccuracy-want.mean) > 1e-12 || e.MeanLoss != 0.125 || e.Probes != uint32(i+1) || e.Next != e.Step+2 {
			t.Errorf("probe %d: %+v, want a mean of %v at step %d", i, e, want.mean, want.step)
		}
	}
	if c := w.seed().Contribution; math.Abs(c.Accuracy-0.01) > 1e-12 || c.Probes != 3 {
		t.Errorf("state holds %+v", c)
	}
}

func TestProbesAreAdmittedWhenDue(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.until(leyline.StageShadowing)
	if r := w.refused(w.probe("seed-a", 0.5)); r.Field != "seed" {
		t.Errorf("a probe of a SHADOWING seed is refused for %s", r.Field)
	}
	w.until(leyline.StageProbationary)
	if r := w.refused(w.probe("seed-a", 0.5)); r.Field != "seed" {
		t.Errorf("a probe before it is due is refused for %s", r.Field)
	}
	w.must(w.report())
	w.must(w.report())
	other := w.probe("seed-a", 0.5)
	other.Alpha = 0.5
	if r := w.refused(other); r.Field != "alpha" {
		t.Errorf("a probe at another alpha is refused for %s", r.Field)
	}
	if r := w.refused(w.probe("seed-z", 0.5)); r.Kind != leyline.RefusalUnknownSeed {
		t.Errorf("a probe of no seed is refused as %s", r.Kind)
	}
	w.must(w.probe("seed-a", 0.5))
	if r := w.refused(w.probe("seed-a", 0.5)); r.Field != "seed" {
		t.Errorf("the same probe again is refused for %s", r.Field)
	}
}

func TestFossilizeNeedsMeasurements(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.until(leyline.StageProbationary)
	keep := leyline.SeedCommand{Operation: leyline.OpFossilize, Seed: "seed-a"}
	if r := w.command(keep); r != leyline.RejectUnmeasured {
		t.Errorf("fossilizing an unmeasured seed is rejected as %s", r)
	}
	if w.seed().Stage != leyline.StageProbationary {
		t.Fatalf("a command that came too early left the seed %s", w.seed().Stage)
	}
	for w.seed().Contribution.Probes < 2 {
		w.must(w.report())
		w.measure(0.001)
	}
	if r := w.command(keep); r != leyline.RejectGateFailed {
		t.Errorf("fossilizing a seed that adds nothing is rejected as %s", r)
	}
	if g := w.gates(); g[len(g)-1] != "G4_SYSTEM_IMPACT failed contribution" || w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("gates %v, the seed is %s", g, w.seed().Stage)
	}
}

func TestShadowContributionIsRecordedAndKeepsTheSeed(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Kasmina.ContributionMode = leyline.RuleShadow })
	w.open()
	w.until(leyline.StageProbationary)
	w.probation(8, -0.2)
	if w.seed().Stage != leyline.StageFossilized {
		t.Fatalf("the seed is %s", w.seed().Stage)
	}
	for _, r := range slices.Backward(w.log) {
		if g, ok := first[leyline.GateEvaluated](r.Events); ok {
			last := g.Checks[len(g.Checks)-1]
			if last.Name != "contribution" || last.OK || last.Mode != leyline.RuleShadow {
				t.Errorf("the last check of the last gate is %+v", last)
			}
			return
		}
	}
}

func TestSeedThatWorsensItsHostFailsSystemImpact(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.LossMode = leyline.RuleShadow })
	w.open()
	w.until(leyline.StageShadowing)
	for w.seed().Stage == leyline.StageShadowing {
		x := w.report()
		x.Losses = []float64{1.5, 1.5} // the mean was 0.75
		w.must(x)
		w.serve()
	}
	if g := w.gates(); g[len(g)-1] != "G4_SYSTEM_IMPACT failed loss_ratio" || w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("gates %v, the seed is %s", g, w.seed().Stage)
	}
}

func TestLockstepEmbargoCountsSteps(t *testing.T) {
	w := newWorld(t)
	p := plan()
	p.Lockstep = true
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	w.until(leyline.StageProbationary)
	w.probation(8, 0)
	if w.seed().Stage != leyline.StageEmbargoed || w.seed().Until != 0 || w.seed().UntilStep != w.seed().Since+5 {
		t.Fatalf("the slot is %+v", w.seed())
	}
	if due, _ := w.s.NextTimer(); due.Timer == leyline.TimerEmbargo {
		t.Error("time ends the embargo of a lockstep run")
	}
	until := w.seed().UntilStep
	w.at = w.at.Add(time.Millisecond)
	e := one[leyline.CommandRejected](w, w.must(w.received(w.valid(leyline.SeedCommand{
		Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "bp-1", Mesh: []string{"trunk"},
	}))))
	if want := fmt.Sprintf("the slot is closed until step %d", until); e.Reason != leyline.RejectEmbargoed || e.Detail != want {
		t.Errorf("germination during the embargo: %s, %q, want %q", e.Reason, e.Detail, want)
	}
	for w.run().Track.Step < until {
		if w.seed().Stage != leyline.StageEmbargoed {
			t.Fatalf("the slot is %s at step %d", w.seed().Stage, w.run().Track.Step)
		}
		w.must(w.report())
	}
	if w.seed().Stage != leyline.StageDormant || w.gates()[len(w.gates())-1] != "G5_RESET passed" {
		t.Errorf("after the embargo: %s, gates %v", w.seed().Stage, w.gates())
	}
}

// TestNoEmbargo: a lockstep embargo of no steps, begun before the first, is over at
// the next healthy step.
func TestNoEmbargo(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Kasmina.EmbargoSteps = 0 })
	p := plan()
	p.Lockstep = true
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	for _, c := range []leyline.SeedCommand{
		{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "bp-1", Mesh: []string{"trunk"}},
		{Operation: leyline.OpCull, Seed: "seed-a"},
	} {
		if r := w.command(c); r != leyline.RejectNone {
			t.Fatalf("%s is rejected as %s", c.Operation, r)
		}
		w.serve()
	}
	if s := w.seed(); s.Stage != leyline.StageEmbargoed || s.UntilStep != 0 {
		t.Fatalf("the slot is %+v", s)
	}
	w.must(w.report())
	if w.seed().Stage != leyline.StageDormant {
		t.Errorf("the slot is %s", w.seed().Stage)
	}
}

func TestRollbackRewindsWhatWasMeasuredAndTried(t *testing.T) {
	w := newWorld(t)
	w.open()
	for w.seed().Stage != leyline.StageProbationary || w.run().Track.Step%5 != 0 || w.seed().Contribution.Probes == 0 {
		w.steps(1)
		if w.seed().Stage == leyline.StageFossilized {
			t.Fatal("no snapshot fell into the probation")
		}
	}
	at := w.run().Track.Step
	want, trials := w.seed().Contribution, slices.Clone(w.s.Kasmina.Run("run-1").Trials)
	w.steps(1)
	w.probation(3, -0.5)
	w.until(leyline.StageEmbargoed)
	w.fault()
	id := digest("s-1-" + itoa(at))
	w.must(w.rollback(leyline.PhasePrepare, id))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, id))).Incarnation
	if d := cmp.Diff(want, w.seed().Contribution); d != "" {
		t.Errorf("contribution:\n%s", d)
	}
	if d := cmp.Diff(trials, w.s.Kasmina.Run("run-1").Trials); d != "" {
		t.Errorf("trials:\n%s", d)
	}
}

func TestRunNamesItsBlueprints(t *testing.T) {
	w := newWorld(t)
	p := plan()
	p.Blueprints = append(p.Blueprints, "bp-9")
	if r := w.refused(p); r.Kind != leyline.RefusalUnknownBlueprint || !strings.Contains(r.Field, "blueprints[1]") {
		t.Errorf("refused as %+v", r)
	}
}

// A stage that nothing undoes is entered only when the trainer has answered.
func TestSeedThatTheTrainerCouldNotKeepIsCulled(t *testing.T) {
	for _, x := range []struct {
		outcome leyline.Outcome
		stage   leyline.Stage
	}{{leyline.OutcomeOK, leyline.StageFossilized}, {leyline.OutcomeFailed, leyline.StageEmbargoed}} {
		w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Probes = 99; c.Kasmina.MinProbes = 1 })
		w.open()
		w.until(leyline.StageProbationary)
		w.probation(2, 0.5)
		if r := w.command(leyline.SeedCommand{Operation: leyline.OpFossilize, Seed: "seed-a"}); r != leyline.RejectNone {
			t.Fatalf("rejected as %s", r)
		}
		if w.seed().Stage != leyline.StageProbationary {
			t.Errorf("the seed is %s before the trainer has answered", w.seed().Stage)
		}
		w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: x.outcome, Reason: "no memory"})
		if w.seed().Stage != x.stage {
			t.Errorf("the seed is %s after the answer %s", w.seed().Stage, x.outcome)
		}
	}
}

func TestProbeThatIsNotFiniteSpeaksAgainstTheSeed(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.until(leyline.StageProbationary)
	for len(w.s.Kasmina.ProbesDue("run-1", w.run().Track.Step)) == 0 {
		w.must(w.report())
	}
	x := w.probe("seed-a", 0.5)
	x.Losses[0] = math.NaN()
	w.must(x)
	w.probation(6, 0.5)
	if g := w.gates(); g[len(g)-1] != "G4_SYSTEM_IMPACT failed probe_losses_finite" || w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("gates %v, the seed is %s", g, w.seed().Stage)
	}
}
