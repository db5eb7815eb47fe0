package decider_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/wire"
)

// ready is a world in which seed-a could be grafted and the policy leaves that to
// others.
func ready(t *testing.T, change ...func(*leyline.ExecutionConfig)) *world {
	w := newWorld(t, append(change, func(c *leyline.ExecutionConfig) { c.Tamiyo.TrainSteps = 1000 })...)
	w.open()
	w.until(leyline.StageTraining)
	w.steps(6)
	return w
}

func graft(p leyline.BlendPlan) leyline.SeedCommand {
	return leyline.SeedCommand{Operation: leyline.OpStartGrafting, Seed: "seed-a", Blend: p}
}

// TestPlansThatAreRefused: a command with a plan of which anything is wrong is
// rejected by its reason, and nothing of it happens.
func TestPlansThatAreRefused(t *testing.T) {
	w := ready(t)
	seen := 0
	for _, c := range leylinetest.Blends().Refused {
		if c.Of != "plan" {
			continue
		}
		seen++
		if !c.Plan.Mode.Known() || !c.Plan.Source.Known() {
			if _, err := wire.EncodeCommand(w.valid(graft(c.Plan.BlendPlan))); err == nil {
				t.Errorf("%s: there are bytes for a code that is no member", c.Name)
			}
			continue
		}
		if got := w.command(graft(c.Plan.BlendPlan)); got.String() != c.Reject {
			t.Errorf("%s: %s, want %s", c.Name, got, c.Reject)
		}
		if s := w.seed(); s.Stage != leyline.StageTraining || s.Plan.Mode != leyline.BlendUnspecified {
			t.Fatalf("%s: the seed is %s under %+v", c.Name, s.Stage, s.Plan)
		}
	}
	if seen < 30 {
		t.Errorf("only %d plans", seen)
	}
}

// TestEveryModeIsCarriedOut grafts by every good plan of the vectors.
func TestEveryModeIsCarriedOut(t *testing.T) {
	modes := map[leyline.BlendMode]bool{}
	for _, c := range leylinetest.Blends().Cases {
		if p := c.Plan.BlendPlan; !modes[p.Mode] {
			modes[p.Mode] = true
			w := ready(t)
			if got := w.command(graft(p)); got != leyline.RejectNone {
				t.Errorf("%s: %s", c.Name, got)
				continue
			}
			if d := cmp.Diff(p, one[leyline.BlendConfigured](w, w.last).Plan); d != "" {
				t.Errorf("%s: %s", c.Name, d)
			}
			if d := cmp.Diff(p, w.seed().Plan); d != "" {
				t.Errorf("%s: the seed's plan: %s", c.Name, d)
			}
		}
	}
	if len(modes) != len(leyline.BlendUnspecified.Members()) {
		t.Errorf("only %v", modes)
	}
}

// blending grafts seed-a by a plan and has the trainer answer.
func blending(t *testing.T, p leyline.BlendPlan, change ...func(*leyline.ExecutionConfig)) *world {
	w := ready(t, change...)
	if got := w.command(graft(p)); got != leyline.RejectNone {
		t.Fatalf("grafting is rejected as %s", got)
	}
	w.serve()
	return w
}

func confidence() leyline.BlendPlan {
	return leyline.BlendPlan{
		Mode: leyline.BlendConfidence, TotalSteps: 6, Temperature: 0.6, Source: leyline.LogitsSeed,
		Gate: leyline.ConfidenceGate{K: 4, Tau: 0.2, Lo: 0.1, Hi: 0.9},
	}
}

// gated is a report whose figures fit the confidence plan at any alpha.
func (w *world) gated() leyline.StepObserved {
	x := w.report()
	x.Seeds[0].Blend = leyline.BlendStats{Mode: leyline.BlendConfidence, Source: leyline.LogitsSeed, Mean: 0.1, P95: 0.1, GateMean: 0.5, Clamped: 1}
	return x
}

func TestTamiyoProposesTheConfiguredBlend(t *testing.T) {
	for _, c := range []struct {
		mode     leyline.BlendMode
		channels []float64
	}{{leyline.BlendConvex, nil}, {leyline.BlendResidual, nil}, {leyline.BlendChannel, []float64{0.25, 1}}, {leyline.BlendConfidence, nil}} {
		w := newWorld(t, func(x *leyline.ExecutionConfig) { x.Tamiyo.BlendMode, x.Tamiyo.BlendChannels = c.mode, c.channels })
		w.open()
		w.until(leyline.StageBlending)
		want := w.config.Tamiyo.Plan()
		if d := cmp.Diff(want, w.seed().Plan); d != "" || want.Mode != c.mode {
			t.Errorf("%s: %s", c.mode, d)
		}
	}
}

