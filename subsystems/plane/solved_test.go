package plane

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kernelcache"
)

// A step that was solved for one rule, and reaches the loop under another, is
// solved again there; one that fits passes as it is.
func TestRuleThatChangedBetweenDoorAndLoop(t *testing.T) {
	l := &loop{plane: &Plane{kernels: kernelcache.New[kernelFacts](0, 0, nil)}, state: &projections.State{}}
	if l.announce(); l.plane.rule.Load() != nil {
		t.Error("a rule is announced before there is a configuration")
	}
	l.state.Plane.Configured, l.state.Plane.Config = true, leyline.DefaultConfig()
	c := &l.state.Plane.Config.Tolaria
	c.Aggregation = leyline.AggregationMGDA
	l.announce()
	x := leyline.StepObserved{Losses: []float64{1, 1}, Gram: []float64{18, -22, -22, 38}}
	in := l.solved(x).(leyline.StepObserved)
	if in.Solution.Method != leyline.AggregationMGDA || math.Abs(in.Solution.Weights[0]-0.6) > 1e-12 {
		t.Fatalf("unsolved: %+v", in.Solution)
	}
	in.Solution.Iterations = 77
	if again := l.solved(in).(leyline.StepObserved); again.Solution.Iterations != 77 {
		t.Error("a solution that fits was replaced")
	}
	c.Aggregation, c.CAGradC = leyline.AggregationCAGrad, 0.4
	in = l.solved(in).(leyline.StepObserved)
	if in.Solution.Method != leyline.AggregationCAGrad || in.Solution.Option != 0.4 {
		t.Errorf("after the change: %+v", in.Solution)
	}
	if l.plane.rule.Load().Aggregation != leyline.AggregationMGDA {
		t.Error("the door sees a rule before it is announced")
	}
	c.Aggregation = leyline.AggregationPCGrad
	if in = l.solved(in).(leyline.StepObserved); in.Solution.Method != leyline.AggregationUnspecified {
		t.Errorf("pcgrad needs no solution: %+v", in.Solution)
	}
}
