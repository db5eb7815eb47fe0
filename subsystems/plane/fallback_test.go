package plane_test

import (
	"context"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestFallbacksComeThroughTheDoor opens runs of torch: one that does not meet the
// baseline, one that does and falls back, and one that never said it compiles.
func TestFallbacksComeThroughTheDoor(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	log := b.newLog()
	p := b.mustStart(log)
	open := func(run leyline.RunID, change func(*leyline.Posture)) error {
		in := leyline.RunOpened{
			Run: run, Workload: "w", Framework: leyline.FrameworkTorch, Tasks: []leyline.TaskID{"a"}, Parameters: 1, Steps: 9,
			Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
			Posture: leyline.Posture{
				Version: "2.8.0+cpu", Device: "cpu", Compile: leyline.SwitchOn, CompileMode: "default", Inference: leyline.SwitchOn,
				Matmul: leyline.MatmulHighest, TF32: leyline.SwitchOff, WeightsOnly: leyline.SwitchOn,
				Cudnn: leyline.Cudnn{Benchmark: leyline.SwitchOff, Deterministic: leyline.SwitchOn, TF32: leyline.SwitchOff},
			},
		}
		change(&in.Posture)
		_, err := p.Open(ctx, in)
		return err
	}
	fallback := func(run leyline.RunID, stage leyline.FallbackStage) error {
		_, err := p.Fallback(ctx, leyline.CompileFallback{
			Run: run, Incarnation: 1, Stage: stage, Reason: "Unsupported: call to print",
		}, 0)
		return err
	}
	kind := func(err error) leyline.RefusalKind {
		if r, ok := leyline.AsRefusal(err); ok {
			return r.Kind
		}
		if err != nil {
			t.Fatal(err)
		}
		return leyline.RefusalNone
	}
	if k := kind(open("old", func(p *leyline.Posture) { p.Version = "2.7.1" })); k != leyline.RefusalPosture {
		t.Errorf("torch 2.7.1: %s", k)
	}
	if k := kind(open("eager", func(p *leyline.Posture) { p.Compile, p.CompileMode = leyline.SwitchOff, "" })); k != leyline.RefusalNone {
		t.Errorf("eager: %s", k)
	}
	if k := kind(fallback("eager", leyline.FallbackCompile)); k != leyline.RefusalCompileOff {
		t.Errorf("a fallback of what was not compiled: %s", k)
	}
	if k := kind(open("run", func(*leyline.Posture) {})); k != leyline.RefusalNone {
		t.Errorf("the baseline: %s", k)
	}
	for _, stage := range []leyline.FallbackStage{leyline.FallbackCompile, leyline.FallbackWarmup, leyline.FallbackRuntime} {
		if k := kind(fallback("run", stage)); k != leyline.RefusalNone {
			t.Errorf("a fallback: %s", k)
		}
	}
	mustStop(t, p)
	s := mustRedecide(t, log)
	if b := s.Tolaria.Run("run").Breaker(leyline.BreakerCompile); b.State != leyline.BreakerOpen {
		t.Errorf("after three fallbacks: %+v", b)
	}
	if n := s.Plane.Violations; n != 2 {
		t.Errorf("%d refusals are recorded, want 2", n)
	}
}
