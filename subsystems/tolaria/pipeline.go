package tolaria

import (
	"fmt"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// agree holds the weights that a pipelined trainer has applied against those that are
// derived here, bit for bit. derived is nil where nothing was to be applied.
func agree(t *projections.Turn, x leyline.StepObserved, derived []float64) {
	if len(x.Applied) == 0 || slices.EqualFunc(x.Applied, derived, identical) {
		return
	}
	t.Emit(leyline.WeightsMismatched{Run: x.Run, Step: x.Step, Applied: slices.Clone(x.Applied), Derived: derived})
}

func identical(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// CheckLag refuses a pipelined trainer under a method whose weights it cannot compute
// by itself: they depend on the state of the plane, or on its solver.
func CheckLag(c *leyline.TolariaConfig, plan *leyline.RunOpened) *leyline.Refusal {
	if plan.Lag == 0 {
		return nil
	}
	switch c.Aggregation {
	case leyline.AggregationSum, leyline.AggregationMean, leyline.AggregationPCGrad, leyline.AggregationWeighted:
		return nil
	}
	return &leyline.Refusal{
		Subsystem: leyline.SubsystemTolaria, Kind: leyline.RefusalInvalidField, Field: "lag", Identifier: fmt.Sprint(plan.Lag),
		Reason: fmt.Sprintf("is not 0, and the weights of %s are known to the plane alone", c.Aggregation),
		Hint:   "open the run with lag 0, or choose sum, mean, weighted or pcgrad as tolaria.aggregation",
	}
}
