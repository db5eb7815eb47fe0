package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestStageMismatchFailsTheNextGate: the trainer holds the seed for another stage
// once nothing is under way, and says so in its last report before the gate.
func TestStageMismatchFailsTheNextGate(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.TrainSteps = 1 << 20 })
	w.open()
	w.reach(leyline.StageTraining)
	w.steps(6)
	graft := leyline.SeedCommand{
		Operation: leyline.OpStartGrafting, Seed: "seed-a", Blend: leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 4, Temperature: 1},
	}
	x := w.report()
	x.Seeds[0].Stage = leyline.StageBlending
	if e := one[leyline.IsolationAssessed](w, w.must(x)); e.Reported != leyline.StageBlending {
		t.Errorf("assessed as %+v", e)
	}
	if r := w.command(graft); r != leyline.RejectGateFailed {
		t.Errorf("rejected as %s", r)
	}
	g := one[leyline.GateEvaluated](w, w.last)
	if g.Passed || g.Gate != leyline.GateStability || g.Reason != leyline.ReasonStage || w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("the gate says %+v, the seed is %s", g, w.seed().Stage)
	}
}

// TestMismatchThatADirectiveExplains: as long as the trainer has not answered, it
// may hold the seed for what it was, or already for what it is to be.
func TestMismatchThatADirectiveExplains(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.TrainSteps = 1 << 20 })
	w.open()
	w.reach(leyline.StageTraining)
	w.steps(6)
	w.command(leyline.SeedCommand{
		Operation: leyline.OpStartGrafting, Seed: "seed-a", Blend: leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 4, Temperature: 1},
	})
	for _, s := range []leyline.Stage{leyline.StageTraining, leyline.StageBlending} {
		x := w.report()
		x.Seeds[0].Stage = s
		if e := one[leyline.IsolationAssessed](w, w.must(x)); e.Reported != leyline.StageUnknown {
			t.Errorf("%s while the directive is under way is a mismatch: %+v", s, e)
		}
	}
	w.serve()
	x := w.report()
	x.Seeds[0].Stage = leyline.StageTraining
	if e := one[leyline.IsolationAssessed](w, w.must(x)); e.Reported != leyline.StageTraining {
		t.Errorf("after the answer: %+v", e)
	}
	w.steps(1) // it has seen its mistake
	if w.seed().Isolation.Reported != leyline.StageUnknown {
		t.Errorf("the seed is %+v", w.seed().Isolation)
	}
}

// TestQualityIsWatchedByDefault: a seed that does not meet the criteria goes on, and
// what would have stopped it is in the log.
func TestQualityIsWatchedByDefault(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.reach(leyline.StageBlending)
	failed := map[string]bool{}
	for _, r := range w.log {
		for _, e := range r.Events {
			g, ok := e.(leyline.GateEvaluated)
			if !ok || g.Gate != leyline.GateStability {
				continue
			}
			for _, c := range g.Checks {
				if !c.OK && c.Mode == leyline.RuleShadow {
					failed[c.Name] = true
				}
			}
		}
	}
	if !failed["improvement"] || !failed["age_steps"] || !failed["gradient_ratio"] {
		t.Errorf("watched and failed: %v", failed)
	}
}

func TestEnforcedQualityCulls(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Kasmina.GradRatioMode = leyline.RuleEnforce })
	w.open()
	w.steps(20)
	if g := w.gates(); g[len(g)-1] != "G2_STABILITY failed gradient_ratio" {
		t.Errorf("gates %v", g)
	}
}
