package tamiyo

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// Decide emits Tamiyo's events for an input that the guard admitted. It runs
// after Tolaria, so it sees what Tolaria decided about the same input.
func Decide(t *projections.Turn, in leyline.Input) {
	switch x := in.(type) {
	case leyline.StepObserved:
		if t.Config().Tamiyo.Enabled {
			step(t, x)
		}
	case leyline.PolicyAnswered:
		answered(t, x)
	case leyline.PolicyFailed:
		missed(t, x)
	case leyline.EpochObserved:
		epoch(t, x)
	case leyline.TimerFired:
		late(t, x)
	}
}

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
		window(t, run, p, answer{Choice: policy.Next(policy.Ask(t.State, run.ID))})
	case !p.Asked.Effect.IsZero():
		t.Emit(leyline.ActionNone{Run: run.ID, Step: x.Step, Reason: leyline.RiskPolicyPending})
	default:
		t.Emit(leyline.PolicyAsked{Run: run.ID, Step: x.Step, Deadline: t.Meta.At.Add(c.PolicyBudget.Duration())})
	}
}

func enter(t *projections.Turn, p *projections.Policy, at leyline.Step, why leyline.RiskReason) {
	if !p.Caution.Conservative {
		t.Emit(leyline.ConservativeEntered{Run: p.Run, Step: at, Reason: why})
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
	window(t, run, t.State.Tamiyo.Run(x.Run), answer{Choice: now, stale: stale, took: x.TookNs})
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

// answer is what the policy would do. One that was asked on the worker took its
// time and may be stale.
type answer struct {
	policy.Choice
	stale bool
	took  uint64 // nanoseconds
}

// window weighs what the policy would do, once.
func window(t *projections.Turn, run *projections.Run, p *projections.Policy, a answer) {
	c, choice := &t.Config().Tamiyo, a.Choice
	if pending(t.State, run.ID) {
		choice = policy.Choice{Reason: leyline.RiskCommandPending}
	}
	f := facts(t.State, run, p, choice.Command)
	f.Stale = a.stale
	v := risk.Assess(c, f)
	healthy := uint32(0)
	if v.Healthy {
		healthy = p.Caution.Healthy + 1
	}
	step := run.Track.Step
	t.Emit(leyline.RiskAssessed{
		Run: run.ID, Step: step, Proposed: choice.Command.Operation, Allowed: v.Allowed, Reason: v.Reason,
		Loss: run.Track.LossEWMA.Mean, Healthy: healthy, Checks: v.Checks, TookNs: a.took,
	})
	switch {
	case v.Spike:
		enter(t, p, step, leyline.RiskLossSpike)
	case p.Caution.Conservative && healthy >= c.HealthyWindows && run.Emergency < leyline.EmergencyConservative:
		t.Emit(leyline.ConservativeLeft{Run: run.ID, Step: step, Healthy: healthy})
	}
	switch {
	case !v.Allowed:
		t.Emit(leyline.ActionNone{Run: run.ID, Step: step, Reason: v.Reason})
	case choice.Command.Operation == leyline.OpUnknown:
		t.Emit(leyline.ActionNone{Run: run.ID, Step: step, Reason: choice.Reason})
	default:
		t.Emit(leyline.CommandProposed{
			Run: run.ID, Step: step, Kind: leyline.CommandSeed, Seed: choice.Command, Why: choice.Why,
			Metadata: metadata(p, step, v.Reason, f.Blueprint),
		})
	}
}

// metadata says how a proposal came about. The rules estimate no values and rank
// nobody, so the risk that a blueprint declares is the only score.
func metadata(p *projections.Policy, step leyline.Step, why leyline.RiskReason, bp *leyline.BlueprintRegistered) leyline.DecisionMetadata {
	d := leyline.DecisionMetadata{Policy: policy.Name, Reason: why, Conservative: p.Caution.Conservative, Asked: step}
	if bp != nil {
		d.Scores = []leyline.Score{{Kind: leyline.ScoreRisk, Value: bp.Risk}}
	}
	return d
}

func pending(s *projections.State, run leyline.RunID) bool {
	for i := range s.Kasmina.Pending {
		if s.Kasmina.Pending[i].Run == run {
			return true
		}
	}
	return false
}

func facts(s *projections.State, run *projections.Run, p *projections.Policy, cmd leyline.SeedCommand) risk.Facts {
	f := risk.Facts{
		Conservative: p.Caution.Conservative,
		Operation:    cmd.Operation,
		LossRise:     run.Track.LossEWMA.Mean - p.Window.Loss,
		NoLast:       p.Window.Step == 0,
		Volatility:   math.Sqrt(run.Track.LossEWMA.Var),
		Conflict:     run.Track.ConflictEWMA.Mean,
	}
	if cmd.Operation == leyline.OpGerminate {
		f.Blueprint = s.Plane.Blueprint(cmd.Blueprint)
	}
	seeds := s.Kasmina.Run(run.ID).Seeds
	for i := range seeds {
		if seeds[i].Isolation.Violated {
			f.Violations++
		}
	}
	return f
}
