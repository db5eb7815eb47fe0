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
	stability := func(s *seed) gates.Verdict { return gates.Stability(&cfg, s, s.Fallbacks) }
	mesh := func(s *seed) gates.Verdict { return gates.Interface(&cfg, s, layers, s.Fallbacks) }
	for _, c := range []struct {
		name   string
		gate   func(*seed) gates.Verdict
		change func(*seed)
		fails  string
	}{
		{"G1", health, func(*seed) {}, ""},
		{"G1 without kernel", health, func(s *seed) { s.Kernel.Ready = false }, "kernel_ready"},
		{"G1 violated", health, func(s *seed) { s.Isolation.Violated = true }, "isolation_intact"},
		{"G1 slow kernel in shadow", health, func(s *seed) { s.Kernel.TookNs = 25e6 }, ""},
		{"G2", stability, func(*seed) {}, ""},
		{"G2 young", stability, func(s *seed) { s.Isolation.Steps = 19 }, "trained_steps"},
		{"G2 never measured", stability, func(s *seed) { s.Isolation = projections.Isolation{} }, "trained_steps"},
		{"G2 no gradient", stability, func(s *seed) { s.Isolation.GradNorm = 0 }, "gradient_norm"},
		{"G2 gradient not a number", stability, func(s *seed) { s.Isolation.GradNorm = math.NaN() }, "gradient_norm"},
		{"G2 leak", stability, func(s *seed) { s.Isolation.MaxLeak = 1e-3 }, "isolation_leak"},
		{"G2 leak not a number", stability, func(s *seed) { s.Isolation.MaxLeak = math.NaN() }, "isolation_leak"},
		{"G3", mesh, func(*seed) {}, ""},
		{"G3 incomplete", mesh, func(s *seed) { s.Complete = false }, "blend_complete"},
		{"G3 missing layer", mesh, func(s *seed) { s.Mesh = []string{"layer1", "layer9"} }, "mesh_missing_layers"},
		{"G3 no mesh", mesh, func(s *seed) { s.Mesh = nil }, "mesh_missing_layers"},
		{"G2 fallback", stability, func(s *seed) { s.Fallbacks = 1 }, "compile_fallbacks"},
		{"G3 fallback", mesh, func(s *seed) { s.Fallbacks = 1 }, "compile_fallbacks"},
		{"G3 leak", mesh, func(s *seed) { s.Isolation.Violated = true }, "isolation_leak"},
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
	if v := gates.GradientHealth(&cfg, s, true); v.Passed || v.Reason != "kernel_latency_ms" {
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
		if v := gate(1); v.Passed || v.Reason != "compile_fallbacks" {
			t.Errorf("%s: passed %v, %q", name, v.Passed, v.Reason)
		}
	}
}
