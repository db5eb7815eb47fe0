package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
)

// decided goes on with what the policy would do, which is a success of the policy
// unless it is incomplete.
func decided(t *projections.Turn, run *projections.Run, p *projections.Policy, a answer) {
	if complete(t, run, p, &a) {
		succeed(t, run, leyline.BreakerInference)
		weigh(t, run, p, a)
	}
}

// complete reports whether a proposal has the ids that it needs, which is checked
// before anything is weighed. One that has not is a failure of the policy.
func complete(t *projections.Turn, run *projections.Run, p *projections.Policy, a *answer) bool {
	why, bad := incomplete(t.State, run, a)
	if bad == nil {
		return true
	}
	at, request := run.Track.Step, p.Asked.Effect
	t.Emit(leyline.PolicyRefused{Run: run.ID, Step: at, Request: request, Reason: why, Refusal: *bad, TookNs: a.took})
	fail(t, run, p, failure{at, leyline.BreakerInference, leyline.BreakerPolicyFailed, why})
	return false
}

// incomplete says what a proposal lacks, or nil. A run that may grow kinds of seed and
// has no slot for one leaves the policy nothing that it could name.
func incomplete(s *projections.State, run *projections.Run, a *answer) (leyline.RiskReason, *leyline.Refusal) {
	slots, cmd := s.Kasmina.Run(run.ID), &a.Command
	switch {
	case len(run.Plan.Blueprints) > 0 && len(slots.Seeds) == 0:
		return leyline.RiskNoCandidates, refusal(leyline.RefusalMissingSeed, "seeds", string(run.ID), "has kinds of seed and no slot for one", "open the run with seeds, or without blueprints")
	case cmd.Operation == leyline.OpUnknown && a.Reason == leyline.RiskPolicyInvalid:
		return leyline.RiskPolicyInvalid, refusal(leyline.RefusalInvalidField, "answer", "", a.Why, "mend the policy")
	case cmd.Operation == leyline.OpUnknown:
		return leyline.RiskNone, nil
	case cmd.Seed == "":
		return leyline.RiskPolicyInvalid, refusal(leyline.RefusalMissingSeed, "seed", "", "is missing", "name a seed of the run; none is made up")
	case slots.Seed(cmd.Seed) == nil:
		return leyline.RiskPolicyInvalid, refusal(leyline.RefusalUnknownSeed, "seed", string(cmd.Seed), "is no seed of the run", "name a seed of the run")
	case cmd.Operation != leyline.OpGerminate:
		return leyline.RiskNone, nil
	case cmd.Blueprint == "":
		return leyline.RiskPolicyInvalid, refusal(leyline.RefusalMissingField, "blueprint", "", "is missing", "name a blueprint of the run; none is made up")
	}
	if r := guard.Registered(s.Plane.Blueprint(cmd.Blueprint), "blueprint", cmd.Blueprint); r != nil {
		return leyline.RiskPolicyInvalid, r
	}
	if r := guard.Fits(run.Plan.Blueprints, cmd.Blueprint); r != nil {
		return leyline.RiskPolicyInvalid, r
	}
	return leyline.RiskNone, nil
}

func refusal(kind leyline.RefusalKind, field, id, reason, hint string) *leyline.Refusal {
	return &leyline.Refusal{Subsystem: leyline.SubsystemTamiyo, Kind: kind, Field: field, Identifier: id, Reason: reason, Hint: hint}
}

// weigh looks up the safety sheet that a proposal depends on, if there is a catalogue
// and the run does not rely on one already, and then weighs the proposal.
func weigh(t *projections.Turn, run *projections.Run, p *projections.Policy, a answer) {
	id := doubtful(t, run, p, &a)
	if id == "" || pending(t.State, run.ID) {
		window(t, run, p, a)
		return
	}
	if !mayAsk(t, run, leyline.BreakerMetadata) {
		t.Emit(leyline.ActionNone{Run: run.ID, Step: run.Track.Step, Reason: leyline.RiskMetadataBreaker, Request: p.Asked.Effect, TookNs: a.took})
		return
	}
	t.Emit(leyline.MetadataAsked{
		Run: run.ID, Step: run.Track.Step, Blueprint: id, Deadline: t.Meta.At.Add(budget(t, run, p, leyline.EffectMetadata)),
		TookNs: a.took, Stale: a.stale,
	})
}

// doubtful is the blueprint whose safety sheet is needed now: that of a GERMINATE. A
// breaker that is not closed keeps the run conservative, so what it protects is tried
// again even where nothing is to be germinated; else nobody would find out that it is
// well. Empty: none is needed.
func doubtful(t *projections.Turn, run *projections.Run, p *projections.Policy, a *answer) leyline.BlueprintID {
	well := closed(run, leyline.BreakerMetadata)
	switch {
	case t.State.Plane.Catalogue == "":
		return ""
	case a.Command.Operation == leyline.OpGerminate && !(well && relied(t, run, p, a.Command.Blueprint)):
		return a.Command.Blueprint
	case a.Command.Operation != leyline.OpGerminate && !well && wouldAllow(t, run, leyline.BreakerMetadata):
		return p.Doubted
	}
	return ""
}

// relied reports whether a run had the safety sheet of a blueprint lately.
func relied(t *projections.Turn, run *projections.Run, p *projections.Policy, id leyline.BlueprintID) bool {
	c, l := &t.Config().Tamiyo, p.Looked(id)
	switch {
	case l == nil, t.State.Plane.Counting(id) == nil:
		return false
	case run.Plan.Lockstep:
		return run.Steps-l.Steps <= uint64(c.MetadataTTLSteps)
	}
	return t.Meta.At.Sub(l.At) <= c.MetadataTTL.Duration()
}
