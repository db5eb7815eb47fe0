package kasmina

import (
	"github.com/esper-plane/esper/leyline"
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
