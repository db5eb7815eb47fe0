package blend

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// tolerance is how far reported figures may be from those that a plan allows: they
// are sums of rounded numbers, and another trainer may add them up in single
// precision.
const tolerance = 1e-5

// Check holds the figures that a trainer reports of a blend at alpha against its
// plan. Figures of another mode or source, a CONFIDENCE without any, and shares that
// alpha and the plan do not allow are refused. Modes whose shares alpha alone decides
// need not be reported.
func Check(p *leyline.BlendPlan, alpha float64, s leyline.BlendStats) *leyline.Refusal {
	refuse := func(field, reason string) *leyline.Refusal {
		r := invalid(field, reason)
		r.Kind, r.Hint = leyline.RefusalBlendStats, "report what was measured under the plan of the command"
		return r
	}
	switch {
	case s.Mode == leyline.BlendUnspecified && p.Mode == leyline.BlendConfidence:
		return refuse("blend", "is missing: what a confidence gate did is known to the trainer alone")
	case s.Mode == leyline.BlendUnspecified:
		return nil
	case s.Mode != p.Mode:
		return refuse("blend.mode", fmt.Sprintf("is %s, the plan says %s", s.Mode, p.Mode))
	case s.Source != p.Source:
		return refuse("blend.source", fmt.Sprintf("is %s, the plan says %s", s.Source, p.Source))
	case s.Mode != leyline.BlendConfidence && (s.GateMean != 0 || s.Clamped != 0):
		return refuse("blend.gate_mean", fmt.Sprintf("is told, but %s has no gate", s.Mode))
	}
	lo, hi := span(p, alpha)
	for _, f := range [...]struct {
		name  string
		value float64
	}{{"blend.mean", s.Mean}, {"blend.p95", s.P95}} {
		if !(f.value >= lo-tolerance && f.value <= hi+tolerance) {
			return refuse(f.name, fmt.Sprintf("is %v, alpha and the plan allow %v to %v", f.value, lo, hi))
		}
	}
	return nil
}

// span is the smallest and the largest share that an element can have.
func span(p *leyline.BlendPlan, alpha float64) (lo, hi float64) {
	switch p.Mode {
	case leyline.BlendChannel:
		return float64(alpha * slices.Min(p.Channels)), float64(alpha * slices.Max(p.Channels))
	case leyline.BlendConfidence:
		return p.Gate.Lo, min(max(alpha, p.Gate.Lo), p.Gate.Hi)
	}
	return alpha, alpha
}
