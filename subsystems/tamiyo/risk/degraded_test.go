package risk_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

func TestDegraded(t *testing.T) {
	for _, x := range []struct {
		mode  leyline.RuleMode
		mean  float64
		level leyline.Level
		safe  bool
	}{
		{leyline.RuleEnforce, 1, leyline.LevelUnspecified, false},
		{leyline.RuleEnforce, 0.30, leyline.LevelUnspecified, false},
		{leyline.RuleEnforce, 0.29, leyline.LevelWarning, false},
		{leyline.RuleEnforce, 0.11, leyline.LevelWarning, false},
		{leyline.RuleEnforce, 0.10, leyline.LevelCritical, true},
		{leyline.RuleEnforce, 0, leyline.LevelCritical, true},
		{leyline.RuleShadow, 0, leyline.LevelCritical, false},
		{leyline.RuleOff, 0, leyline.LevelUnspecified, false},
	} {
		c := leyline.DefaultConfig().Tamiyo
		c.DegradedMode = x.mode
		level, safe := risk.Degraded(&c, leyline.Coverage{Mean: x.mean})
		if level != x.level || safe != x.safe {
			t.Errorf("%s at %v: %s, %v", x.mode, x.mean, level, safe)
		}
	}
}
