package telemetry

import (
	"math"
	"strconv"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// barrierBounds are the upper bounds under which waits at the barrier are counted,
// rising.
var barrierBounds = [...]time.Duration{
	time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond,
	300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second,
}

// barrier reports what rank 0 waited for the others. A trainer of one rank, and one
// that does not measure it, waits for nobody.
func (s *section) barrier(ns uint64, run leyline.Attr) {
	if ns == 0 {
		return
	}
	s.duration(leyline.MetricTrainerBarrier, ns, run)
	s.count(leyline.MetricTrainerBarriers, run, text(keyBound, barrierBound(ns)))
}

// barrierBound names the bound under which a wait is counted.
func barrierBound(ns uint64) string {
	for _, b := range barrierBounds {
		if ns <= uint64(b) {
			return b.String()
		}
	}
	return "more"
}

// mode reports how a trainer runs beside the plane.
func (s *section) mode(plan *leyline.RunOpened, run leyline.Attr) {
	if plan.Ranks > 0 {
		s.metric(leyline.MetricTrainerRanks, float64(plan.Ranks), run)
	}
	s.metric(leyline.MetricTrainerLag, float64(plan.Lag), run)
}

// pipelined reports what is particular to a trainer that does not wait for answers.
func (b *builder) pipelined(e leyline.Event) {
	switch x := e.(type) {
	case leyline.WeightsMismatched:
		task, applied, derived := widest(x)
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameWeightsMismatched, leyline.LevelCritical, text(keyRun, x.Run), whole(keyStep, x.Step),
			text(keyTask, strconv.Itoa(task)), number(keyApplied, applied), number(keyDerived, derived))
	case leyline.StepOvertaken:
		b.at(leyline.SubsystemTolaria, x.Run).event(leyline.NameStepOvertaken, leyline.LevelInfo,
			text(keyRun, x.Run), whole(keyStep, x.Step), whole(keyIncarnation, x.Incarnation), text(keyRollback, x.Rollback))
	}
}

// widest is the task whose weights differ most, with both of them. Where the plane
// derived none, nothing was to be applied: a weight of 0. A weight that is not finite
// differs from every other.
func widest(x leyline.WeightsMismatched) (task int, applied, derived float64) {
	most := math.Inf(-1)
	for i, a := range x.Applied {
		d := 0.0
		if i < len(x.Derived) {
			d = x.Derived[i]
		}
		gap := math.Abs(a - d)
		if math.IsNaN(gap) {
			gap = math.Inf(1)
		}
		if gap > most {
			most, task, applied, derived = gap, i, a, d
		}
	}
	return task, applied, derived
}
