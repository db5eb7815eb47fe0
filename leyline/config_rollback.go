package leyline

import "fmt"

// FastBytes is the byte budget of the fast tier: the configured most, and no more
// than the configured share of what was free when the plane started.
func (c *TolariaConfig) FastBytes(free uint64) uint64 {
	return min(uint64(c.FastMiB)<<20, free/100*uint64(c.FastPercent))
}

// broken says when the phases of a fast rollback do not fit its deadline.
func (c *TolariaConfig) broken() (ConfigProblem, bool) {
	sum := uint64(c.RollbackPrep) + uint64(c.RollbackCommit) + uint64(c.RollbackConfirm)
	if sum <= uint64(c.RollbackFast) {
		return ConfigProblem{}, false
	}
	return ConfigProblem{
		Key: "tolaria.rollback_fast_ms", Other: "tolaria.rollback_commit_ms",
		Reason: fmt.Sprintf("is %d, less than the %d that its phases (rollback_prepare_ms, rollback_commit_ms, rollback_confirm_ms) add up to", c.RollbackFast, sum),
		Fix:    "raise it, or lower one of the phases",
	}, true
}
