package workload

import "github.com/esper-plane/esper/leyline"

// Config returns the configuration that a run of this workload starts from:
// esper's defaults, and for a longer run what fits its length. What a user sets
// goes on top; what was in force is in the log.
func (s Spec) Config() leyline.ExecutionConfig {
	c := leyline.DefaultConfig()
	if s.tune != nil {
		s.tune(&c)
	}
	return c
}

// tunePenguins says what loss is out of the question for three easy tasks:
// guessing costs (2 ln 3 + ln 2)/3 = 0.963.
func tunePenguins(c *leyline.ExecutionConfig) { c.Tolaria.DivergeLoss = 2 }

// tuneMultiMNIST stretches a seed's life over hundreds of steps and begins it
// early, since a young host has the most to gain; judges a seed by what it adds
// on 2,000 probe images (measured over six run seeds: filters that begin at step
// 50 add 2.0 to 3.3 points, at step 100 1.1 to 1.8; the narrow block adds -0.1 to
// 0.2); and asks the policy on the shared worker, so that it can be late. Guessing
// among ten digits costs ln 10 = 2.303, and the first steps cost up to 2.6.
func tuneMultiMNIST(c *leyline.ExecutionConfig) {
	c.Tolaria.DivergeLoss = 4
	t := &c.Tamiyo
	t.WindowSteps, t.WarmupSteps, t.TrainSteps = 25, 25, 100
	t.BlendSteps, t.BlendTemperature = 100, 10
	t.ShadowSteps, t.Probes, t.PolicyInline, t.PolicyBudget = 50, 4, false, 1_000
	k := &c.Kasmina
	k.MinTrainSteps, k.MinObserveSteps, k.ProbeEvery, k.EmbargoSteps = 50, 25, 50, 200
	k.MinContribution = 0.0075
}
