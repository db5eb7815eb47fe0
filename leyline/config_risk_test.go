package leyline_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestRiskSettings sets one thing wrong and expects to be told which.
func TestRiskSettings(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*leyline.TamiyoConfig)
		key    string // empty: it is right
	}{
		"as they are": {func(*leyline.TamiyoConfig) {}, ""},
		"conservative mode pauses": {
			func(c *leyline.TamiyoConfig) { c.ConservativeEffect = leyline.EffectPause }, "",
		},
		"conservative mode lets pass": {
			func(c *leyline.TamiyoConfig) { c.ConservativeEffect = leyline.EffectNone }, "tamiyo.conservative_effect",
		},
		"policy risk over the critical one": {
			func(c *leyline.TamiyoConfig) { c.PolicyRisk = 0.99 }, "tamiyo.policy_risk",
		},
		"blueprint risk over that of quarantine": {
			func(c *leyline.TamiyoConfig) { c.BlueprintRisk = 0.81 }, "tamiyo.blueprint_risk",
		},
		"warning over the spike": {
			func(c *leyline.TamiyoConfig) { c.LossWarning = 0.2 }, "tamiyo.loss_warning",
		},
		"warning at the spike": {
			func(c *leyline.TamiyoConfig) { c.LossWarning = c.LossSpike }, "",
		},
		"floor over the factor": {
			func(c *leyline.TamiyoConfig) { c.RiskRateFactor = 0.4 }, "tamiyo.risk_rate_floor",
		},
		"no number": {
			func(c *leyline.TamiyoConfig) { c.GPUUtil = math.NaN() }, "tamiyo.gpu_util",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := leyline.DefaultConfig()
			x.change(&c.Tamiyo)
			err := c.Validate()
			var bad *leyline.ConfigError
			switch {
			case x.key == "" && err != nil:
				t.Error(err)
			case x.key != "" && (!errors.As(err, &bad) || len(bad.Problems) != 1 || bad.Problems[0].Key != x.key || strings.TrimSpace(bad.Problems[0].Fix) == ""):
				t.Errorf("got %v, want one problem with %s", err, x.key)
			}
		})
	}
}
