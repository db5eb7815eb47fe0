package risk_test

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// TestAssess changes one fact of a calm run and expects one consequence.
func TestAssess(t *testing.T) {
	calm := risk.Facts{Operation: leyline.OpGerminate, Blueprint: &leyline.BlueprintRegistered{Risk: 0.1}, LossRise: -0.1}
	for _, c := range []struct {
		name    string
		change  func(f *risk.Facts, c *leyline.TamiyoConfig)
		reason  leyline.RiskReason
		healthy bool
	}{
		{"calm", func(*risk.Facts, *leyline.TamiyoConfig) {}, leyline.RiskPolicy, true},
		{"conservative", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.Conservative = true }, leyline.RiskConservative, true},
		{"risky blueprint", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.Blueprint.Risk = 0.5 }, leyline.RiskBlueprint, true},
		{"quarantine", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.Blueprint.Quarantine = true }, leyline.RiskQuarantine, true},
		{"spike", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.LossRise = 0.16 }, leyline.RiskLossSpike, false},
		{"at the limit", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.LossRise = 0.15 }, leyline.RiskPolicy, true},
		{"first window", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.LossRise, f.NoLast = 99, true }, leyline.RiskPolicy, true},
		{"rise not a number", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.LossRise = math.NaN() }, leyline.RiskLossSpike, false},
		{"leak", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.Violations = 1 }, leyline.RiskIsolation, false},
		{"volatile, shadow", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.Volatility = 1 }, leyline.RiskPolicy, true},
		{"volatile, enforced", func(f *risk.Facts, c *leyline.TamiyoConfig) { f.Volatility, c.VolatilityMode = 1, leyline.RuleEnforce }, leyline.RiskVolatility, false},
		{"conflicts, enforced", func(f *risk.Facts, c *leyline.TamiyoConfig) { f.Conflict, c.ConflictMode = 0.9, leyline.RuleEnforce }, leyline.RiskConflict, false},
		{"not a number, enforced", func(f *risk.Facts, c *leyline.TamiyoConfig) {
			f.Volatility, c.VolatilityMode = math.NaN(), leyline.RuleEnforce
		}, leyline.RiskVolatility, false},
		{"spike and leak: the first in order is the reason", func(f *risk.Facts, _ *leyline.TamiyoConfig) { f.LossRise, f.Violations = 1, 1 }, leyline.RiskLossSpike, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, cfg := calm, leyline.DefaultConfig().Tamiyo
			bp := *calm.Blueprint
			f.Blueprint = &bp
			c.change(&f, &cfg)
			v := risk.Assess(&cfg, f)
			if v.Reason != c.reason || v.Allowed != (c.reason == leyline.RiskPolicy) || v.Healthy != c.healthy {
				t.Errorf("got %s, allowed %v, healthy %v", v.Reason, v.Allowed, v.Healthy)
			}
		})
	}
}

func TestTraceHoldsEveryRuleThatIsNotOff(t *testing.T) {
	cfg := leyline.DefaultConfig().Tamiyo
	f := risk.Facts{Blueprint: &leyline.BlueprintRegistered{}}
	if n := len(risk.Assess(&cfg, f).Checks); n != 6 {
		t.Errorf("%d checks, want 6", n)
	}
	cfg.LossMode, cfg.VolatilityMode, cfg.ConflictMode = leyline.RuleOff, leyline.RuleOff, leyline.RuleOff
	if n := len(risk.Assess(&cfg, f).Checks); n != 3 {
		t.Errorf("%d checks with three rules off, want 3", n)
	}
}
