package policy

import (
	"math"

	"github.com/esper-plane/esper/leyline"
)

// blend makes the plan of a graft and says who has chosen its mode. A policy without
// an opinion leaves it to the settings. Where it has one, modes that cannot be had
// are masked: CHANNEL without shares of the channels, from the policy or the
// settings. The plan is judged as Kasmina will judge it.
func (d *decoding) blend() error {
	t, w, out := &d.q.Config.Tamiyo, &d.choice.Weighed, d.out
	plan := t.Plan()
	w.Blend, w.Start, w.End = leyline.SourceConfig, 0, 1
	if len(out.Blends) > 0 {
		c := *t
		c.BlendMode = leyline.BlendMode(1 + best(out.Blends, d.usable()))
		if len(out.Channels) > 0 {
			c.BlendChannels = out.Channels
		}
		plan, w.Blend = c.Plan(), leyline.SourcePolicy
	}
	if plan.Mode == leyline.BlendConfidence && len(out.Logits) > 0 {
		plan.Source, plan.Logits = leyline.LogitsPolicy, out.Logits
	}
	d.schedule()
	plan.TotalSteps = uint32(max(1, math.Ceil(float64((w.End-w.Start)*float64(plan.TotalSteps)))))
	d.choice.Command.Blend = plan
	return plan.Validate()
}

// usable is the mask of blend modes, bit i for the mode of code i+1; CONVEX, the
// first, always is.
func (d *decoding) usable() uint32 {
	mask := uint32(0)
	for _, m := range leyline.BlendUnspecified.Members() {
		if m != leyline.BlendChannel || len(d.out.Channels) > 0 || len(d.q.Config.Tamiyo.BlendChannels) > 0 {
			mask |= 1 << (m - 1)
		}
	}
	return mask
}

// schedule reads the start and the end of the blend as shares of its window
// (SPEC.md 3.5): swapped, and said so, if the end comes first. A plan has a length
// and no delay, so the blend takes what lies between the two.
func (d *decoding) schedule() {
	w := &d.choice.Weighed
	if len(d.out.Schedule) < leyline.PolicySchedule {
		return
	}
	w.Start, w.End = fraction(d.out.Schedule[0]), fraction(d.out.Schedule[1])
	if w.Swapped = w.End < w.Start; w.Swapped {
		w.Start, w.End = w.End, w.Start
	}
}
