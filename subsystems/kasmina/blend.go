package kasmina

import (
	"fmt"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/blend"
)

// planned judges the plan of a blend: by what name a command with it is rejected,
// and why.
func planned(p leyline.BlendPlan) (leyline.RejectReason, string) {
	r, bad := leyline.AsRefusal(p.Validate())
	if !bad {
		return leyline.RejectNone, ""
	}
	detail := r.Field + " " + r.Reason
	switch r.Kind {
	case leyline.RefusalBlendMode:
		return leyline.RejectUnknownBlendMode, detail
	case leyline.RefusalLogits:
		return leyline.RejectLogits, detail
	}
	return leyline.RejectBlendPlan, detail
}

// CheckBlends refuses a step whose figures of a blend are not what the plan of the
// seed allows (package blend). A seed that failed has none, nor has one that is paused
// or whose trainer has not answered the command to blend it yet, nor one of a step
// whose losses are no numbers: there the host went mad, and its seeds are not to blame.
func CheckBlends(s *projections.State, x *leyline.StepObserved) *leyline.Refusal {
	mad := slices.ContainsFunc(x.Losses, func(l float64) bool { return math.IsNaN(l) || math.IsInf(l, 0) })
	for i := range x.Seeds {
		o := &x.Seeds[i]
		seed := s.Kasmina.Seed(x.Run, o.Seed)
		excused := mad || seed.Paused || s.Kasmina.Commanded(x.Run, o.Seed)
		if o.Failure != leyline.SeedFailureNone || o.Blend.Mode == leyline.BlendUnspecified && excused {
			continue
		}
		if r := blend.Check(&seed.Plan, o.Alpha, o.Blend); r != nil {
			r.Field, r.Identifier = fmt.Sprintf("seeds[%d].%s", i, r.Field), string(o.Seed)
			return r
		}
	}
	return nil
}

// failures culls the seeds that the trainer had to leave out of a step.
func failures(t *projections.Turn, x leyline.StepObserved) {
	for _, o := range x.Seeds {
		if o.Failure == leyline.SeedFailureNone {
			continue
		}
		t.Emit(leyline.SeedFailed{Run: x.Run, Seed: o.Seed, Step: x.Step, Failure: o.Failure, Reason: o.Why})
		cull(t, x.Run, t.State.Kasmina.Seed(x.Run, o.Seed), "seed_"+o.Failure.String()+"_error")
	}
}
