package cli

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// weigh works out the weights of a step as the plane will derive them again. Methods that
// need the plane are refused when a run with a lag is opened, and here.
func weigh(rule protocol.Rule, x *leyline.StepObserved) ([]float64, error) {
	k := len(x.Losses)
	switch rule.Aggregation {
	case leyline.AggregationSum:
		return aggregate.SumWeights(nil, k), nil
	case leyline.AggregationMean:
		return aggregate.MeanWeights(nil, k), nil
	case leyline.AggregationPCGrad:
		orders := aggregate.Orders(k, detmath.NewPCG(detmath.Mix(x.Seed)))
		return aggregate.PCGrad(nil, aggregate.Gram{K: k, V: x.Gram}, orders, rule.PCGradMean)
	}
	return nil, fmt.Errorf("the plane combines gradients by %s, which a trainer with a lag cannot; use --lag 0", rule.Aggregation)
}
