package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

func step(t *projections.Turn, x leyline.StepObserved) {
	run, p := t.State.Tolaria.Run(x.Run), t.State.Tamiyo.Run(x.Run)
	if run.Status != leyline.RunStatusOpen {
		return
	}
	if run.Rollback.Active() {
		enter(t, p, x.Step, leyline.RiskRollback)
		return
	}
	if run.Emergency >= leyline.EmergencyConservative {
		remain(t, p, x.Step, leyline.RiskEmergency)
	}
	c := &t.Config().Tamiyo
	due := x.Step%leyline.Step(c.WindowSteps) == 0 && x.Step >= leyline.Step(c.WarmupSteps)
	if due && run.Track.Suspect == 0 {
		t.Emit(leyline.WindowEnded{Run: run.ID, Step: x.Step, Seen: x.Seen()})
		consider(t, run, p)
	}
}

// consider puts the question of a window, unless an earlier one is still open or the
// breaker lets none pass.
func consider(t *projections.Turn, run *projections.Run, p *projections.Policy) {
	at := run.Track.Step
	if why := unusable(t, run.ID); why != leyline.RiskNone {
		withhold(t, p, at, why)
		return
	}
	switch {
	case !p.Asked.Effect.IsZero():
		t.Emit(leyline.ActionNone{Run: run.ID, Step: at, Reason: leyline.RiskPolicyPending})
	case !p.Lookup.Effect.IsZero():
		t.Emit(leyline.ActionNone{Run: run.ID, Step: at, Reason: leyline.RiskMetadataPending})
	case !mayAsk(t, run, leyline.BreakerInference):
		t.Emit(leyline.ActionNone{Run: run.ID, Step: at, Reason: leyline.RiskPolicyBreaker})
	case t.Config().Tamiyo.PolicyInline:
		decided(t, run, p, answer{Choice: policy.Next(policy.Ask(t.State, run.ID))})
	default:
		t.Emit(leyline.PolicyAsked{Run: run.ID, Step: at, Deadline: t.Meta.At.Add(budget(t, run, p, leyline.EffectPolicy))})
	}
}

// answered goes on with the window once the policy has answered. The rules are
// pure, so they are asked again here: that is what lets a replay under other
// settings see what they would have said. An answer that is not theirs, because
// the state has moved on or the settings are others, is noted as stale.
func answered(t *projections.Turn, x leyline.PolicyAnswered) {
	run, p := t.State.Tolaria.Run(x.Run), t.State.Tamiyo.Run(x.Run)
	if p.Asked.Effect != x.Request {
		t.Emit(leyline.AnswerLate{Run: x.Run, Request: x.Request, Effect: leyline.EffectPolicy, Outcome: leyline.OutcomeOK, TookNs: x.TookNs})
		return
	}
	had := budget(t, run, p, leyline.EffectPolicy)
	learn(t, run, p, leyline.EffectPolicy, x.TookNs)
	if void(t, run, leyline.ActionNone{Run: x.Run, Request: x.Request, TookNs: x.TookNs}) {
		succeed(t, run, leyline.BreakerInference) // it did answer in time
		return
	}
	now := policy.Next(policy.Ask(t.State, x.Run))
	decided(t, run, p, answer{Choice: now, stale: policy.Differs(x, now), took: x.TookNs, budget: had})
}

// void closes a question that was put to a network in better health, or to a policy
// that cannot be used any more. It reports whether it did.
func void(t *projections.Turn, run *projections.Run, e leyline.ActionNone) bool {
	switch {
	case run.Rollback.Active():
		e.Reason = leyline.RiskRollback
	case run.Track.Suspect > 0:
		e.Reason = leyline.RiskLossWarning
	default:
		e.Reason = unusable(t, run.ID)
	}
	if e.Reason == leyline.RiskNone {
		return false
	}
	e.Step = run.Track.Step
	t.Emit(e)
	return true
}

// missed closes a question without an answer. Nothing takes the policy's place.
func missed(t *projections.Turn, x leyline.PolicyFailed) {
	run, p := t.State.Tolaria.Run(x.Run), t.State.Tamiyo.Run(x.Run)
	if p.Asked.Effect != x.Request {
		t.Emit(leyline.AnswerLate{Run: x.Run, Request: x.Request, Effect: leyline.EffectPolicy, Outcome: x.Outcome, TookNs: x.TookNs})
		return
	}
	at, why, counts := p.Asked.Step, leyline.RiskPolicyFailed, leyline.BreakerPolicyFailed
	if x.Outcome == leyline.OutcomeDeadline {
		why, counts = leyline.RiskPolicyTimeout, leyline.BreakerPolicyTimeout
	}
	t.Emit(leyline.PolicyMissed{Run: x.Run, Step: at, Request: x.Request, Outcome: x.Outcome, Reason: x.Reason, TookNs: x.TookNs})
	fail(t, run, p, failure{at, leyline.BreakerInference, counts, why})
}

// failure is something that Tamiyo asked for and did not get.
type failure struct {
	at     leyline.Step // of the window
	of     leyline.BreakerID
	counts leyline.BreakerReason
	why    leyline.RiskReason
}

// fail draws the consequences of a failure that was recorded: its breaker counts it,
// the run goes conservative, and the window proposes nothing.
func fail(t *projections.Turn, run *projections.Run, p *projections.Policy, f failure) {
	doubt(t, run, f.of, f.counts)
	enter(t, p, f.at, f.why)
	t.Emit(leyline.ActionNone{Run: run.ID, Step: f.at, Reason: f.why})
}
