package kasmina

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// learn adds what one more step showed to what is known of a seed's worth. steps
// counts those of its stage, this one included; host is the number of the host's
// parameters.
func learn(q leyline.Quality, o leyline.SeedObserved, steps uint32, host uint64) leyline.Quality {
	if steps == 1 {
		q.Loss = o.Loss
	} else {
		q.Loss = decay(q.Loss, o.Loss)
	}
	if steps <= leyline.ImprovementBase {
		q.FirstLoss = running(q.FirstLoss, o.Loss, steps)
	}
	if r, told := ratio(o, host); told {
		if q.RatioSteps == 0 {
			q.Ratio = r
		} else {
			q.Ratio = decay(q.Ratio, r)
		}
		q.RatioSteps = max(q.RatioSteps, q.RatioSteps+1)
	}
	return q
}

func decay(mean, x float64) float64 {
	return float64(leyline.QualityDecay*mean) + float64((1-leyline.QualityDecay)*x)
}

// ratio is the norm of a seed's gradient over that of its host's, each divided by
// the root of its number of parameters: what one parameter of the seed learns
// beside one of the host (RESEARCH.md J.3). It returns false where a number of
// parameters was not told or the host has no gradient.
func ratio(o leyline.SeedObserved, host uint64) (float64, bool) {
	if o.Parameters == 0 || host == 0 || !(o.HostNorm > 0) || math.IsInf(o.HostNorm, 0) || math.IsNaN(o.GradNorm) || math.IsInf(o.GradNorm, 0) {
		return 0, false
	}
	return float64(o.GradNorm / o.HostNorm * math.Sqrt(float64(host)/float64(o.Parameters))), true
}

// mismatch is the stage that the trainer holds a seed for where it is another one
// than the plane's. While a directive about the seed is under way either is right.
func mismatch(t *projections.Turn, run leyline.RunID, s *projections.Seed, o leyline.SeedObserved) leyline.Stage {
	if o.Stage == s.Stage || t.State.Kasmina.Commanded(run, s.ID) {
		return leyline.StageUnknown
	}
	return o.Stage
}
