package risk_test

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// fixture is the proposal of SPEC.md 8.3: to germinate seed-demo of bp-demo, whose
// policy finds it a tenth risky, of an experimental blueprint in stage 1, with a loss
// that has risen by 0.05, in a run that has seen enough steps for everything.
func fixture() (leyline.TamiyoConfig, risk.Facts) {
	c := leyline.DefaultConfig().Tamiyo
	return c, risk.Facts{
		Kind: leyline.CommandSeed, Operation: leyline.OpGerminate, HasRisk: true, PolicyRisk: 0.1, LossRise: 0.05,
		Samples: 100, GradSamples: 100, HasRate: true, Seen: leyline.StepSeen{LearnRate: 0.1},
		Blueprint: &leyline.RiskSubject{
			Seed: "seed-demo", Blueprint: "bp-demo", Tier: leyline.BlueprintExperimental, Stage: 1, Risk: 0.1,
			Band: leyline.HazardLow, Handling: leyline.HandlingStandard, Provenance: leyline.ProvenanceCurated,
		},
	}
}

func read(m leyline.TrainingMetric, v float64) leyline.Reading {
	return leyline.Reading{Metric: m, Value: v}
}

type change = func(*leyline.TamiyoConfig, *risk.Facts)

func enforced(c *leyline.TamiyoConfig) {
	c.LossWarningMode, c.LatencyMode, c.DeviceMode = leyline.RuleEnforce, leyline.RuleEnforce, leyline.RuleEnforce
	c.VolatilityMode, c.GradVarianceMode, c.ConflictMode = leyline.RuleEnforce, leyline.RuleEnforce, leyline.RuleEnforce
}

