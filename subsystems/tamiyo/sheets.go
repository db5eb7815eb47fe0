package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/tamiyo/sheet"
)

// found goes on with a window once the catalogue has answered. The sheet may change
// what the policy would do, so it is asked again.
func found(t *projections.Turn, x leyline.MetadataAnswered) {
	run, p := t.State.Tolaria.Run(x.Run), t.State.Tamiyo.Run(x.Run)
	l := p.Lookup
	if l.Effect != x.Request {
		t.Emit(leyline.AnswerLate{Run: x.Run, Request: x.Request, Effect: leyline.EffectMetadata, Outcome: leyline.OutcomeOK, TookNs: x.TookNs})
		return
	}
	v := sheet.Judge(&t.State.Plane, l.Blueprint, x.Envelope)
	if v.Fault != leyline.SheetFine {
		unsafe(t, run, p, leyline.MetadataMissed{Outcome: leyline.OutcomeFailed, Fault: v.Fault, Reason: v.Detail, TookNs: x.TookNs})
		return
	}
	t.Emit(leyline.MetadataSettled{Run: x.Run, Step: l.Step, Request: x.Request, Facts: v.Facts, Digest: v.Digest, TookNs: x.TookNs})
	learn(t, run, p, leyline.EffectMetadata, x.TookNs)
	succeed(t, run, leyline.BreakerMetadata)
	if void(t, run, leyline.ActionNone{Run: x.Run, TookNs: x.TookNs}) {
		return
	}
	a := answer{Choice: policy.Next(policy.Ask(t.State, run.ID)), stale: l.Stale, took: l.TookNs, budget: budget(t, run, p, leyline.EffectPolicy)}
	if complete(t, run, p, &a) { // that the policy has answered was counted before
		weigh(t, run, p, a)
	}
}

// lost closes a lookup that gave nothing.
func lost(t *projections.Turn, x leyline.MetadataFailed) {
	run, p := t.State.Tolaria.Run(x.Run), t.State.Tamiyo.Run(x.Run)
	if p.Lookup.Effect != x.Request {
		t.Emit(leyline.AnswerLate{Run: x.Run, Request: x.Request, Effect: leyline.EffectMetadata, Outcome: x.Outcome, TookNs: x.TookNs})
		return
	}
	unsafe(t, run, p, leyline.MetadataMissed{Outcome: x.Outcome, Fault: x.Fault, Reason: x.Reason, TookNs: x.TookNs})
}

// unsafe closes a lookup that gave no facts that count. What was known before is not
// relied on in their place.
func unsafe(t *projections.Turn, run *projections.Run, p *projections.Policy, e leyline.MetadataMissed) {
	l := p.Lookup
	e.Run, e.Step, e.Request, e.Blueprint = run.ID, l.Step, l.Effect, l.Blueprint
	t.Emit(e)
	f := failure{l.Step, leyline.BreakerMetadata, leyline.BreakerMetadataFailed, leyline.RiskMetadataFailed}
	if e.Outcome == leyline.OutcomeDeadline {
		f.counts, f.why = leyline.BreakerMetadataTimeout, leyline.RiskMetadataTimeout
	}
	fail(t, run, p, f)
}
