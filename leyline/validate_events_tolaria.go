package leyline

import (
	"fmt"
	"math"
)

// Validate implements Event.
func (x RunStarted) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	c.part("plan", x.Plan.Validate())
	if x.Plan.Run != x.Run {
		c.fail(Invalid("plan.run", fmt.Sprintf("is %q, the run is %q", clip(string(x.Plan.Run)), clip(string(x.Run)))))
	}
	need(&c, "quiet_by", x.QuietBy > 0)
	return c.result()
}

// Validate implements Event. A run that was never proven good anywhere resumes
// from its beginning, without a snapshot.
func (x RunResumed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	mayID(&c, "snapshot", x.Snapshot)
	if x.Snapshot == "" && x.Step > 0 {
		c.fail(Missing("snapshot"))
	}
	need(&c, "quiet_by", x.QuietBy > 0)
	mayID(&c, "rollback", x.Rollback)
	needText(&c, "posture.version", x.Posture.Version)
	needText(&c, "posture.device", x.Posture.Device)
	return c.result()
}

// Validate implements Event.
func (x RunEnded) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed)
	if x.Outcome == OutcomeOK {
		need(&c, "digest", !x.Digest.IsZero())
	}
	return c.result()
}

// Validate implements Event.
func (x RunHalted) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needEnum(&c, "reason", x.Reason)
	need(&c, "detail", x.Detail != "")
	return c.result()
}

// Validate implements Event. Weights are finite: a step that has none is a fault
// and is given none.
func (x GradientsCombined) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	needEnum(&c, "method", x.Method)
	need(&c, "weights", len(x.Weights) > 0)
	bound(&c, "weights", len(x.Weights), MaxTasks)
	for i, w := range x.Weights {
		c.element("weights", i)
		finite(&c, "", w)
	}
	c.leave()
	unit(&c, "ratio", x.Ratio)
	if n, k := len(x.Targets), len(x.Weights); n > 0 && n != k*k {
		c.fail(Invalid("targets", fmt.Sprintf("has %d entries for %d tasks", n, k)))
	}
	for i, t := range x.Targets {
		c.element("targets", i)
		if !(t >= -1 && t <= 1) {
			c.fail(Invalid("", fmt.Sprintf("is %v; a cosine is from -1 to 1", t)))
		}
	}
	c.leave()
	return c.result()
}

// Validate implements Event. The loss of a step whose numbers are not finite may
// be anything; the running figures never are, and they begin with the first step
// that is healthy.
func (x TrainingAssessed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	needEnum(&c, "health", x.Health)
	learned := x.Health != HealthNonFinite
	if learned {
		finite(&c, "loss", x.Loss)
		finite(&c, "delta", x.Delta)
	}
	x.LossEWMA.check(&c, "loss_ewma", learned)
	x.GradEWMA.check(&c, "grad_ewma", learned)
	x.ConflictEWMA.check(&c, "conflict_ewma", learned)
	needIDs(&c, "confirms", x.Confirms)
	mayID(&c, "first_good", x.FirstGood)
	notNegative(&c, "limit", x.Limit)
	notNegative(&c, "chance", x.Chance)
	x.row(&c)
	x.StepEWMA.check(&c, "step_ewma", false)
	x.RateEWMA.check(&c, "rate_ewma", false)
	x.Tally.check(&c)
	return c.result()
}

// row demands what tells a step after which training goes on from one that ends
// it.
func (x *TrainingAssessed) row(c *check) {
	if x.Suspect > 0 {
		oneOf(c, "anomaly", x.Anomaly, FaultDiverged, FaultCollapsed)
	}
	switch x.Health {
	case HealthSuspect:
		need(c, "suspect", x.Suspect > 0)
		need(c, "quiet_by", x.QuietBy > 0)
	case HealthDiverged, HealthCollapsed:
		need(c, "suspect", x.Suspect > 0)
	case HealthHealthy:
		need(c, "quiet_by", x.QuietBy > 0)
	}
}

func (m *Moments) check(c *check, field string, begun bool) {
	if (!begun || m.N > 0) && isFinite(m.Mean) && m.Var >= 0 && m.Var <= math.MaxFloat64 {
		return
	}
	need(c, field, !begun || m.N > 0)
	c.fail(Invalid(field, fmt.Sprintf("has the mean %v and the variance %v; want finite numbers, the second 0 or more", m.Mean, m.Var)))
}

// Validate implements Event. Losses may hold NaN and infinities.
func (x EpochAssessed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "epoch", x.Epoch > 0)
	need(&c, "losses", len(x.Losses) > 0)
	bound(&c, "losses", len(x.Losses), MaxTasks)
	same(&c, "accuracies", len(x.Accuracies), len(x.Losses))
	units(&c, "accuracies", x.Accuracies)
	x.Shares.check(&c)
	return c.result()
}

// Validate implements Event.
func (x TrainerStalled) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "age_ns", x.AgeNs > 0)
	return c.result()
}

// Validate implements Event.
func (x TrainerReturned) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "age_ns", x.AgeNs > 0)
	return c.result()
}
