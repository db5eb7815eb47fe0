package guard_test

import (
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
)

// torch is a posture that the default baseline accepts.
func torch() leyline.Posture {
	return leyline.Posture{
		Version: "2.8.0+cu128", Device: "cuda:0", Compile: leyline.SwitchOn, CompileMode: "reduce-overhead",
		Inference: leyline.SwitchOn, Matmul: leyline.MatmulHigh, TF32: leyline.SwitchOn, WeightsOnly: leyline.SwitchOn,
		Cudnn: leyline.Cudnn{Benchmark: leyline.SwitchOn, Deterministic: leyline.SwitchOff, TF32: leyline.SwitchOn},
	}
}

// TestPosture changes one fact about a good posture, or one demand of the
// baseline, and expects the refusal that names it.
func TestPosture(t *testing.T) {
	type p = leyline.Posture
	type c = leyline.PostureConfig
	for _, x := range []struct {
		name      string
		framework string
		posture   func(*p)
		baseline  func(*c)
		field     string // of the refusal; empty: accepted
		says      string
	}{
		{name: "the baseline", framework: "torch"},
		{name: "a patch release", framework: "torch", posture: func(x *p) { x.Version = "2.8.1" }},
		{name: "a later release", framework: "torch", posture: func(x *p) { x.Version = "2.10.0" }},
		{name: "before the baseline", framework: "torch", posture: func(x *p) { x.Version = "2.7.1+cu126" }, field: "posture.version", says: "older than posture.torch_min, 2.8"},
		{name: "a nightly of the baseline", framework: "torch", posture: func(x *p) { x.Version = "2.8.0.dev20250601" }, field: "posture.version", says: "older"},
		{name: "no version", framework: "torch", posture: func(x *p) { x.Version = "nightly" }, field: "posture.version", says: "PEP 440"},
		{name: "too new", framework: "torch", baseline: func(x *c) { x.TorchBelow = "2.8.0" }, field: "posture.version", says: "not below"},
		{name: "a local part of the oldest does not count", framework: "torch", posture: func(x *p) { x.Version = "2.8.0+aaa" }, baseline: func(x *c) { x.TorchMin = "2.8.0+cpu" }},
		{name: "nor of the first that is too new", framework: "torch", posture: func(x *p) { x.Version = "2.9+aaa" }, baseline: func(x *c) { x.TorchBelow = "2.9+cpu" }, field: "posture.version"},
		{name: "not too new", framework: "torch", baseline: func(x *c) { x.TorchBelow = "2.9" }},
		{name: "another baseline", framework: "torch", posture: func(x *p) { x.Version = "2.9.1" }, baseline: func(x *c) { x.TorchMin = "2.10" }, field: "posture.version", says: "2.10"},
		{name: "no inference mode", framework: "torch", posture: func(x *p) { x.Inference = leyline.SwitchOff }, field: "posture.inference", says: "demands, on"},
		{name: "inference mode as you like", framework: "torch", posture: func(x *p) { x.Inference = leyline.SwitchOff }, baseline: func(x *c) { x.Inference = leyline.DemandAny }},
		{name: "pickles", framework: "torch", posture: func(x *p) { x.WeightsOnly = leyline.SwitchOff }, field: "posture.weights_only"},
		{name: "compiled", framework: "torch", baseline: func(x *c) { x.Compile = leyline.DemandOff }, field: "posture.compile"},
		{name: "not compiled", framework: "torch", posture: func(x *p) { x.Compile = leyline.SwitchOff }, baseline: func(x *c) { x.Compile = leyline.DemandOn }, field: "posture.compile"},
		{name: "mode not listed", framework: "torch", baseline: func(x *c) { x.CompileModes = []string{"default"} }, field: "posture.compile_mode", says: "[default]"},
		{name: "mode of code that is not compiled", framework: "torch", posture: func(x *p) { x.Compile = leyline.SwitchOff }, baseline: func(x *c) { x.CompileModes = []string{"default"} }},
		{name: "tf32", framework: "torch", baseline: func(x *c) { x.TF32 = leyline.DemandOff }, field: "posture.tf32"},
		{name: "cudnn benchmark", framework: "torch", baseline: func(x *c) { x.CuDNNBenchmark = leyline.DemandOff }, field: "posture.cudnn.benchmark"},
		{name: "cudnn deterministic", framework: "torch", baseline: func(x *c) { x.CuDNNDeterministic = leyline.DemandOn }, field: "posture.cudnn.deterministic"},
		{name: "cudnn tf32", framework: "torch", baseline: func(x *c) { x.CuDNNTF32 = leyline.DemandOff }, field: "posture.cudnn.tf32"},
		{name: "precision", framework: "torch", baseline: func(x *c) { x.MatmulPrecisions = []string{"highest"} }, field: "posture.matmul", says: "[highest]"},
		{name: "device", framework: "torch", baseline: func(x *c) { x.Devices = []string{"cpu"} }, field: "posture.device", says: "cuda:0"},
		{name: "kind of device", framework: "torch", baseline: func(x *c) { x.Devices = []string{"cuda"} }},
		{name: "unknown framework", framework: "jax", field: "framework", says: "posture.frameworks"},
		{name: "another framework has no switches", framework: "go-gonum", posture: func(x *p) { *x = p{Version: "1", Device: "cpu"} }},
		{name: "another framework and its device", framework: "go-gonum", baseline: func(x *c) { x.Devices = []string{"tpu"} }, field: "posture.device"},
	} {
		t.Run(x.name, func(t *testing.T) {
			posture, config := torch(), leyline.DefaultConfig().Posture
			if x.posture != nil {
				x.posture(&posture)
			}
			if x.baseline != nil {
				x.baseline(&config)
			}
			r := guard.Posture(&config, x.framework, posture)
			switch {
			case r == nil && x.field == "":
			case r == nil:
				t.Errorf("accepted, want a refusal of %s", x.field)
			case r.Kind != leyline.RefusalPosture || r.Field != x.field || r.Hint == "" || !strings.Contains(r.Error(), x.says):
				t.Errorf("%v (%s)", r, r.Field)
			}
		})
	}
}

func TestCompiled(t *testing.T) {
	if r := guard.Compiled(torch()); r != nil {
		t.Error(r)
	}
	p := torch()
	p.Compile = leyline.SwitchOff
	if r := guard.Compiled(p); r == nil || r.Kind != leyline.RefusalCompileOff {
		t.Errorf("a run that does not compile fell back: %v", r)
	}
}
