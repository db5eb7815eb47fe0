package gates_test

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
)

// good is a seed that passes every gate but G5.
func good() *projections.Seed {
	return &projections.Seed{
		ID: "seed-a", Stage: leyline.StageBlending, Mesh: []string{"layer1", "layer2"}, Complete: true, Alpha: 0.99,
		Kernel:    projections.Kernel{Ready: true, TookNs: 1e6},
		Isolation: projections.Isolation{Steps: 50, GradNorm: 0.5},
	}
}

// TestGates changes one fact about a good seed and expects the one check that
// fails for it.
func TestGates(t *testing.T) {
	type seed = projections.Seed
	cfg := leyline.DefaultConfig().Kasmina
	layers := []string{"layer1", "layer2", "layer3"}
	health := func(s *seed) gates.Verdict { return gates.GradientHealth(&cfg, s, true) }
	stability := func(s *seed) gates.Verdict { return gates.Stability(&cfg, s, 500, s.Fallbacks) }
	mesh := func(s *seed) gates.Verdict { return gates.Interface(&cfg, s, layers, s.Fallbacks) }
	for _, c := range []struct {
		name   string
		gate   func(*seed) gates.Verdict
		change func(*seed)
		fails  string
	}{
		{"G1", health, func(*seed) {}, ""},
		{"G1 without kernel", health, func(s *seed) { s.Kernel.Ready = false }, leyline.ReasonKernel},
		{"G1 violated", health, func(s *seed) { s.Isolation.Violated = true }, leyline.ReasonIsolation},
		{"G1 slow kernel in shadow", health, func(s *seed) { s.Kernel.TookNs = 25e6 }, ""},
		{"G2", stability, func(*seed) {}, ""},
		{"G2 young", stability, func(s *seed) { s.Isolation.Steps = 19 }, "trained_steps"},
		{"G2 never measured", stability, func(s *seed) { s.Isolation = projections.Isolation{} }, "trained_steps"},
		{"G2 no gradient", stability, func(s *seed) { s.Isolation.GradNorm = 0 }, "gradient_norm"},
		{"G2 gradient not a number", stability, func(s *seed) { s.Isolation.GradNorm = math.NaN() }, "gradient_norm"},
		{"G2 leak", stability, func(s *seed) { s.Isolation.MaxLeak = 1e-3 }, leyline.ReasonIsolation},
		{"G2 leak not a number", stability, func(s *seed) { s.Isolation.MaxLeak = math.NaN() }, leyline.ReasonIsolation},
		{"G3", mesh, func(*seed) {}, ""},
		{"G3 incomplete", mesh, func(s *seed) { s.Complete = false }, "blend_complete"},
		{"G3 missing layer", mesh, func(s *seed) { s.Mesh = []string{"layer1", "layer9"} }, leyline.ReasonMesh},
		{"G3 no mesh", mesh, func(s *seed) { s.Mesh = nil }, leyline.ReasonMesh},
		{"G2 fallback", stability, func(s *seed) { s.Fallbacks = 1 }, leyline.ReasonFallback},
		{"G3 fallback", mesh, func(s *seed) { s.Fallbacks = 1 }, leyline.ReasonFallback},
		{"G3 leak", mesh, func(s *seed) { s.Isolation.Violated = true }, leyline.ReasonIsolation},
		{"G5 kernel left", gates.Reset, func(*seed) {}, "kernel_detached"},
		{"G5 alpha left", gates.Reset, func(s *seed) { s.Kernel = projections.Kernel{} }, "alpha"},
		{"G5", gates.Reset, func(s *seed) { *s = seed{ID: "seed-a"} }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.change(s)
			if v := c.gate(s); v.Reason != c.fails || v.Passed != (c.fails == "") || len(v.Checks) == 0 {
				t.Errorf("passed %v, reason %q, checks %+v", v.Passed, v.Reason, v.Checks)
			}
		})
	}
}

func TestSanity(t *testing.T) {
	bp := leyline.BlueprintRegistered{Blueprint: "bp-1"}
	bad := leyline.BlueprintRegistered{Blueprint: "bp-1", Quarantine: true}
	for _, c := range []struct {
		bp    *leyline.BlueprintRegistered
		mesh  []string
		fails string
	}{
		{&bp, []string{"trunk"}, ""}, {nil, []string{"trunk"}, "blueprint_known"}, {&bad, []string{"trunk"}, "blueprint_released"}, {&bp, nil, "mesh_present"},
	} {
		if v := gates.Sanity(c.bp, c.mesh); v.Reason != c.fails {
			t.Errorf("%+v with mesh %v fails %q, want %q", c.bp, c.mesh, v.Reason, c.fails)
		}
	}
}

func TestSlowKernelFailsWhenEnforced(t *testing.T) {
	cfg := leyline.DefaultConfig().Kasmina
	s := good()
	s.Kernel.TookNs = 25e6
	shadow := gates.GradientHealth(&cfg, s, true)
	if last := shadow.Checks[len(shadow.Checks)-1]; !shadow.Passed || last.OK || last.Mode != leyline.RuleShadow {
		t.Errorf("in shadow: %+v", shadow)
	}
	cfg.LatencyMode = leyline.RuleEnforce
	if v := gates.GradientHealth(&cfg, s, true); v.Passed || v.Reason != leyline.ReasonKernelLatency {
		t.Errorf("enforced: %+v", v)
	}
}

