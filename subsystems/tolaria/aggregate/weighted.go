package aggregate

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Normalised returns w divided by its sum: the weights of the method weighted. It
// uses the memory of dst, which may be nil or w, if that is large enough. Single
// weights may be zero or negative. The error is a *VectorError if there are none,
// if one is not finite, or if their sum is not finite or not greater than
// leyline.MinWeightTotal.
func Normalised(dst, w []float64) ([]float64, error) {
	if len(w) == 0 || len(w) > MaxTasks {
		return nil, &VectorError{Reason: ReasonWeightCount, Index: -1, Element: -1, Got: len(w), Want: MaxTasks}
	}
	for i, v := range w {
		if !finite(v) {
			return nil, &VectorError{Reason: ReasonWeight, Index: i, Element: -1, Value: v}
		}
	}
	total := detmath.Sum(w)
	if !finite(total) || total <= leyline.MinWeightTotal {
		return nil, &VectorError{Reason: ReasonTotal, Index: -1, Element: -1, Value: total}
	}
	dst = resize(dst, len(w))
	for i, v := range w {
		dst[i] = v / total
		if !finite(dst[i]) {
			return nil, &VectorError{Reason: ReasonTotal, Index: -1, Element: -1, Value: total}
		}
	}
	return dst, nil
}

// Owner is whose parameters a gradient covers: the host's, or those of a seed in
// some stage.
type Owner struct {
	Host  bool
	Stage leyline.Stage // of a seed
	Alpha float64       // of a seed, [0,1]
}

// leastStateWeight is what a seed in the network weighs at least.
const leastStateWeight = 0.1

// stageWeights is the table of SPEC.md 2.4.3. A stage without an entry weighs 0:
// nothing of such a seed is in the network, so its row takes no part.
var stageWeights = [...]float64{
	leyline.StageGerminated:   0.25,
	leyline.StageTraining:     1,
	leyline.StageBlending:     0.5,
	leyline.StageShadowing:    1,
	leyline.StageProbationary: 1,
	leyline.StageFossilized:   1,
	leyline.StageTerminated:   0,
}

// Weight returns what an owner weighs before normalisation: 1 for the host, and
// for a seed of the network
//
//	max(0.1, stage * (0.5 + 0.5*alpha))
//
// with stage from 0.25 to 1 (SPEC.md 2.4.3).
func (o Owner) Weight() float64 {
	if o.Host {
		return 1
	}
	stage := stageWeights[o.Stage]
	if stage == 0 {
		return 0
	}
	return max(leastStateWeight, float64(stage*(0.5+float64(0.5*o.Alpha))))
}

// StateWeights returns the normalised weights of the owners: the weights of the
// method state_weighted. It uses the memory of dst, which may be nil, if that is
// large enough. The error is a *VectorError if there is no owner, if an alpha is
// outside [0,1] or a stage unknown, or if none of them is in the network.
func StateWeights(dst []float64, owners []Owner) ([]float64, error) {
	dst = resize(dst, len(owners))
	for i, o := range owners {
		switch {
		case o.Host:
		case !o.Stage.Known() || o.Stage == leyline.StageUnknown:
			return nil, &VectorError{Reason: ReasonStage, Index: i, Element: -1, Value: float64(o.Stage)}
		case !(o.Alpha >= 0 && o.Alpha <= 1):
			return nil, &VectorError{Reason: ReasonAlpha, Index: i, Element: -1, Value: o.Alpha}
		}
		dst[i] = o.Weight()
	}
	return Normalised(dst, dst)
}
