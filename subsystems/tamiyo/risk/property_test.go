package risk_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// modes are those of every rule that has one.
func modes(c *leyline.TamiyoConfig) []*leyline.RuleMode {
	return []*leyline.RuleMode{
		&c.PolicyRiskMode, &c.BlueprintMode, &c.HazardMode, &c.LossMode, &c.LossWarningMode, &c.LatencyMode, &c.IsolationMode,
		&c.FallbackMode, &c.DeviceMode, &c.VolatilityMode, &c.GradVarianceMode, &c.ConflictMode, &c.OptimizerHintMode,
	}
}

// chance draws facts about half of which are over their limits.
func chance(r *rand.Rand) (leyline.TamiyoConfig, risk.Facts) {
	c, f := fixture()
	flip := func() bool { return r.IntN(2) == 0 }
	f.Conservative, f.HasRisk, f.PolicyRisk = r.IntN(4) == 0, flip(), r.Float64()
	f.Blueprint.Risk, f.Blueprint.Quarantine = r.Float64(), r.IntN(8) == 0
	f.Blueprint.Band, f.Blueprint.Handling = leyline.HazardBand(1+r.IntN(4)), leyline.HandlingClass(1+r.IntN(3))
	f.LossRise, f.NoLast, f.Volatility, f.GradVariance, f.Conflict = 0.3*r.Float64(), flip(), 0.2*r.Float64(), 2*r.Float64(), r.Float64()
	f.Violations, f.Fallback, f.Lockstep, f.Breakers = uint32(r.IntN(2)), r.IntN(4) == 0, r.IntN(4) == 0, uint32(r.IntN(2))
	f.Seen.StepNs, f.Seen.LearnRate = uint64(r.IntN(240_000_000)), 0.1*float64(r.IntN(2))
	for m := leyline.TrainHookMs; m <= leyline.TrainCPUUtil; m++ {
		if flip() {
			f.Seen.Metrics.Readings = append(f.Seen.Metrics.Readings, read(m, 120*r.Float64()))
		}
	}
	if r.IntN(4) == 0 {
		f.Kind, f.Operation, f.Blueprint = leyline.CommandUnknown, leyline.OpUnknown, nil
	}
	for _, m := range modes(&c) {
		*m = leyline.RuleMode(1 + r.IntN(3))
	}
	return c, f
}

// forced are the reasons that overwrite another (SPEC.md 3.8).
var forced = []leyline.RiskReason{
	leyline.RiskPolicyCritical, leyline.RiskQuarantine, leyline.RiskHandling, leyline.RiskHazardCritical, leyline.RiskLossSpike,
	leyline.RiskHook, leyline.RiskStepLatency, leyline.RiskApply, leyline.RiskFinalize, leyline.RiskOptimizerHint,
}

// seedOnly are the rules that concern a SEED command alone.
var seedOnly = []leyline.RiskReason{
	leyline.RiskPolicyElevated, leyline.RiskBlueprint, leyline.RiskHazardHigh, leyline.RiskLossWarning, leyline.RiskApply,
	leyline.RiskFinalize, leyline.RiskDevice, leyline.RiskCPU, leyline.RiskVolatility, leyline.RiskGradVariance, leyline.RiskConflict,
	leyline.RiskOptimizerHint,
}

// naive folds the checks of a trace in their order, as SPEC.md 3.8 tells it: a kind of
// command that changes, and a reason that is set or forced.
func naive(seed bool, checks []leyline.RiskCheck) (leyline.RiskEffect, leyline.RiskReason, []bool) {
	effect, reason := leyline.EffectNone, leyline.RiskPolicy
	changed := make([]bool, len(checks))
	for i, c := range checks {
		if c.OK || c.Mode != leyline.RuleEnforce || c.Effect == leyline.EffectNone {
			continue
		}
		if slices.Contains(seedOnly, c.Reason) && (!seed || effect != leyline.EffectNone) {
			continue
		}
		e, r := effect, reason
		if c.Effect > effect {
			e = c.Effect
		}
		if reason == leyline.RiskPolicy || slices.Contains(forced, c.Reason) {
			r = c.Reason
		}
		changed[i] = e != effect || r != reason
		effect, reason = e, r
	}
	return effect, reason, changed
}

