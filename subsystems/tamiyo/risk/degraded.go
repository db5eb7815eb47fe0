package risk

import "github.com/esper-plane/esper/leyline"

// Degraded judges how much of what the policy is told was known (SPEC.md 3.7). The
// mean is over every feature that a node could have, those included of which nothing
// was known. Below tamiyo.degraded_warning it is a WARNING; at or below
// tamiyo.degraded_critical it is CRITICAL, and safe says that nothing may be proposed
// on such grounds. A rule that is off sees nothing, one in shadow only tells.
func Degraded(c *leyline.TamiyoConfig, coverage leyline.Coverage) (level leyline.Level, safe bool) {
	switch {
	case c.DegradedMode == leyline.RuleOff:
		return leyline.LevelUnspecified, false
	case coverage.Mean <= c.DegradedCritical:
		return leyline.LevelCritical, c.DegradedMode == leyline.RuleEnforce
	case coverage.Mean < c.DegradedWarning:
		return leyline.LevelWarning, false
	}
	return leyline.LevelUnspecified, false
}
