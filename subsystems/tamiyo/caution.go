package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// epoch makes a run conservative whose epoch has just failed.
func epoch(t *projections.Turn, x leyline.EpochObserved) {
	for _, e := range t.Events() {
		if f, ok := e.(leyline.EpochFailed); ok {
			enter(t, t.State.Tamiyo.Run(x.Run), f.Step, leyline.RiskEpochFailed)
		}
	}
}

// late makes a run conservative whose trainer has just let the deadline of a
// command pass.
func late(t *projections.Turn, x leyline.TimerFired) {
	if x.Timer == leyline.TimerCommand {
		enter(t, t.State.Tamiyo.Run(x.Run), t.State.Tolaria.Run(x.Run).Track.Step, leyline.RiskCommandTimeout)
	}
}

// begun makes a run conservative from its beginning, where the configuration says so.
func begun(t *projections.Turn, x leyline.RunOpened) {
	if t.Config().Tamiyo.Conservative && !x.Resume {
		t.Emit(leyline.ConservativeEntered{Run: x.Run, Reason: leyline.RiskConfigured, By: leyline.PartyOperator})
	}
}

// enter makes a run conservative, or tells of one more reason to be. The mode stays
// whose it is: what an operator has set no rule takes over.
func enter(t *projections.Turn, p *projections.Policy, at leyline.Step, why leyline.RiskReason) {
	caution := &p.Caution
	wanted, until, untilStep := terms(t, p.Run)
	switch {
	case !caution.Conservative:
		t.Emit(leyline.ConservativeEntered{
			Run: p.Run, Step: at, Reason: why, By: leyline.PartyPlane, Wanted: wanted, Until: until, UntilStep: untilStep,
		})
		return
	case caution.By == leyline.PartyOperator:
		wanted, until, untilStep = 0, 0, 0
	}
	t.Emit(leyline.ConservativeRefreshed{
		Run: p.Run, Step: at, Reason: why, Previous: caution.Last, By: caution.By, Times: caution.Times + 1,
		Wanted: wanted, Until: until, UntilStep: untilStep,
	})
}

// remain is enter for a reason that lasts: it is told once, not in every step.
func remain(t *projections.Turn, p *projections.Policy, at leyline.Step, why leyline.RiskReason) {
	if !p.Caution.Conservative || p.Caution.Last != why {
		enter(t, p, at, why)
	}
}

// terms are what must hold before a mode that a rule enters now is left. A lockstep run
// counts training steps, which a resume rewinds with the rest: what it then trains
// again is decided as before. So does a rollback: what begins with one counts from the
// step that it goes back to.
func terms(t *projections.Turn, id leyline.RunID) (wanted uint32, until leyline.Instant, untilStep leyline.Step) {
	c, run := &t.Config().Tamiyo, t.State.Tolaria.Run(id)
	if run.Plan.Lockstep {
		from := run.Track.Step
		if s := run.Snapshot(run.Rollback.Snapshot); s != nil && run.Rollback.Active() {
			from = s.Step
		}
		return c.HealthyWindows, 0, from + leyline.Step(c.CooldownSteps)
	}
	return c.HealthyWindows, t.Meta.At.Add(c.CooldownMs.Duration()), 0
}

// stabilise leaves a mode that a rule has entered, after healthy windows in a row,
// once everything holds that must. It is never left in the record that gave a reason
// for it.
func stabilise(t *projections.Turn, run *projections.Run, p *projections.Policy, healthy uint32) {
	c := &p.Caution
	if !c.Conservative || c.By == leyline.PartyOperator || c.Seq == t.Meta.Seq {
		return
	}
	if healthy < t.Config().Tamiyo.HealthyWindows || run.Emergency >= leyline.EmergencyConservative || !cooled(t, run, c) || untrusted(t.State, run) > 0 {
		return
	}
	leave(t, run, p, leyline.ConservativeLeft{
		Step: run.Track.Step, Healthy: healthy, Reason: leyline.RiskStabilised, By: leyline.PartyPlane,
	})
}

func cooled(t *projections.Turn, run *projections.Run, c *projections.Caution) bool {
	if run.Plan.Lockstep {
		return run.Track.Step >= c.UntilStep
	}
	return t.Meta.At >= c.Until
}

// untrusted counts the breakers of what Tamiyo asks of others that are not CLOSED. That
// of a catalogue that there is no more says nothing.
func untrusted(s *projections.State, run *projections.Run) (n uint32) {
	if !closed(run, leyline.BreakerInference) {
		n++
	}
	if s.Plane.Catalogue != "" && !closed(run, leyline.BreakerMetadata) {
		n++
	}
	return n
}

func leave(t *projections.Turn, run *projections.Run, p *projections.Policy, e leyline.ConservativeLeft) {
	c := &p.Caution
	e.Run, e.Previous, e.LastedSteps = run.ID, c.Last, run.Steps-c.EnteredSteps
	if d := t.Meta.At.Sub(c.EnteredAt); d > 0 {
		e.LastedNs = uint64(d)
	}
	t.Emit(e)
}

// Control carries out what the record has accepted of an operator. It runs after
// Kasmina, which verifies commands.
func Control(t *projections.Turn) {
	for _, e := range t.Events() {
		if x, ok := e.(leyline.CommandVerified); ok && x.Kind == leyline.CommandConservative {
			command(t, x)
		}
	}
}

func command(t *projections.Turn, x leyline.CommandVerified) {
	run, p := t.State.Tolaria.Run(x.Run), t.State.Tamiyo.Run(x.Run)
	at, c, cause := run.Track.Step, &p.Caution, string(x.Command)
	switch {
	case x.Conservative.Mode == leyline.SwitchOff:
		leave(t, run, p, leyline.ConservativeLeft{Step: at, Healthy: c.Healthy, Reason: leyline.RiskOperator, By: leyline.PartyOperator, Cause: cause})
	case c.Conservative:
		t.Emit(leyline.ConservativeRefreshed{
			Run: x.Run, Step: at, Reason: leyline.RiskOperator, Previous: c.Last, By: leyline.PartyOperator, Cause: cause, Times: c.Times + 1,
		})
	default:
		t.Emit(leyline.ConservativeEntered{Run: x.Run, Step: at, Reason: leyline.RiskOperator, By: leyline.PartyOperator, Cause: cause})
	}
}