// TestOutcomeIsTheFoldOfTheTrace: what a log holds is enough to say why.
func TestOutcomeIsTheFoldOfTheTrace(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	effects := map[leyline.RiskEffect]int{}
	for range 20_000 {
		c, f := chance(r)
		v := risk.Assess(&c, f)
		effect, reason, changed := naive(f.Kind == leyline.CommandSeed, v.Checks)
		if effect != v.Effect || reason != v.Reason {
			t.Fatalf("%s for %s; the trace says %s for %s: %+v", v.Effect, v.Reason, effect, reason, v.Checks)
		}
		for i, x := range v.Checks {
			if x.Changed != changed[i] {
				t.Fatalf("%+v", x)
			}
		}
		effects[v.Effect]++
	}
	for _, e := range leyline.EffectUnset.Members() {
		if effects[e] < 50 {
			t.Errorf("%s came up %d times only", e, effects[e])
		}
	}
}

// TestShadowChangesNothing: with every rule in shadow only conservative mode and
// breakers decide, and the trace holds what enforced rules would have found.
func TestShadowChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		c, f := chance(r)
		for _, m := range modes(&c) {
			*m = leyline.RuleShadow
		}
		shadow := risk.Assess(&c, f)
		want := leyline.EffectNone
		if f.Conservative {
			want = leyline.EffectHold
		}
		if shadow.Effect != want || shadow.Healthy != (f.Breakers == 0) {
			t.Fatalf("%s, healthy %v: %+v", shadow.Effect, shadow.Healthy, shadow.Checks)
		}
		for _, m := range modes(&c) {
			*m = leyline.RuleEnforce
		}
		enforce := risk.Assess(&c, f)
		if len(shadow.Checks) != len(enforce.Checks) {
			t.Fatalf("%d checks in shadow, %d enforced", len(shadow.Checks), len(enforce.Checks))
		}
		for i := range shadow.Checks {
			a, b := shadow.Checks[i], enforce.Checks[i]
			if a.Evaluator == leyline.EvaluatorStabilisation || a.Evaluator == leyline.EvaluatorRecovery {
				continue // they judge what the others found
			}
			if a.Reason != b.Reason || a.Value != b.Value || a.OK != b.OK || a.Effect != b.Effect {
				t.Fatalf("%+v in shadow, %+v enforced", a, b)
			}
		}
	}
}

// TestOffLeavesNoCheck, and nothing unmeasured.
func TestOffLeavesNoCheck(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		c, f := chance(r)
		for _, m := range modes(&c) {
			*m = leyline.RuleOff
		}
		for _, x := range risk.Assess(&c, f).Checks {
			switch x.Evaluator {
			case leyline.EvaluatorConservative, leyline.EvaluatorTimeouts, leyline.EvaluatorStabilisation, leyline.EvaluatorRecovery:
			default:
				t.Fatalf("%+v", x)
			}
		}
	}
}

// TestAssessIsDeterministicAndLean: the same facts give the same verdict, from one
// allocation for the checks and a few for what was not measured.
func TestAssessIsDeterministicAndLean(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 1000 {
		c, f := chance(r)
		a, b := risk.Assess(&c, f), risk.Assess(&c, f)
		if a.Effect != b.Effect || a.Reason != b.Reason || !slices.Equal(a.Checks, b.Checks) || !slices.Equal(a.Unmeasured, b.Unmeasured) {
			t.Fatalf("%+v and %+v", a, b)
		}
	}
	c, f := fixture()
	if n := testing.AllocsPerRun(100, func() { risk.Assess(&c, f) }); n > 8 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAssess(b *testing.B) {
	c, f := fixture()
	f.Conservative, f.Asked, f.Seen.StepNs = true, true, 10_000_000
	for m := leyline.TrainHookMs; m <= leyline.TrainCPUUtil; m++ {
		f.Seen.Metrics.Readings = append(f.Seen.Metrics.Readings, read(m, 1))
	}
	n := len(risk.Assess(&c, f).Checks)
	b.ReportAllocs()
	for b.Loop() {
		risk.Assess(&c, f)
	}
	b.ReportMetric(float64(n), "checks/op")
}