// TestFixtures changes one fact of the fixture and expects one consequence: the
// condition of every row of SPEC.md 3.8, at its limit and over it.
func TestFixtures(t *testing.T) {
	seen := func(rs ...leyline.Reading) change {
		return func(c *leyline.TamiyoConfig, f *risk.Facts) { enforced(c); f.Seen.Metrics.Readings = rs }
	}
	of := func(set func(*risk.Facts)) change {
		return func(c *leyline.TamiyoConfig, f *risk.Facts) { enforced(c); set(f) }
	}
	const (
		none, slow, hold, pause, conservative = leyline.EffectNone, leyline.EffectSlow, leyline.EffectHold, leyline.EffectPause, leyline.EffectConservative
	)
	for _, x := range []struct {
		name    string
		change  change
		effect  leyline.RiskEffect
		reason  leyline.RiskReason
		healthy bool
	}{
		{"baseline", of(func(*risk.Facts) {}), none, leyline.RiskPolicy, true},
		{"policy_risk_critical", of(func(f *risk.Facts) { f.PolicyRisk = 0.99 }), conservative, leyline.RiskPolicyCritical, true},
		{"policy risk at the critical limit", of(func(f *risk.Facts) { f.PolicyRisk = 0.98 }), conservative, leyline.RiskPolicyCritical, true},
		{"policy risk elevated", of(func(f *risk.Facts) { f.PolicyRisk = 0.85 }), slow, leyline.RiskPolicyElevated, true},
		{"policy risk below", of(func(f *risk.Facts) { f.PolicyRisk = 0.84 }), none, leyline.RiskPolicy, true},
		{"policy risk not a number", of(func(f *risk.Facts) { f.PolicyRisk = math.NaN() }), conservative, leyline.RiskPolicyCritical, true},
		{"policy risk not told", of(func(f *risk.Facts) { f.HasRisk, f.PolicyRisk = false, 1 }), none, leyline.RiskPolicy, true},
		{"conservative", of(func(f *risk.Facts) { f.Conservative = true }), hold, leyline.RiskConservative, true},
		{"conservative, pausing", func(c *leyline.TamiyoConfig, f *risk.Facts) {
			c.ConservativeEffect, f.Conservative = leyline.EffectPause, true
		}, pause, leyline.RiskConservative, true},
		{"blueprint_quarantine", of(func(f *risk.Facts) { f.Blueprint.Quarantine, f.Blueprint.Risk = true, 0.9 }), conservative, leyline.RiskQuarantine, true},
		{"quarantine of a mild one", of(func(f *risk.Facts) { f.Blueprint.Quarantine = true }), conservative, leyline.RiskQuarantine, true},
		{"blueprint of risk 0.85 in stage 5", of(func(f *risk.Facts) { f.Blueprint.Risk, f.Blueprint.Stage = 0.85, 5 }), conservative, leyline.RiskQuarantine, true},
		{"blueprint at 0.8", of(func(f *risk.Facts) { f.Blueprint.Risk = 0.8 }), conservative, leyline.RiskQuarantine, true},
		{"blueprint at 0.5", of(func(f *risk.Facts) { f.Blueprint.Risk = 0.5 }), slow, leyline.RiskBlueprint, true},
		{"blueprint below", of(func(f *risk.Facts) { f.Blueprint.Risk = 0.49 }), none, leyline.RiskPolicy, true},
		{"bsds_hazard_high", of(func(f *risk.Facts) {
			f.Blueprint.Risk, f.Blueprint.Band, f.Blueprint.Provenance, f.Blueprint.Score = 0.4, leyline.HazardHigh, leyline.ProvenanceUrabrask, 0.7
		}), slow, leyline.RiskHazardHigh, true},
		{"bsds hazard medium", of(func(f *risk.Facts) { f.Blueprint.Band = leyline.HazardMedium }), none, leyline.RiskPolicy, true},
		{"a seed of 0.7 that lives", of(func(f *risk.Facts) {
			f.Operation, f.Blueprint.Risk, f.Blueprint.Band = leyline.OpStabilize, 0.7, leyline.HazardHigh
		}), none, leyline.RiskPolicy, true},
		{"a seed in quarantine that lives", of(func(f *risk.Facts) { f.Operation, f.Blueprint.Quarantine = leyline.OpStabilize, true }), conservative, leyline.RiskQuarantine, true},
		{"a seed of a critical hazard that lives", of(func(f *risk.Facts) { f.Operation, f.Blueprint.Band = leyline.OpStabilize, leyline.HazardCritical }), conservative, leyline.RiskHazardCritical, true},
		{"bsds hazard critical", of(func(f *risk.Facts) { f.Blueprint.Band = leyline.HazardCritical }), conservative, leyline.RiskHazardCritical, true},
		{"bsds handling quarantine", of(func(f *risk.Facts) { f.Blueprint.Handling = leyline.HandlingQuarantine }), conservative, leyline.RiskHandling, true},
		{"bsds critical in quarantine: the last that forces", of(func(f *risk.Facts) {
			f.Blueprint.Handling, f.Blueprint.Band = leyline.HandlingQuarantine, leyline.HazardCritical
		}), conservative, leyline.RiskHazardCritical, true},
		{"loss_spike_pause", of(func(f *risk.Facts) { f.LossRise = 0.18 }), conservative, leyline.RiskLossSpike, false},
		{"loss at the limit", of(func(f *risk.Facts) { f.LossRise = 0.15 }), slow, leyline.RiskLossWarning, false},
		{"loss at half the limit", of(func(f *risk.Facts) { f.LossRise = 0.075 }), none, leyline.RiskPolicy, true},
		{"loss not a number", of(func(f *risk.Facts) { f.LossRise = math.NaN() }), conservative, leyline.RiskLossSpike, false},
		{"first window", of(func(f *risk.Facts) { f.LossRise, f.NoLast = 99, true }), none, leyline.RiskPolicy, true},
		{"latency_hook_pause", seen(read(leyline.TrainHookMs, 75)), pause, leyline.RiskHook, false},
		{"hook at the limit", seen(read(leyline.TrainHookMs, 50)), none, leyline.RiskPolicy, true},
		{"step latency", of(func(f *risk.Facts) { f.Seen.StepNs = 121e6 }), pause, leyline.RiskStepLatency, false},
		{"step at the limit", of(func(f *risk.Facts) { f.Seen.StepNs = 120e6 }), none, leyline.RiskPolicy, true},
		{"apply", seen(read(leyline.TrainApplyMs, 31)), slow, leyline.RiskApply, false},
		{"finalize", seen(read(leyline.TrainFinalizeMs, 31)), slow, leyline.RiskFinalize, false},
		{"step, apply and finalize together", func(c *leyline.TamiyoConfig, f *risk.Facts) {
			enforced(c)
			f.Seen.StepNs = 200e6
			f.Seen.Metrics.Readings = []leyline.Reading{read(leyline.TrainApplyMs, 40), read(leyline.TrainFinalizeMs, 40)}
		}, pause, leyline.RiskStepLatency, false},
		{"isolation_violation", of(func(f *risk.Facts) { f.Violations = 2 }), pause, leyline.RiskIsolation, false},
		{"compile fallback", of(func(f *risk.Facts) { f.Fallback = true }), hold, leyline.RiskFallback, true},
		{"device pressure", seen(read(leyline.TrainGPUMemFreeGB, 0.2), read(leyline.TrainGPUUtil, 95)), pause, leyline.RiskDevice, false},
		{"busy device with room", seen(read(leyline.TrainGPUMemFreeGB, 0.3), read(leyline.TrainGPUUtil, 99)), none, leyline.RiskPolicy, true},
		{"full device at rest", seen(read(leyline.TrainGPUMemFreeGB, 0.1), read(leyline.TrainGPUUtil, 94)), none, leyline.RiskPolicy, true},
		{"cpu pressure", seen(read(leyline.TrainCPUUtil, 95)), slow, leyline.RiskCPU, false},
		{"cpu below", seen(read(leyline.TrainCPUUtil, 94.9)), none, leyline.RiskPolicy, true},
		{"volatility", of(func(f *risk.Facts) { f.Volatility = 0.113 }), slow, leyline.RiskVolatility, false},
		{"volatility of too few steps", of(func(f *risk.Facts) { f.Volatility, f.Samples = 9, 9 }), none, leyline.RiskPolicy, true},
		{"gradient variance", of(func(f *risk.Facts) { f.GradVariance = 1.01 }), slow, leyline.RiskGradVariance, false},
		{"conflicts", of(func(f *risk.Facts) { f.Conflict = 0.51 }), slow, leyline.RiskConflict, false},
		{"no learning rate and a small rise", of(func(f *risk.Facts) { f.Seen.LearnRate, f.LossRise = 0, 0.1 }), slow, leyline.RiskLossWarning, false},
		{"the same with the warning off", func(c *leyline.TamiyoConfig, f *risk.Facts) {
			c.LossWarningMode, f.Seen.LearnRate, f.LossRise = leyline.RuleOff, 0, 0.1
		}, slow, leyline.RiskOptimizerHint, false},
		{"no learning rate told", of(func(f *risk.Facts) { f.Seen.LearnRate, f.HasRate, f.LossRise = 0, false, 0.06 }), none, leyline.RiskPolicy, true},
		{"no learning rate, no rise", of(func(f *risk.Facts) { f.Seen.LearnRate = 0 }), none, leyline.RiskPolicy, true},
		{"a breaker is open", of(func(f *risk.Facts) { f.Breakers = 1 }), none, leyline.RiskPolicy, false},
		{"nothing is proposed: the optimizer is left alone", of(func(f *risk.Facts) { f.Kind, f.Operation, f.Blueprint, f.Conflict = 0, 0, nil, 0.9 }), none, leyline.RiskPolicy, false},
		{"nothing is proposed: a spike is one", of(func(f *risk.Facts) { f.Kind, f.Operation, f.Blueprint, f.LossRise = 0, 0, nil, 1 }), conservative, leyline.RiskLossSpike, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, f := fixture()
			x.change(&c, &f)
			v := risk.Assess(&c, f)
			if v.Effect != x.effect || v.Reason != x.reason || v.Healthy != x.healthy {
				t.Errorf("got %s for %s, healthy %v; want %s for %s, healthy %v", v.Effect, v.Reason, v.Healthy, x.effect, x.reason, x.healthy)
			}
		})
	}
}

