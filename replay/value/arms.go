package value

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// setup is what one run is made of.
type setup struct {
	spec   workload.Spec
	config leyline.ExecutionConfig
	steps  leyline.Step
}

// prepare makes the run of an arm. rules is the row of the rules run with the same
// seed, which the matched arms are made after; other arms do not look at it.
func (a Arm) prepare(s Study, rules *Row) (setup, error) {
	spec, err := workload.Lookup(s.Workload)
	if err != nil {
		return setup{}, err
	}
	x := setup{spec: spec, config: spec.Config(), steps: s.Steps}
	x.config.Tamiyo.Enabled = a == Rules || a == Random
	x.config.Tamiyo.Policy = leyline.PolicyRules
	switch a {
	case Rules, Never:
	case Random:
		x.config.Tamiyo.Policy = leyline.PolicyRandom
	case Wider:
		x.spec, err = spec.Widened(rules.Parameters)
	case Modules:
		x.spec.Modules = rules.Modules
	case Longer:
		x.steps, err = stepsFor(spec, rules.Work, s.Steps)
	default:
		return setup{}, fmt.Errorf("unknown arm %q", a)
	}
	return x, err
}

// stepsFor is the least number of steps, and no fewer than least, in which a host
// without seeds does so many multiply-adds.
func stepsFor(spec workload.Spec, work uint64, least leyline.Step) (leyline.Step, error) {
	per, err := spec.StepWork()
	if err != nil {
		return 0, err
	}
	return max(least, leyline.Step((work+per-1)/per)), nil
}
