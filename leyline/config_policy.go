package leyline

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// RulesConfig holds the weights of the rules policy: how much each rule counts in
// the score of what it looks at. To do nothing scores 0, and what scores highest is
// proposed. A weight of 0 turns its rule off. Whether a rule adds or takes away is
// fixed (package policy of Tamiyo), so a weight is never negative.
type RulesConfig struct {
	Germinate  float64  `toml:"germinate" comment:"Adds to every germination."`
	Plateau    float64  `toml:"plateau" comment:"Adds to a germination the more the loss has settled since the last window."`
	Falling    float64  `toml:"falling" comment:"Takes from a germination the more the loss still falls, as it does near the beginning; the less the closer the run is to its end."`
	Regression float64  `toml:"regression" comment:"Takes from a germination the more the loss rises."`
	Volatility float64  `toml:"volatility" comment:"Takes from a germination the more the loss varies."`
	Conflict   float64  `toml:"conflict" comment:"Takes from a germination the more the gradients of the tasks conflict."`
	Pressure   float64  `toml:"pressure" comment:"Takes from a germination the less room the device has. In a lockstep run the rule only watches: there no decision may depend on the machine."`
	Record     float64  `toml:"record" comment:"Adds to the germination of a kind of seed what one of it has gained in this run."`
	Novelty    float64  `toml:"novelty" comment:"Adds to the germination of a kind of seed that was tried little in this run."`
	Risk       float64  `toml:"risk" comment:"Takes from the germination of a kind of seed what its blueprint declares as risk."`
	Tier       float64  `toml:"tier" comment:"Takes from the germination of a kind of seed that is experimental, and twice from one of high risk."`
	Runway     float64  `toml:"runway" comment:"Takes from a germination the more of a seed's trial would come after the end of the run."`
	Advance    float64  `toml:"advance" comment:"Adds to the next operation of a seed that has done what its stage demands, and takes from giving up one that has not."`
	Learning   float64  `toml:"learning" comment:"Takes from the grafting of a seed the more its own loss still falls."`
	Overdue    float64  `toml:"overdue" comment:"Adds to the grafting of a seed the longer it trains past tamiyo.train_steps."`
	Harm       float64  `toml:"harm" comment:"Adds to giving up a seed the more it takes away from what is measured."`
	Unhealthy  float64  `toml:"unhealthy" comment:"Adds to giving up a seed the more is held against its health."`
	Shadow     []string `toml:"shadow" comment:"Rules that only watch: what they would have done is recorded and counted, and decides nothing."`
}

// defaultRules are the weights with which the built-in workloads train no worse than
// by the fixed order of steps before them. Four rules only watch: conflicts are what
// PCGrad resolves, unhealthy seeds are the gates' to judge, waiting for a seed's own
// loss to settle has gained nothing there, and a run that is planned to end may be
// resumed for longer.
func defaultRules() RulesConfig {
	return RulesConfig{
		Germinate: 0.25, Plateau: 1, Falling: 2, Regression: 1, Volatility: 0.25, Conflict: 0.25, Pressure: 1,
		Record: 0.25, Novelty: 0.6, Risk: 0.5, Tier: 0.25, Runway: 4,
		Advance: 1, Learning: 1.5, Overdue: 1.5, Harm: 1, Unhealthy: 1.5,
		Shadow: []string{TermConflict.String(), TermRunway.String(), TermLearning.String(), TermUnhealthy.String()},
	}
}

// Weight is how much a rule counts, 0 or more.
func (c *RulesConfig) Weight(r PolicyRule) float64 {
	if p := c.weight(r); p != nil {
		return *p
	}
	return 0
}

// Mode says whether a rule decides, only watches, or is off.
func (c *RulesConfig) Mode(r PolicyRule) RuleMode {
	switch {
	case c.Weight(r) == 0:
		return RuleOff
	case slices.Contains(c.Shadow, r.String()):
		return RuleShadow
	}
	return RuleEnforce
}

func (c *RulesConfig) weight(r PolicyRule) *float64 {
	weights := [...]*float64{
		TermUnspecified: nil, TermGerminate: &c.Germinate, TermPlateau: &c.Plateau, TermFalling: &c.Falling,
		TermRegression: &c.Regression, TermVolatility: &c.Volatility, TermConflict: &c.Conflict, TermPressure: &c.Pressure,
		TermRecord: &c.Record, TermNovelty: &c.Novelty, TermRisk: &c.Risk, TermTier: &c.Tier, TermRunway: &c.Runway,
		TermAdvance: &c.Advance, TermLearning: &c.Learning, TermOverdue: &c.Overdue, TermHarm: &c.Harm, TermUnhealthy: &c.Unhealthy,
	}
	if int(r) < len(weights) {
		return weights[r]
	}
	return nil
}

// MaxRuleWeight bounds every weight of the rules policy.
const MaxRuleWeight = 1000

func weight() rule { return between(0, MaxRuleWeight) }

// positiveWeight demands that a rule is not turned off: without rules.advance no seed
// would ever go on.
func positiveWeight() rule {
	return number(fmt.Sprintf("a number greater than 0, %d or less", MaxRuleWeight), func(x float64) bool { return x > 0 && x <= MaxRuleWeight })
}

// brokenShadow demands distinct names of rules.
func brokenShadow(v reflect.Value) (reason, fix string) {
	names := v.Interface().([]string)
	known := policyRuleNames[1:]
	for i, n := range names {
		switch {
		case !slices.Contains(known, n):
			return fmt.Sprintf("names %q, which is no rule", clip(n)), "write some of " + strings.Join(known, ", ")
		case slices.Contains(names[:i], n):
			return fmt.Sprintf("names %q twice", n), "write it once"
		}
	}
	return "", ""
}
