package telemetry

import (
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// TestPriorityOfThreeFixtures (O-A-8): a proposal that nothing stands against, one
// that a slow hook pauses, and one that its policy finds too risky. The health of
// SPEC.md 3.9 is the level of the packet: INFO is healthy, WARNING degraded.
func TestPriorityOfThreeFixtures(t *testing.T) {
	assess := func(effect l.RiskEffect, c l.RiskCheck) l.RiskAssessed {
		c.Mode, c.Limit, c.Effect = l.RuleEnforce, 1, effect
		return l.RiskAssessed{Run: "r1", Step: 10, Kind: l.CommandSeed, Proposed: l.OpGerminate, Effect: effect, Reason: c.Reason, Checks: []l.RiskCheck{c}}
	}
	for name, x := range map[string]struct {
		e        l.RiskAssessed
		level    l.Level
		priority l.Priority
	}{
		"baseline":             {assess(l.EffectNone, l.RiskCheck{Evaluator: l.EvaluatorPolicyRisk, Reason: l.RiskPolicyElevated, Value: 0.1, OK: true}), l.LevelInfo, l.PriorityNormal},
		"latency_hook_pause":   {assess(l.EffectPause, l.RiskCheck{Evaluator: l.EvaluatorLatency, Reason: l.RiskHook, Value: 75}), l.LevelWarning, l.PriorityHigh},
		"policy_risk_critical": {assess(l.EffectConservative, l.RiskCheck{Evaluator: l.EvaluatorPolicyRisk, Reason: l.RiskPolicyCritical, Value: 0.99}), l.LevelCritical, l.PriorityCritical},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range Packets(l.Record{Seq: 2, Run: "r1", Input: l.TimerFired{Run: "r1"}, Events: []l.Event{x.e}}) {
				if p.Source == l.SubsystemTamiyo {
					if p.Level != x.level || p.Priority != x.priority {
						t.Errorf("%s at %s, want %s at %s", p.Level, p.Priority, x.level, x.priority)
					}
					return
				}
			}
			t.Error("nothing is told")
		})
	}
}
