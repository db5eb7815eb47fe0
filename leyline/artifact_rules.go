package leyline

// Validate holds weights that come from elsewhere against the rules of the settings. The
// error is a *ConfigError that names each mistake.
func (c RulesConfig) Validate() error {
	all := DefaultConfig() // Invariant: valid, so that what is wrong is of c
	all.Rules = c
	return all.Validate()
}

// check demands weights within their bounds: what an event carries was validated whole
// when it came in.
func (c *RulesConfig) check(to *check, field string) {
	for r := range policyRuleNames {
		if w := c.Weight(PolicyRule(r)); !(w >= 0 && w <= MaxRuleWeight) {
			to.fail(Invalid(field, "holds a weight that is out of its bounds: "+policyRuleNames[r]))
		}
	}
}
