package projections

import "github.com/esper-plane/esper/leyline"

// Rebuild is what was asked of an optimizer. It is never rewound: its storm guard
// counts healthy steps over all incarnations.
type Rebuild struct {
	Order leyline.EffectID // not acknowledged yet; zero when there is none
	Due   leyline.Instant  // for that
	Step  leyline.Step     // of the fence
	Fence leyline.Fence    // that was reached
	Asked bool             // at least once
	Last  uint64           // healthy steps when one was last asked for
	Done  uint64
}

// applyRebuild follows the rebuilds of an optimizer.
func (r *Run) applyRebuild(id leyline.EffectID, e leyline.Event) {
	b := &r.Rebuild
	switch x := e.(type) {
	case leyline.OptimizerRebuild:
		switch x.Stage {
		case leyline.RebuildRequested:
			b.Order, b.Due, b.Step, b.Fence, b.Asked, b.Last = id, x.Deadline, x.Step, x.Fence, true, r.Steps
		case leyline.RebuildDone:
			b.Order, b.Due, b.Done = leyline.EffectID{}, 0, b.Done+1
		case leyline.RebuildFailed, leyline.RebuildVoid:
			b.Order, b.Due = leyline.EffectID{}, 0
		}
	case leyline.EffectRecovered:
		if x.Effect == b.Order {
			b.Order, b.Due = leyline.EffectID{}, 0
		}
	}
}
