package workload

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Judgement is how the network stood on the held-out rows after a step.
type Judgement struct {
	Step     leyline.Step
	Losses   []float64 // per task: mean cross-entropy in nats
	Accuracy []float64 // per task, [0,1]
}

// judge adds to the curve if it is time. Nothing is decided by it and the plane never
// hears of it. What a rollback took back is taken out of the curve.
func (t *trainer) judge() error {
	every := t.opts.JudgeEvery
	if every == 0 || t.step%every != 0 {
		return nil
	}
	ev, err := t.net.Evaluate(t.data.HeldOut)
	if err != nil {
		return err
	}
	c := slices.DeleteFunc(t.result.Curve, func(j Judgement) bool { return j.Step >= t.step })
	t.result.Curve = append(c, Judgement{Step: t.step, Losses: ev.Losses, Accuracy: ev.Accuracy})
	return nil
}
