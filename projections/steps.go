package projections

import (
	"time"

	"github.com/esper-plane/esper/leyline"
)

// assess takes over the figures of a step. A suspect step was trained on but
// leaves the running figures alone; a faulty one leaves everything alone.
func (r *Run) assess(m leyline.Meta, x leyline.TrainingAssessed) {
	if x.Health != leyline.HealthHealthy && x.Health != leyline.HealthSuspect {
		return
	}
	t := &r.Track
	t.Step, t.Loss, t.StepEWMA, t.RateEWMA, t.Samples = x.Step, x.Loss, x.StepEWMA, x.RateEWMA, x.Samples
	if x.Health == leyline.HealthSuspect {
		if x.Suspect == 1 {
			t.SuspectFrom, t.SuspectAt = x.Step, m.At
		}
		t.Suspect, t.Watched = x.Suspect, 0
		return
	}
	t.Suspect, t.Watched = 0, x.Suspect
	r.Steps++
	t.LossEWMA, t.GradEWMA, t.ConflictEWMA, t.Tally = x.LossEWMA, x.GradEWMA, x.ConflictEWMA, x.Tally
	for _, id := range x.Confirms {
		r.Snapshot(id).Confirmed = true
	}
	if x.FirstGood != "" {
		r.AwaitGood = ""
	}
}

// booted begins the life of a run under a new process of the plane. A trainer in the
// old one died with it. Any other may live on: it has as long as before to be heard of,
// and one that was stalled still is.
func (r *Run) booted(m leyline.Meta) {
	if r.Plan.Principal == leyline.PrincipalProcess {
		r.Stalled, r.QuietBy = false, 0
		return
	}
	if r.QuietBy != 0 || r.Rollback.Active() { // whose clock stands still from here on
		r.QuietBy = m.At.Add(time.Duration(r.Patience))
	}
}

// expect sets until when the trainer has to be heard of.
func (r *Run) expect(m leyline.Meta, by leyline.Instant) {
	r.QuietBy = by
	if by != 0 {
		r.Patience = uint64(max(by.Sub(m.At), 0))
	}
}

// applySilence follows what is heard of the trainer. While the plane itself owes
// it something, or nothing more is expected, its silence means nothing.
func (r *Run) applySilence(m leyline.Meta, e leyline.Event) {
	switch x := e.(type) {
	case leyline.TrainingAssessed:
		r.Heard = m.At
		r.expect(m, x.QuietBy)
	case leyline.TrainerStalled:
		r.Stalled, r.QuietBy = true, 0
	case leyline.TrainerReturned:
		r.Stalled = false
	case leyline.RunResumed:
		r.Stalled, r.Heard = false, m.At
		r.expect(m, x.QuietBy)
	case leyline.RollbackFinished:
		r.Stalled, r.Heard = false, m.At
		r.expect(m, x.QuietBy)
	case leyline.RollbackStarted, leyline.RunEnded, leyline.RunHalted:
		r.Stalled, r.QuietBy = false, 0
	}
}
