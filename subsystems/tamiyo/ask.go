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
		enter(t, p, x.Step, leyline.RiskEmergency)
	}
	c := &t.Config().Tamiyo
	due := x.Step%leyline.Step(c.WindowSteps) == 0 && x.Step >= leyline.Step(c.WarmupSteps)
	if !due || run.Track.Suspect > 0 {
		return
	}
	switch {
	case c.PolicyBudget == 0:
		window(t, run, p, answer{Choice: policy.Next(policy.Ask(t.State, run.ID)), seen: x.Seen()})
	case !p.Asked.Effect.IsZero():
		t.Emit(leyline.ActionNone{Run: run.ID, Step: x.Step, Reason: leyline.RiskPolicyPending})
	default:
		t.Emit(leyline.PolicyAsked{Run: run.ID, Step: x.Step, Deadline: t.Meta.At.Add(c.PolicyBudget.Duration()), Seen: x.Seen()})
	}
}

// answered goes on with the window once the policy has answered. The rules are
// pure, so they are asked again here: that is what lets a replay under other
// settings see what they would have said. An answer that is not theirs, because
// the state has moved on or the settings are others, is noted as stale.
func answered(t *projections.Turn, x leyline.PolicyAnswered) {
	run := t.State.Tolaria.Run(x.Run)
	void := leyline.ActionNone{Run: x.Run, Step: run.Track.Step, Request: x.Request, TookNs: x.TookNs}
	switch {
	case run.Rollback.Active():
		void.Reason = leyline.RiskRollback
	case run.Track.Suspect > 0:
		void.Reason = leyline.RiskLossWarning
	}
	if void.Reason != leyline.RiskNone { // the question was put to a network in better health
		t.Emit(void)
		return
	}
	then, now := policy.Choice{Command: x.Command, Why: x.Why, Reason: x.Reason}, policy.Next(policy.Ask(t.State, x.Run))
	stale := projections.DigestOf(now) != projections.DigestOf(then)
	p := t.State.Tamiyo.Run(x.Run)
	window(t, run, p, answer{Choice: now, seen: p.Asked.Seen, asked: true, stale: stale, took: x.TookNs})
}

// missed closes a question without an answer. Nothing takes the policy's place.
func missed(t *projections.Turn, x leyline.PolicyFailed) {
	p := t.State.Tamiyo.Run(x.Run)
	at, why := p.Asked.Step, leyline.RiskPolicyFailed
	if x.Outcome == leyline.OutcomeDeadline {
		why = leyline.RiskPolicyTimeout
	}
	t.Emit(leyline.PolicyMissed{Run: x.Run, Step: at, Request: x.Request, Outcome: x.Outcome, Reason: x.Reason, TookNs: x.TookNs})
	enter(t, p, at, why)
	t.Emit(leyline.ActionNone{Run: x.Run, Step: at, Reason: why})
}
