package tolaria

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/track"
)

func step(t *projections.Turn, x leyline.StepObserved) {
	r := t.State.Tolaria.Run(x.Run)
	heard(t, r)
	acknowledged(t, r, x.Acks)
	if !finite(x.Losses) || !finite(x.Gram) {
		fault(t, r, x, nil)
		return
	}
	c := &t.Config().Tolaria
	g := aggregate.Gram{K: len(x.Losses), V: x.Gram}
	combined := combine(t, r, x, g)
	a := assess(t, r, x, g, combined)
	if !finite(combined.Weights) || !bounded(a) {
		fault(t, r, x, combined.Weights) // finite reports whose sums are not: as bad as a NaN
		return
	}
	judge(c, r, &a)
	if a.Health == leyline.HealthDiverged || a.Health == leyline.HealthCollapsed {
		t.Emit(a)
		agree(t, x, combined.Weights)
		abandon(t, r, a.Anomaly, x.Step)
		return
	}
	a.QuietBy = quietBy(t, r.Plan.Lockstep, a.StepEWMA)
	t.Emit(combined)
	t.Emit(a)
	agree(t, x, combined.Weights)
	rates(t, r, x.Step)
	if a.Health == leyline.HealthHealthy {
		fence(t, r, leyline.FenceSteps, x.Step)
	}
}

// fault is a step whose numbers are not finite: no weights, a rollback. derived are
// the weights that a pipelined trainer had to come to by itself; nil: none.
func fault(t *projections.Turn, r *projections.Run, x leyline.StepObserved, derived []float64) {
	t.Emit(leyline.TrainingAssessed{
		Run: r.ID, Step: x.Step, Health: leyline.HealthNonFinite, Loss: meanLoss(x),
		LossEWMA: r.Track.LossEWMA, GradEWMA: r.Track.GradEWMA, ConflictEWMA: r.Track.ConflictEWMA,
		StepEWMA: r.Track.StepEWMA, RateEWMA: r.Track.RateEWMA, Samples: x.Samples, Tally: r.Track.Tally,
		HookNs: slowest(r, x),
	})
	agree(t, x, derived)
	abandon(t, r, leyline.FaultNonFinite, x.Step)
}

// abandon rolls back to before the fault showed. When anomalous steps led up to
// it, that is before the first of them.
func abandon(t *projections.Turn, r *projections.Run, why leyline.FaultReason, at leyline.Step) {
	f := fall{cause: why, step: at, reached: at, seen: t.Meta.At, since: t.Meta.At}
	if r.Track.Suspect > 0 {
		f.step, f.seen = r.Track.SuspectFrom, r.Track.SuspectAt
	}
	f.before = f.step
	escalate(t, r, leyline.EmergencyElevated, why)
	begin(t, r, f)
}

// bounded reports whether everything that an assessment derived is finite.
func bounded(a leyline.TrainingAssessed) bool {
	return finite([]float64{
		a.Loss, a.Delta, a.LossEWMA.Mean, a.LossEWMA.Var, a.GradEWMA.Mean, a.GradEWMA.Var, a.ConflictEWMA.Mean, a.ConflictEWMA.Var,
		a.StepEWMA.Mean, a.StepEWMA.Var, a.RateEWMA.Mean, a.RateEWMA.Var,
	})
}

func finite(xs []float64) bool {
	for _, v := range xs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// CheckGram is the guard's view of a finite Gram matrix: it returns why it
// cannot be a matrix of inner products, or nil. A matrix with a NaN or an
// infinity is not refused: it is a training fault, which Tolaria handles.
func CheckGram(k int, gram []float64) error {
	if !finite(gram) {
		return nil
	}
	return aggregate.Gram{K: k, V: gram}.Validate()
}

// meanLoss is the loss of a step, mean over tasks.
func meanLoss(x leyline.StepObserved) float64 { return detmath.Sum(x.Losses) / float64(len(x.Losses)) }

// assess is the verdict on a step that is healthy as far as its numbers go.
func assess(t *projections.Turn, r *projections.Run, x leyline.StepObserved, g aggregate.Gram, w leyline.GradientsCombined) leyline.TrainingAssessed {
	c, loss := &t.Config().Tolaria, meanLoss(x)
	e := leyline.TrainingAssessed{
		Run: x.Run, Step: x.Step, Health: leyline.HealthHealthy, Loss: loss,
		LossEWMA:     next(c, r.Track.LossEWMA, loss),
		GradEWMA:     next(c, r.Track.GradEWMA, math.Sqrt(aggregate.CombinedNormSq(g, w.Weights))),
		ConflictEWMA: next(c, r.Track.ConflictEWMA, w.Ratio),
		StepEWMA:     r.Track.StepEWMA, RateEWMA: r.Track.RateEWMA, Samples: x.Samples,
		FirstGood: r.AwaitGood, Profiled: ProfileWindow(c, x.Step) != 0, Tally: tally(t, r, x),
		HookNs: slowest(r, x),
	}
	if ns := stepTime(t, r, x); ns > 0 {
		e.StepEWMA = next(c, r.Track.StepEWMA, ns)
		if r.Track.Samples > 0 { // of the step that took this long
			e.RateEWMA = next(c, r.Track.RateEWMA, float64(float64(r.Track.Samples)*1e9)/ns)
		}
	}
	if r.Track.LossEWMA.N > 0 {
		e.Delta = loss - r.Track.LossEWMA.Mean
	}
	for i := range r.Snapshots {
		if s := &r.Snapshots[i]; !s.Confirmed && s.Step < x.Step {
			e.Confirms = append(e.Confirms, s.ID)
		}
	}
	return e
}

func next(c *leyline.TolariaConfig, m leyline.Moments, x float64) leyline.Moments {
	return leyline.Moments(track.EWMA(m).Next(c.EWMAAlpha, x))
}
