package tolaria

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// combine decides the weights of a step that CheckWeights admitted.
func combine(t *projections.Turn, r *projections.Run, x leyline.StepObserved, g aggregate.Gram) leyline.GradientsCombined {
	c := &t.Config().Tolaria
	n, ratio := aggregate.Conflicts(g)
	e := leyline.GradientsCombined{Run: x.Run, Step: x.Step, Method: c.Aggregation, Conflicts: uint32(n), Ratio: ratio}
	var err error
	switch c.Aggregation {
	case leyline.AggregationSum:
		e.Weights = aggregate.SumWeights(nil, g.K)
	case leyline.AggregationMean:
		e.Weights = aggregate.MeanWeights(nil, g.K)
	case leyline.AggregationPCGrad:
		e.Weights, err = aggregate.PCGrad(nil, g, orders(x, g.K), c.PCGradMean)
	case leyline.AggregationGradVac:
		e.Weights, e.Targets, err = aggregate.GradVac(nil, r.Track.Targets, g, orders(x, g.K), c.GradVacBeta)
	case leyline.AggregationWeighted:
		e.Weights, err = aggregate.Normalised(nil, r.Plan.TaskWeights)
	case leyline.AggregationStateWeighted:
		rows := owners(t.State, r)
		if e.Weights, err = aggregate.StateWeights(nil, rows); err == nil {
			aggregate.Attribute(e.Weights, rows, rowParts(r, x, attribute(t, x)))
		}
	default:
		e.Weights = x.Solution.Weights
	}
	if err != nil {
		panic(fmt.Sprintf("tolaria: %s refused what was admitted: %v", c.Aggregation, err)) // Invariant: Orders yields valid orders, the guard validated the Gram and CheckWeights the rest
	}
	return e
}

// orders draws the orders in which a step's gradients visit each other.
func orders(x leyline.StepObserved, k int) [][]int {
	return aggregate.Orders(k, detmath.NewPCG(detmath.Mix(x.Seed)))
}

// owners are those of the run's tasks, as they stand.
func owners(s *projections.State, r *projections.Run) []aggregate.Owner {
	out := make([]aggregate.Owner, len(r.Plan.Owners))
	for i, id := range r.Plan.Owners {
		seed := s.Kasmina.Seed(r.ID, id)
		if seed == nil || seed.Stage == leyline.StageTerminated && seed.Blueprint != "" {
			out[i] = aggregate.Owner{Host: true} // a seed that is managed no more is the host's; a plan names seeds of the run only
			continue
		}
		out[i] = aggregate.Owner{Stage: seed.Stage, Alpha: seed.Alpha}
	}
	return out
}

// rowParts spreads the parts of the host's gradient that the seeds of a step have
// over the rows that they own.
func rowParts(r *projections.Run, x leyline.StepObserved, attributed []float64) []float64 {
	out := make([]float64, len(r.Plan.Owners))
	for i := range x.Seeds {
		rows := 0
		for _, id := range r.Plan.Owners {
			if id == x.Seeds[i].Seed {
				rows++
			}
		}
		for j, id := range r.Plan.Owners {
			if id == x.Seeds[i].Seed {
				out[j] = attributed[i] / float64(rows)
			}
		}
	}
	return out
}

// CheckPlan refuses a run without what the aggregation method in force needs to
// know of it.
func CheckPlan(c *leyline.TolariaConfig, plan *leyline.RunOpened) *leyline.Refusal {
	switch {
	case c.Aggregation == leyline.AggregationWeighted && len(plan.TaskWeights) == 0:
		return unweighted("task_weights", "are missing", "open the run with one weight per task, or choose another tolaria.aggregation")
	case c.Aggregation == leyline.AggregationStateWeighted && len(plan.Owners) == 0:
		return unweighted("owners", "are missing", "open the run with the owner of each task's gradient, or choose another tolaria.aggregation")
	}
	return nil
}

// CheckWeights is the guard's view of a step whose numbers may be combined: it
// refuses one for which the method in force has no weights, or none that are
// proven. A step that is not finite is a training fault and needs none.
func CheckWeights(s *projections.State, x *leyline.StepObserved) *leyline.Refusal {
	c, r := &s.Plane.Config.Tolaria, s.Tolaria.Run(x.Run)
	if !finite(x.Losses) || !finite(x.Gram) {
		return nil
	}
	if bad := CheckPlan(c, &r.Plan); bad != nil {
		return bad
	}
	k := len(x.Losses)
	switch {
	case c.Aggregation == leyline.AggregationStateWeighted:
		if _, err := aggregate.StateWeights(nil, owners(s, r)); err != nil {
			return unweighted("owners", err.Error(), "no task of the run has an owner in the network")
		}
	case leyline.Solved(c.Aggregation):
		if _, err := aggregate.Check(c.Aggregation, aggregate.Configured(c), aggregate.Gram{K: k, V: x.Gram}, &x.Solution); err != nil {
			return unweighted("solution", err.Error(), "skip the step, or choose another tolaria.aggregation")
		}
	}
	return nil
}

func unweighted(field, reason, hint string) *leyline.Refusal {
	return &leyline.Refusal{Subsystem: leyline.SubsystemTolaria, Kind: leyline.RefusalWeights, Field: field, Reason: reason, Hint: hint}
}
