package plane_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// blended returns what the trainer reported of blends, with the alpha of each.
func blended(rs []leyline.Record) []leyline.SeedObserved {
	var out []leyline.SeedObserved
	for _, r := range rs {
		if x, ok := r.Input.(leyline.StepObserved); ok {
			for _, s := range x.Seeds {
				if s.Blend.Mode != leyline.BlendUnspecified {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// TestEveryBlendModeTrains runs the built-in trainer against a plane once per mode,
// to a seed that stays: what is proposed is verified, carried out, measured, recorded
// and decided again alike.
func TestEveryBlendModeTrains(t *testing.T) {
	digests := map[leyline.BlendMode]leyline.Digest{}
	for _, mode := range leyline.BlendUnspecified.Members() {
		t.Run(mode.String(), func(t *testing.T) {
			b := newBench(t)
			b.config.Tamiyo.BlendMode = mode
			b.config.Tamiyo.BlendLo, b.config.Tamiyo.BlendHi = 0.05, 0.8
			for i := range 32 {
				b.config.Tamiyo.BlendChannels = append(b.config.Tamiyo.BlendChannels, float64(i)/31)
			}
			rs, s := b.run(50, false)
			if seed := s.Kasmina.Seed("run-1", "seed-a"); seed.Stage != leyline.StageFossilized || seed.Plan.Mode != mode {
				t.Fatalf("the seed is %s under %+v", seed.Stage, seed.Plan)
			}
			got := blended(rs)
			if len(got) < 20 {
				t.Fatalf("only %d steps were measured", len(got))
			}
			for _, o := range got {
				if o.Blend.Mode != mode || o.Blend.P95 < o.Blend.Mean-1e-9 && mode != leyline.BlendConfidence {
					t.Errorf("at alpha %v: %+v", o.Alpha, o.Blend)
				}
			}
			last := got[len(got)-1].Blend // at alpha 1
			switch mode {
			case leyline.BlendConvex, leyline.BlendResidual:
				if last.Mean != 1 || last.Sparsity != 0 {
					t.Errorf("at the end %+v", last)
				}
			case leyline.BlendChannel:
				if last.P95 != 30.0/31 || last.Sparsity != 1.0/32 {
					t.Errorf("at the end %+v", last)
				}
			case leyline.BlendConfidence:
				if !(last.Mean > 0.05 && last.Mean < 0.8 && last.P95 <= 0.8 && last.GateMean > 0 && last.GateMean < 1) {
					t.Errorf("at the end %+v", last)
				}
			}
			digests[mode] = only[leyline.RunEnded](rs)[0].Digest
		})
	}
	if digests[leyline.BlendChannel] == digests[leyline.BlendResidual] || digests[leyline.BlendConfidence] == digests[leyline.BlendResidual] {
		t.Error("the modes train to one net")
	}
}

// TestPlanThatDoesNotFitTheHost: the plane cannot know how many channels the host of a
// trainer has. The trainer does, and says so; the seed goes.
func TestPlanThatDoesNotFitTheHost(t *testing.T) {
	b := newBench(t)
	b.config.Tamiyo.BlendMode, b.config.Tamiyo.BlendChannels = leyline.BlendChannel, []float64{0.5, 1}
	rs, _ := b.run(30, false)
	i := slices.IndexFunc(only[leyline.CommandSettled](rs), func(e leyline.CommandSettled) bool { return e.Outcome == leyline.OutcomeFailed })
	if i < 0 {
		t.Fatal("a vector of 2 channels was blended into a host of 32")
	}
	if len(blended(rs)) > 0 {
		t.Error("it was blended all the same")
	}
}

// culls lists the causes of culls.
func culls(rs []leyline.Record) []string {
	var out []string
	for _, m := range only[leyline.SeedMoved](rs) {
		if m.To == leyline.StageCulled {
			out = append(out, m.Cause)
		}
	}
	return out
}

// TestSeedThatFailsIsCulledAndTrainingGoesOn lets a seed go mad while it trains and
// while it blends, by every mode.
func TestSeedThatFailsIsCulledAndTrainingGoesOn(t *testing.T) {
	for _, mode := range []leyline.BlendMode{leyline.BlendResidual, leyline.BlendConfidence} {
		for _, at := range []leyline.Step{10, 18} {
			b := newBench(t)
			b.config.Tamiyo.BlendMode = mode
			rs, s := b.run(30, false, workload.Fault{Name: workload.FaultSeed, Step: at})
			failed := only[leyline.SeedFailed](rs)
			if len(failed) != 1 || failed[0].Step != at || failed[0].Failure != leyline.SeedFailureForward {
				t.Errorf("%s at step %d: %+v", mode, at, failed)
			}
			if d := cmp.Diff([]string{"seed_forward_error"}, culls(rs)); d != "" {
				t.Errorf("%s at step %d: %s", mode, at, d)
			}
			if r := s.Tolaria.Run("run-1"); r.Status != leyline.RunStatusEnded || len(only[leyline.RollbackStarted](rs)) > 0 {
				t.Errorf("%s at step %d: the run is %s", mode, at, r.Status)
			}
		}
	}
}

// TestLeakOfARealSeed breaks the detach of a seed for good: it is counted and told, and
// while that is only watched the seed goes on to its next gate. Otherwise Tamiyo pauses
// the seed and gives it up after a while; in strict mode it is culled at once.
func TestLeakOfARealSeed(t *testing.T) {
	b := newBench(t)
	b.config.Tamiyo.IsolationMode = leyline.RuleShadow
	rs, _ := b.run(30, false, workload.Fault{Name: workload.FaultLeak, Step: 10})
	violations := slices.DeleteFunc(only[leyline.IsolationAssessed](rs), func(e leyline.IsolationAssessed) bool { return !e.Violated })
	if len(violations) < 3 || violations[0].Leak < 1e-6 || violations[2].Violations != 3 || violations[2].Breaker != leyline.BreakerOpen {
		t.Fatalf("violations %+v", violations)
	}
	if !slices.ContainsFunc(only[leyline.GateEvaluated](rs), func(g leyline.GateEvaluated) bool { return g.Reason == leyline.ReasonIsolation }) {
		t.Errorf("no gate stops a seed that has leaked; culls %v", culls(rs))
	}
	b = newBench(t)
	rs, _ = b.run(30, false, workload.Fault{Name: workload.FaultLeak, Step: 10})
	pauses := only[leyline.SeedPaused](rs)
	if len(pauses) != 1 || pauses[0].By != leyline.PartyPolicy || len(culls(rs)) != 1 {
		t.Errorf("paused %+v, culls %v", pauses, culls(rs))
	}
	b = newBench(t)
	b.config.Kasmina.StrictIsolation = true
	rs, _ = b.run(30, false, workload.Fault{Name: workload.FaultLeak, Step: 10})
	if d := cmp.Diff([]string{"isolation_violation"}, culls(rs)); d != "" {
		t.Errorf("strict: %s", d)
	}
}
