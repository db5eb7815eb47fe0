package leyline_test

import (
	"errors"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func TestRulesConfig(t *testing.T) {
	for _, x := range []struct {
		name   string
		shadow []string
		ok     bool
	}{
		{"none", nil, true},
		{"two", []string{"plateau", "harm"}, true},
		{"no rule", []string{"plateu"}, false},
		{"the unset one", []string{"unspecified"}, false},
		{"twice", []string{"harm", "harm"}, false},
	} {
		c := leyline.DefaultConfig()
		c.Rules.Shadow = x.shadow
		var bad *leyline.ConfigError
		if err := c.Validate(); (err == nil) != x.ok || err != nil && (!errors.As(err, &bad) || bad.Problems[0].Key != "rules.shadow") {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// TestEveryRuleHasItsWeight catches a rule that was added without a setting.
func TestEveryRuleHasItsWeight(t *testing.T) {
	c := leyline.DefaultConfig()
	for _, r := range leyline.TermUnspecified.Members() {
		if c.Rules.Weight(r) <= 0 || c.Rules.Mode(r) == leyline.RuleOff {
			t.Errorf("%s has the weight %v", r, c.Rules.Weight(r))
		}
	}
	if m := c.Rules.Mode(leyline.TermConflict); m != leyline.RuleShadow {
		t.Errorf("conflict is %s", m)
	}
	c.Rules.Harm = 0
	if m := c.Rules.Mode(leyline.TermHarm); m != leyline.RuleOff || c.Rules.Weight(leyline.TermUnspecified) != 0 {
		t.Errorf("without a weight harm is %s", m)
	}
}
