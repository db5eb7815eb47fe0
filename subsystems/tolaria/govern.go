package tolaria

import (
	"math"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/track"
)

// judge holds a healthy step's loss against its limit and against the loss of
// guessing. An anomalous step stays out of the running figures and proves no
// snapshot; when it is the last of tolaria.diverge_steps in a row, training has
// diverged or collapsed. What a rule in shadow mode finds is counted and changes
// nothing else.
func judge(c *leyline.TolariaConfig, r *projections.Run, a *leyline.TrainingAssessed) {
	a.Limit, a.Chance = limit(c, r.Track.LossEWMA), chance(c, r)
	why, mode := anomaly(c, a)
	if why == leyline.FaultNone {
		return
	}
	a.Anomaly = why
	if mode != leyline.RuleEnforce {
		a.Suspect = r.Track.Watched + 1
		return
	}
	a.Suspect = r.Track.Suspect + 1
	a.Health = leyline.HealthSuspect
	if a.Suspect >= c.DivergeSteps {
		a.Health = over[why]
	}
	t := &r.Track
	a.LossEWMA, a.GradEWMA, a.ConflictEWMA, a.Tally, a.Confirms, a.FirstGood = t.LossEWMA, t.GradEWMA, t.ConflictEWMA, t.Tally, nil, ""
}

// over is the verdict on the last anomalous step of a row.
var over = [...]leyline.Health{
	leyline.FaultDiverged:  leyline.HealthDiverged,
	leyline.FaultCollapsed: leyline.HealthCollapsed,
}

// anomaly says what is anomalous in a step and how far the rule that finds it may
// go. A rule that acts goes before one that only watches.
func anomaly(c *leyline.TolariaConfig, a *leyline.TrainingAssessed) (leyline.FaultReason, leyline.RuleMode) {
	found, mode := leyline.FaultNone, leyline.RuleOff
	if a.Limit > 0 && a.Loss > a.Limit {
		found, mode = leyline.FaultDiverged, c.DivergeMode
	}
	if a.Chance > 0 && mode != leyline.RuleEnforce && math.Abs(a.Loss-a.Chance) < float64(c.CollapseBand*a.Chance) {
		if found == leyline.FaultNone || c.CollapseMode == leyline.RuleEnforce {
			found, mode = leyline.FaultCollapsed, c.CollapseMode
		}
	}
	return found, mode
}

// limit is the loss above which a step is anomalous: the largest of an absolute
// one, so many standard deviations above the running mean, and a multiple of
// that mean (the governor of the prototype's later versions, RESEARCH J.3). It
// is 0 while the rule is off or has seen too little.
func limit(c *leyline.TolariaConfig, m leyline.Moments) float64 {
	if c.DivergeMode == leyline.RuleOff || m.N < uint64(c.DivergeWarmup) {
		return 0
	}
	spread := m.Mean + float64(c.DivergeSigma*math.Sqrt(m.Var))
	return math.Max(c.DivergeLoss, math.Max(spread, float64(c.DivergeFactor*m.Mean)))
}

// chance is the loss of guessing, mean over tasks, for a network that has learned
// clearly better than that: close to it, it has collapsed (ibid.). It is 0 while
// the rule is off, the run has not declared it, or too little was learned.
func chance(c *leyline.TolariaConfig, r *projections.Run) float64 {
	m := r.Track.LossEWMA
	if c.CollapseMode == leyline.RuleOff || len(r.Plan.Chance) == 0 || m.N < uint64(c.DivergeWarmup) {
		return 0
	}
	guess := detmath.Sum(r.Plan.Chance) / float64(len(r.Plan.Chance))
	if track.EWMA(m).Unbiased(c.EWMAAlpha) < float64(c.CollapseLearned*guess) {
		return guess
	}
	return 0
}

// longest keeps a silence that is expected within what an Instant can hold.
const longest = 365 * 24 * time.Hour

// quietBy is when a trainer with such steps counts as stalled unless it reports
// one.
func quietBy(t *projections.Turn, lockstep bool, step leyline.Moments) leyline.Instant {
	c := t.Config()
	d := c.Silence(lockstep)
	if learned := float64(c.Tolaria.StallFactor * step.Mean); learned > float64(d) {
		d = time.Duration(math.Min(learned, float64(longest)))
	}
	return t.Meta.At.Add(d)
}

// stepTime is how long the step before this report took. A trainer cannot have
// spent longer on it than has passed since its last report.
func stepTime(t *projections.Turn, r *projections.Run, x leyline.StepObserved) float64 {
	ns := x.PreviousNs
	if r.Heard != 0 {
		ns = min(ns, uint64(max(t.Meta.At.Sub(r.Heard), 0)))
	}
	return float64(ns)
}

// silent records that nothing was heard for too long.
func silent(t *projections.Turn, r *projections.Run) {
	t.Emit(leyline.TrainerStalled{Run: r.ID, Step: r.Track.Step, AgeNs: uint64(t.Meta.At.Sub(r.Heard))})
}

// heard ends a stall.
func heard(t *projections.Turn, r *projections.Run) {
	if r.Stalled {
		t.Emit(leyline.TrainerReturned{Run: r.ID, Step: r.Track.Step, AgeNs: uint64(t.Meta.At.Sub(r.Heard))})
	}
}