// TestPrecedence: a reason is set by the first and overwritten by each that forces;
// the gravest effect stands.
func TestPrecedence(t *testing.T) {
	for _, x := range []struct {
		name   string
		change change
		effect leyline.RiskEffect
		reason leyline.RiskReason
	}{
		{"set after set: the first", func(_ *leyline.TamiyoConfig, f *risk.Facts) { f.Blueprint.Risk, f.Violations = 0.6, 1 },
			leyline.EffectPause, leyline.RiskBlueprint},
		{"force after set: the second", func(_ *leyline.TamiyoConfig, f *risk.Facts) { f.Blueprint.Risk, f.LossRise = 0.6, 1 },
			leyline.EffectConservative, leyline.RiskLossSpike},
		{"force after force: the second", func(_ *leyline.TamiyoConfig, f *risk.Facts) { f.PolicyRisk, f.LossRise = 1, 1 },
			leyline.EffectConservative, leyline.RiskLossSpike},
		{"set after force: the first", func(_ *leyline.TamiyoConfig, f *risk.Facts) { f.LossRise, f.Violations = 1, 1 },
			leyline.EffectConservative, leyline.RiskLossSpike},
		{"a forced reason of a milder effect", func(_ *leyline.TamiyoConfig, f *risk.Facts) { f.LossRise, f.Seen.StepNs = 1, 1e9 },
			leyline.EffectConservative, leyline.RiskStepLatency},
		{"nothing for the optimizer once the proposal is no SEED command", func(_ *leyline.TamiyoConfig, f *risk.Facts) {
			f.Conservative = true
			f.Seen.Metrics.Readings = []leyline.Reading{read(leyline.TrainApplyMs, 99)}
		}, leyline.EffectHold, leyline.RiskConservative},
		{"nor a pause for the device", func(_ *leyline.TamiyoConfig, f *risk.Facts) {
			f.Blueprint.Risk = 0.6
			f.Seen.Metrics.Readings = []leyline.Reading{read(leyline.TrainGPUMemFreeGB, 0), read(leyline.TrainGPUUtil, 100)}
		}, leyline.EffectSlow, leyline.RiskBlueprint},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, f := fixture()
			enforced(&c)
			x.change(&c, &f)
			if v := risk.Assess(&c, f); v.Effect != x.effect || v.Reason != x.reason {
				t.Errorf("got %s for %s, want %s for %s", v.Effect, v.Reason, x.effect, x.reason)
			}
		})
	}
}