// TestFiguresThatContradictThePlan are refused with the whole report.
func TestFiguresThatContradictThePlan(t *testing.T) {
	w := blending(t, confidence())
	w.must(w.gated())
	for _, c := range []struct {
		name  string
		wrong func(*leyline.BlendStats)
		field string
	}{
		{"no gate", func(b *leyline.BlendStats) { *b = leyline.BlendStats{} }, "seeds[0].blend"},
		{"another mode", func(b *leyline.BlendStats) { b.Mode = leyline.BlendConvex }, "seeds[0].blend.mode"},
		{"another source", func(b *leyline.BlendStats) { b.Source = leyline.LogitsPolicy }, "seeds[0].blend.source"},
		{"less than the least share", func(b *leyline.BlendStats) { b.Mean = 0.01 }, "seeds[0].blend.mean"},
		{"more than alpha", func(b *leyline.BlendStats) { b.P95 = 0.95 }, "seeds[0].blend.p95"},
	} {
		x := w.gated()
		c.wrong(&x.Seeds[0].Blend)
		if r := w.refused(x); r.Kind != leyline.RefusalBlendStats || r.Field != c.field || r.Identifier != "seed-a" {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
	w.must(w.gated())
}

// TestFiguresThatNobodyCanHave: of a command that was not answered yet, and of a step
// in which the host itself went mad.
func TestFiguresThatNobodyCanHave(t *testing.T) {
	w := ready(t)
	if got := w.command(graft(confidence())); got != leyline.RejectNone {
		t.Fatal(got)
	}
	w.must(w.report())
	w.serve()
	w.must(w.gated())
	mad := w.report()
	mad.Losses[0] = math.NaN()
	w.must(mad)
}

// TestFiguresOfASeedThatDoesNotBlend: a seed in training has no part in the output.
func TestFiguresOfASeedThatDoesNotBlend(t *testing.T) {
	w := ready(t)
	if r := w.refused(w.gated()); r.Kind != leyline.RefusalBlendStats || r.Field != "seeds[0].blend.mode" {
		t.Errorf("%+v", r)
	}
}

// without is a report of a step that had to do without seed-a.
func (w *world) without(what leyline.SeedFailure) leyline.StepObserved {
	x := w.report()
	x.Seeds[0] = leyline.SeedObserved{Seed: "seed-a", Alpha: x.Seeds[0].Alpha, Stage: x.Seeds[0].Stage, Failure: what, Why: "its output is NaN"}
	return x
}

// TestSeedThatFailsIsCulled: in training and in blending, whatever has failed.
func TestSeedThatFailsIsCulled(t *testing.T) {
	for _, what := range leyline.SeedFailureNone.Members() {
		for name, w := range map[string]*world{"training": ready(t), "blending": blending(t, confidence())} {
			steps := w.seed().AlphaStep
			ev := w.must(w.without(what))
			if e := one[leyline.SeedFailed](w, ev); e.Failure != what || e.Seed != "seed-a" || e.Step != w.run().Track.Step || e.Reason != "its output is NaN" {
				t.Errorf("%s, %s: %+v", name, what, e)
			}
			if m := one[leyline.SeedMoved](w, ev); m.To != leyline.StageCulled || m.Cause != "seed_"+what.String()+"_error" {
				t.Errorf("%s, %s: %+v", name, what, m)
			}
			if s := w.seed(); s.Stage != leyline.StageEmbargoed || s.AlphaStep > steps || s.Plan.Mode != leyline.BlendUnspecified {
				t.Errorf("%s, %s: the seed is %+v", name, what, s)
			}
			if _, ok := first[leyline.IsolationAssessed](ev); ok {
				t.Errorf("%s, %s: something was measured of a seed that had no part", name, what)
			}
		}
	}
}

// TestSeedThatFailsBesideAnAnomaly: a step that teaches nothing else still culls.
func TestSeedThatFailsBesideAnAnomaly(t *testing.T) {
	w := ready(t)
	x := w.without(leyline.SeedFailureForward)
	x.Losses = []float64{500, 500}
	w.must(x)
	if w.run().Track.Suspect == 0 || w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("suspect %d, the seed is %s", w.run().Track.Suspect, w.seed().Stage)
	}
}
