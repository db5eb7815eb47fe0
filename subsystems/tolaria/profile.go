package tolaria

import "github.com/esper-plane/esper/leyline"

// ProfileWindow returns the first step of the profile window in which a step
// lies, or 0. Every tolaria.profile_every steps, from step 1 on, a window of
// tolaria.profile_steps begins; windows that would overlap follow one another.
func ProfileWindow(c *leyline.TolariaConfig, s leyline.Step) leyline.Step {
	if c.ProfileEvery == 0 || s == 0 {
		return 0
	}
	into := (s - 1) % leyline.Step(c.ProfileEvery)
	if into >= leyline.Step(c.ProfileSteps) {
		return 0
	}
	return s - into
}
