package aggregate

import "github.com/esper-plane/esper/leyline"

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
