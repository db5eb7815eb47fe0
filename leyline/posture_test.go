package leyline_test

import (
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func torchRun() leyline.RunOpened {
	return leyline.RunOpened{
		Run: "r", Workload: "w", Framework: "torch", Tasks: []leyline.TaskID{"a"}, Parameters: 1, Steps: 1,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
		Posture: leyline.Posture{
			Version: "2.8.0", Device: "cpu", Compile: leyline.SwitchOn, CompileMode: "default", Inference: leyline.SwitchOn,
			Matmul: leyline.MatmulHighest, TF32: leyline.SwitchOff, WeightsOnly: leyline.SwitchOn,
			Cudnn: leyline.Cudnn{Benchmark: leyline.SwitchOff, Deterministic: leyline.SwitchOn, TF32: leyline.SwitchOff},
		},
	}
}

// TestTorchDeclaresEverything leaves out one declaration at a time: nothing is
// assumed in its place.
func TestTorchDeclaresEverything(t *testing.T) {
	if err := torchRun().Validate(); err != nil {
		t.Fatal(err)
	}
	for field, forget := range map[string]func(*leyline.Posture){
		"version":             func(p *leyline.Posture) { p.Version = "" },
		"device":              func(p *leyline.Posture) { p.Device = "" },
		"compile":             func(p *leyline.Posture) { p.Compile = 0 },
		"compile_mode":        func(p *leyline.Posture) { p.CompileMode = "" },
		"inference":           func(p *leyline.Posture) { p.Inference = 0 },
		"matmul":              func(p *leyline.Posture) { p.Matmul = 0 },
		"tf32":                func(p *leyline.Posture) { p.TF32 = 0 },
		"cudnn.benchmark":     func(p *leyline.Posture) { p.Cudnn.Benchmark = 0 },
		"cudnn.deterministic": func(p *leyline.Posture) { p.Cudnn.Deterministic = 0 },
		"cudnn.tf32":          func(p *leyline.Posture) { p.Cudnn.TF32 = 0 },
		"weights_only":        func(p *leyline.Posture) { p.WeightsOnly = 0 },
	} {
		x := torchRun()
		forget(&x.Posture)
		r, ok := leyline.AsRefusal(x.Validate())
		if !ok || r.Kind != leyline.RefusalMissingField || r.Field != "posture."+field {
			t.Errorf("without %s: %v", field, r)
		}
	}
	other := torchRun()
	other.Framework, other.Posture = "go-gonum", leyline.Posture{Version: "1", Device: "cpu"}
	if err := other.Validate(); err != nil {
		t.Errorf("another framework: %v", err)
	}
	other.Posture.TF32 = 9
	if r, ok := leyline.AsRefusal(other.Validate()); !ok || r.Field != "posture.tf32" {
		t.Errorf("an unknown switch: %v", r)
	}
}

func TestPostureConfig(t *testing.T) {
	for key, change := range map[string]func(*leyline.ExecutionConfig){
		"posture.frameworks":         func(c *leyline.ExecutionConfig) { c.Posture.Frameworks = nil },
		"posture.torch_min":          func(c *leyline.ExecutionConfig) { c.Posture.TorchMin = "new" },
		"posture.torch_below":        func(c *leyline.ExecutionConfig) { c.Posture.TorchBelow = "2.8" },
		"posture.devices":            func(c *leyline.ExecutionConfig) { c.Posture.Devices = []string{"cpu", "cpu"} },
		"posture.devices ":           func(c *leyline.ExecutionConfig) { c.Posture.Devices = []string{"cuda:0"} },
		"posture.compile_modes":      func(c *leyline.ExecutionConfig) { c.Posture.CompileModes = []string{"max autotune"} },
		"posture.matmul_precisions":  func(c *leyline.ExecutionConfig) { c.Posture.MatmulPrecisions = []string{"half"} },
		"posture.weights_only":       func(c *leyline.ExecutionConfig) { c.Posture.WeightsOnly = 0 },
		"kasmina.fallback_mode":      func(c *leyline.ExecutionConfig) { c.Kasmina.FallbackMode = 0 },
		"breaker.failures":           func(c *leyline.ExecutionConfig) { c.Breaker.Failures = 0 },
		"breaker.open_steps":         func(c *leyline.ExecutionConfig) { c.Breaker.OpenSteps = 0 },
		"telemetry.queue_critical":   func(c *leyline.ExecutionConfig) { c.Telemetry.QueueCritical = 0 },
		"telemetry.queue_normal":     func(c *leyline.ExecutionConfig) { c.Telemetry.QueueNormal = 1<<20 + 1 },
		"telemetry.webhook_file":     func(c *leyline.ExecutionConfig) { c.Telemetry.WebhookFile = "a\x00b" },
		"telemetry.webhook_priority": func(c *leyline.ExecutionConfig) { c.Telemetry.WebhookPriority = leyline.PriorityNormal },
	} {
		c := leyline.DefaultConfig()
		change(&c)
		err, ok := c.Validate().(*leyline.ConfigError)
		if !ok || len(err.Problems) != 1 || err.Problems[0].Key != strings.TrimSpace(key) || err.Problems[0].Fix == "" {
			t.Errorf("%s: %v", key, err)
		}
	}
	c := leyline.DefaultConfig()
	c.Telemetry.WebhookFile, c.Posture.TorchBelow = "/etc/esper/webhook", "3"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

// TestOptionalFigures checks that a list of optional figures has one form.
func TestOptionalFigures(t *testing.T) {
	step := func(m leyline.TrainingMetrics) error {
		return leyline.StepObserved{
			Run: "r", Incarnation: 1, Step: 1, Losses: []float64{1}, Gram: []float64{1}, Samples: 1, Metrics: m,
		}.Validate()
	}
	type list = []leyline.Reading
	good := leyline.TrainingMetrics{
		Readings: list{{Metric: leyline.TrainHookMs, Value: 1}, {Metric: leyline.TrainCPUUtil, Value: 99}},
		Extra:    []leyline.Extra{{Name: "a", Value: -1}, {Name: "b"}},
	}
	if err := step(good); err != nil {
		t.Error(err)
	}
	if v, ok := good.Get(leyline.TrainCPUUtil); !ok || v != 99 {
		t.Errorf("reads %v, %v", v, ok)
	}
	if _, ok := good.Get(leyline.TrainGPUUtil); ok {
		t.Error("a figure that was not reported is there")
	}
	nan := 0.0
	nan /= nan
	for field, m := range map[string]leyline.TrainingMetrics{
		"metrics.readings[0].metric": {Readings: list{{Value: 1}}},
		"metrics.readings[1].metric": {Readings: list{{Metric: leyline.TrainHookMs}, {Metric: leyline.TrainHookMs}}},
		"metrics.readings[0].value":  {Readings: list{{Metric: leyline.TrainHookMs, Value: nan}}},
		"metrics.extra[1].name":      {Extra: []leyline.Extra{{Name: "b"}, {Name: "a"}}},
		"metrics.extra[0].name":      {Extra: []leyline.Extra{{Name: "no spaces"}}},
		"metrics.extra":              {Extra: make([]leyline.Extra, leyline.MaxExtraMetrics+1)},
	} {
		if r, ok := leyline.AsRefusal(step(m)); !ok || r.Field != field {
			t.Errorf("%s: %v", field, r)
		}
	}
}

func TestDecisionMetadata(t *testing.T) {
	good := leyline.DecisionMetadata{
		Policy: "rules/1", Reason: leyline.RiskPolicy, Asked: 10,
		Scores:   []leyline.Score{{Kind: leyline.ScoreValue, Value: -3}, {Kind: leyline.ScoreRisk, Value: 0.5}},
		Coverage: []leyline.GroupCoverage{{Group: "edges", Ratio: 1}},
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	if v, ok := good.Score(leyline.ScoreRisk); !ok || v != 0.5 {
		t.Errorf("reads %v, %v", v, ok)
	}
	for field, change := range map[string]func(*leyline.DecisionMetadata){
		"reason":            func(d *leyline.DecisionMetadata) { d.Reason = 200 },
		"scores[1].value":   func(d *leyline.DecisionMetadata) { d.Scores[1].Value = 2 },
		"scores[1].kind":    func(d *leyline.DecisionMetadata) { d.Scores[1].Kind = leyline.ScoreValue },
		"coverage[0].ratio": func(d *leyline.DecisionMetadata) { d.Coverage[0].Ratio = -1 },
		"policy":            func(d *leyline.DecisionMetadata) { d.Policy = strings.Repeat("x", leyline.MaxIDLen+1) },
		"coverage": func(d *leyline.DecisionMetadata) {
			d.Coverage = make([]leyline.GroupCoverage, leyline.MaxExtraMetrics+1)
		},
		"coverage[0].group": func(d *leyline.DecisionMetadata) { d.Coverage[0].Group = "" },
	} {
		d := good
		d.Scores = append([]leyline.Score(nil), good.Scores...)
		d.Coverage = append([]leyline.GroupCoverage(nil), good.Coverage...)
		change(&d)
		if r, ok := leyline.AsRefusal(d.Validate()); !ok || r.Field != field {
			t.Errorf("%s: %v", field, r)
		}
	}
}

func TestFieldReport(t *testing.T) {
	good := leyline.FieldReport{
		Report: "fr-1", Command: "c-1", Run: "r", Seed: "s", Blueprint: "b", Outcome: leyline.ReportNeutral,
		WindowEpochs: 1, IssuedAt: 5, Policy: "rules/1", Kind: leyline.CommandSeed, Closure: leyline.ReportByEpochs,
		FollowUps: []leyline.Mitigation{{Kind: leyline.EventRollbackStarted, Record: 7}},
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for field, change := range map[string]func(*leyline.FieldReport){
		"report":               func(r *leyline.FieldReport) { r.Report = "" },
		"run":                  func(r *leyline.FieldReport) { r.Run = "" },
		"outcome":              func(r *leyline.FieldReport) { r.Outcome = 0 },
		"issued_at":            func(r *leyline.FieldReport) { r.IssuedAt = 0 },
		"window_epochs":        func(r *leyline.FieldReport) { r.WindowEpochs = 0 },
		"delta.risk_score":     func(r *leyline.FieldReport) { r.Delta.RiskScore = 1.5 },
		"delta.policy_ms":      func(r *leyline.FieldReport) { r.Delta.PolicyMs = -1 },
		"follow_ups[0].record": func(r *leyline.FieldReport) { r.FollowUps = []leyline.Mitigation{{Kind: 1}} },
	} {
		r := good
		change(&r)
		if got, ok := leyline.AsRefusal(r.Validate()); !ok || got.Field != field {
			t.Errorf("%s: %v", field, got)
		}
	}
}
