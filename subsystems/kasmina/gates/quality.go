package gates

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// quality holds a seed that has trained against the criteria of its worth. Their
// figures and the way they are measured follow RESEARCH.md J.3, where they belong
// to the same transition. A criterion whose value was never measured fails.
func quality(v *Verdict, c *leyline.KasminaConfig, s *projections.Seed, age leyline.Step) {
	gained := Improvement(s.Isolation)
	v.add("improvement", gained, c.MinImprovement, gained >= c.MinImprovement, c.ImprovementMode)
	v.add("age_steps", float64(age), float64(c.MinAgeSteps), age >= leyline.Step(c.MinAgeSteps), c.AgeMode)
	q := s.Isolation.Quality
	v.add("gradient_ratio", q.Ratio, c.MinGradRatio, q.RatioSteps > 0 && q.Ratio >= c.MinGradRatio, c.GradRatioMode)
}

// Improvement is how much a seed's own loss has fallen in its present stage: the
// mean over the first leyline.ImprovementBase steps less the running mean now, as a
// share of the former. It is minus infinity where it was never measured: before
// that many steps are over, or when the trainer tells no loss of the seed.
func Improvement(i projections.Isolation) float64 {
	q := i.Quality
	if i.Steps <= leyline.ImprovementBase || !(q.FirstLoss > 0) || math.IsInf(q.FirstLoss, 0) || math.IsNaN(q.Loss) {
		return math.Inf(-1)
	}
	return (q.FirstLoss - q.Loss) / q.FirstLoss
}