// TestEvaluatorsRunInTheirOrder (O-A-9) and all eleven of them look.
func TestEvaluatorsRunInTheirOrder(t *testing.T) {
	c, f := fixture()
	f.Conservative, f.Asked = true, true
	f.Seen.Metrics.Readings = []leyline.Reading{read(leyline.TrainHookMs, 1)}
	v := risk.Assess(&c, f)
	last, looked := leyline.EvaluatorUnspecified, map[leyline.RiskEvaluator]bool{}
	for _, x := range v.Checks {
		if x.Evaluator < last {
			t.Errorf("%s after %s", x.Evaluator, last)
		}
		last, looked[x.Evaluator] = x.Evaluator, true
	}
	if len(looked) != len(leyline.EvaluatorUnspecified.Members()) || len(looked) != 11 {
		t.Errorf("%d evaluators looked: %v", len(looked), looked)
	}
}

// TestLockstepOnlyWatchesTime: no decision may depend on it.
func TestLockstepOnlyWatchesTime(t *testing.T) {
	c, f := fixture()
	enforced(&c)
	f.Lockstep, f.Seen.StepNs = true, 1e9
	f.Seen.Metrics.Readings = []leyline.Reading{
		read(leyline.TrainHookMs, 999), read(leyline.TrainApplyMs, 999), read(leyline.TrainFinalizeMs, 999),
		read(leyline.TrainGPUMemFreeGB, 0), read(leyline.TrainGPUUtil, 100),
	}
	v := risk.Assess(&c, f)
	if v.Effect != leyline.EffectNone || v.Reason != leyline.RiskPolicy || !v.Healthy {
		t.Errorf("%s for %s, healthy %v", v.Effect, v.Reason, v.Healthy)
	}
	found := 0
	for _, x := range v.Checks {
		if !x.OK && x.Mode == leyline.RuleShadow {
			found++
		}
	}
	if found != 5 {
		t.Errorf("%d findings in shadow, want 5", found)
	}
}

// TestRecovery counts the healthy windows; one that is not healthy begins again.
func TestRecovery(t *testing.T) {
	c, f := fixture()
	c.HealthyWindows, f.Conservative = 2, true
	for _, x := range []struct {
		before uint32
		rise   float64
		want   bool
	}{{0, 0, false}, {1, 0, true}, {5, 1, false}} {
		f.Healthy, f.LossRise = x.before, x.rise
		if v := risk.Assess(&c, f); v.Recovered != x.want || v.Effect < leyline.EffectHold {
			t.Errorf("after %d windows and a rise of %v: recovered %v, effect %s", x.before, x.rise, v.Recovered, v.Effect)
		}
	}
}

// TestUnmeasuredIsNotJudged and says so, in order; a rule that is off does not.
func TestUnmeasuredIsNotJudged(t *testing.T) {
	c, f := fixture()
	f.HasRisk, f.HasRate, f.NoLast, f.Samples, f.GradSamples = false, false, true, 0, 0
	v := risk.Assess(&c, f)
	want := []leyline.RiskReason{
		leyline.RiskPolicyElevated, leyline.RiskPolicyTimeout, leyline.RiskLossSpike, leyline.RiskHook, leyline.RiskStepLatency,
		leyline.RiskApply, leyline.RiskFinalize, leyline.RiskDevice, leyline.RiskCPU, leyline.RiskVolatility, leyline.RiskGradVariance,
		leyline.RiskConflict, leyline.RiskOptimizerHint,
	}
	if len(v.Unmeasured) != len(want) {
		t.Fatalf("unmeasured %v", v.Unmeasured)
	}
	for i := range want {
		if v.Unmeasured[i] != want[i] {
			t.Errorf("unmeasured %d is %s, want %s", i, v.Unmeasured[i], want[i])
		}
	}
	for _, x := range v.Checks {
		for _, u := range v.Unmeasured {
			if x.Reason == u {
				t.Errorf("%s was judged, and not measured", u)
			}
		}
	}
	c.LatencyMode = leyline.RuleOff
	if n := len(risk.Assess(&c, f).Unmeasured); n != len(want)-4 {
		t.Errorf("%d unmeasured with the latencies off", n)
	}
}