// TestFallbacksFailG4, on the way to probation and on the way to permanence.
func TestFallbacksFailG4(t *testing.T) {
	cfg := leyline.DefaultConfig().Kasmina
	s := good()
	s.LossBefore = 1
	s.Contribution = projections.Contribution{Probes: cfg.MinProbes, Accuracy: 1}
	for name, gate := range map[string]func(fallbacks uint32) gates.Verdict{
		"probation":  func(n uint32) gates.Verdict { return gates.SystemImpact(&cfg, s, 1, n) },
		"permanence": func(n uint32) gates.Verdict { return gates.Permanence(&cfg, s, 1, n) },
	} {
		if v := gate(0); !v.Passed {
			t.Errorf("%s: %s without a fallback", name, v.Reason)
		}
		if v := gate(1); v.Passed || v.Reason != leyline.ReasonFallback {
			t.Errorf("%s: passed %v, %q", name, v.Passed, v.Reason)
		}
	}
}

// worthy is a seed that meets every criterion of its worth.
func worthy() *projections.Seed {
	s := good()
	s.Isolation.Quality = leyline.Quality{FirstLoss: 2, Loss: 1.98, Ratio: 0.1, RatioSteps: 3}
	return s
}

// TestQualityFailsClosed holds each criterion against its limit and against a value
// that was never measured, in every mode.
func TestQualityFailsClosed(t *testing.T) {
	type seed = projections.Seed
	for _, x := range []struct {
		check  string
		age    leyline.Step
		change func(*seed)
		fails  bool
	}{
		{"improvement", 500, func(*seed) {}, false},
		{"improvement", 500, func(s *seed) { s.Isolation.Quality.Loss = 1.9901 }, true},
		{"improvement", 500, func(s *seed) { s.Isolation.Quality.Loss = math.NaN() }, true},
		{"improvement", 500, func(s *seed) { s.Isolation.Quality.FirstLoss = 0 }, true},
		{"improvement", 500, func(s *seed) { s.Isolation.Quality.FirstLoss = math.NaN() }, true},
		{"improvement", 500, func(s *seed) { s.Isolation.Quality.FirstLoss = math.Inf(1) }, true},
		{"improvement", 500, func(s *seed) { s.Isolation.Steps = leyline.ImprovementBase }, true},
		{"age_steps", 200, func(*seed) {}, false},
		{"age_steps", 199, func(*seed) {}, true},
		{"gradient_ratio", 500, func(*seed) {}, false},
		{"gradient_ratio", 500, func(s *seed) { s.Isolation.Quality.Ratio = 0.0999 }, true},
		{"gradient_ratio", 500, func(s *seed) { s.Isolation.Quality.Ratio = math.NaN() }, true},
		{"gradient_ratio", 500, func(s *seed) { s.Isolation.Quality.RatioSteps = 0 }, true},
	} {
		for _, mode := range []leyline.RuleMode{leyline.RuleOff, leyline.RuleShadow, leyline.RuleEnforce} {
			c := leyline.DefaultConfig().Kasmina
			c.MinTrainSteps = 1
			c.ImprovementMode, c.AgeMode, c.GradRatioMode = mode, mode, mode
			s := worthy()
			x.change(s)
			v := gates.Stability(&c, s, x.age, 0)
			stops := x.fails && mode == leyline.RuleEnforce
			if v.Passed == stops || stops && v.Reason != x.check {
				t.Errorf("%s (%s, fails: %v): %+v", x.check, mode, x.fails, v)
			}
			found := false
			for _, k := range v.Checks {
				if k.Name == x.check {
					found = true
					if k.OK == x.fails || k.Mode != mode {
						t.Errorf("%s (%s): recorded as %+v", x.check, mode, k)
					}
				}
			}
			if found == (mode == leyline.RuleOff) {
				t.Errorf("%s (%s): recorded: %v", x.check, mode, found)
			}
		}
	}
}

func TestMeshCoverageIsTold(t *testing.T) {
	c := leyline.DefaultConfig().Kasmina
	v := gates.Interface(&c, good(), []string{"layer1"}, 0)
	if v.Passed || v.Reason != leyline.ReasonMesh || leyline.GateLevel(v.Reason) != leyline.LevelWarning {
		t.Errorf("the gate says %+v", v)
	}
	if m := v.Mesh; len(m.Missing) != 1 || m.Missing[0] != "layer2" || len(m.Required) != 2 || len(m.Available) != 1 {
		t.Errorf("coverage %+v", m)
	}
}

// TestOtherStageClosesEveryGate: whatever gate comes next, a trainer that holds the
// seed for something else than the plane stops it.
func TestOtherStageClosesEveryGate(t *testing.T) {
	c := leyline.DefaultConfig().Kasmina
	layers := []string{"layer1", "layer2"}
	for name, gate := range map[string]func(*projections.Seed) gates.Verdict{
		"G1": func(s *projections.Seed) gates.Verdict { return gates.GradientHealth(&c, s, true) },
		"G2": func(s *projections.Seed) gates.Verdict { return gates.Stability(&c, s, 500, 0) },
		"G3": func(s *projections.Seed) gates.Verdict { return gates.Interface(&c, s, layers, 0) },
		"G4": func(s *projections.Seed) gates.Verdict {
			s.LossBefore = 1
			return gates.SystemImpact(&c, s, 1, 0)
		},
		"G4 for good": func(s *projections.Seed) gates.Verdict {
			s.LossBefore, s.Contribution = 1, projections.Contribution{Probes: 9, Accuracy: 1}
			return gates.Permanence(&c, s, 1, 0)
		},
	} {
		s := worthy()
		if v := gate(s); !v.Passed {
			t.Errorf("%s stops a good seed: %s", name, v.Reason)
		}
		s.Isolation.Reported = leyline.StageTraining
		if v := gate(s); v.Passed || v.Reason != leyline.ReasonStage || leyline.GateLevel(v.Reason) != leyline.LevelCritical {
			t.Errorf("%s lets pass a seed that the trainer holds for another stage: %+v", name, v)
		}
	}
}
