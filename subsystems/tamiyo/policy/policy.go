// Package policy holds what is asked what to do next: the interface of a policy, the
// one way in which an answer becomes a choice, the rules policy, whose weights may be an
// imported artifact's, and a random one to compare with. Pure; it knows nothing about the risk evaluators.
//
// # A policy
//
// A policy answers a Question with scores (leyline.PolicyOutput): logits for the
// operation, the blend mode, the schedule, scores of seeds and of blueprints, a value
// and a distribution over classes of risk. A network of the shape in SPEC.md 3.4 fits.
// Decode makes the choice of it: what the state does not allow is masked (Options),
// the highest score wins, and an answer that does not fit the question is a typed
// failure. A policy has an identity, which every decision carries.
//
// # The rules
//
// To do nothing scores 0. Every operation that is open scores the sum of its terms, a
// feature in [-1,1] times a weight of the section [rules] of the configuration:
//
//	GERMINATE         germinate + plateau - falling - regression - volatility - conflict - pressure
//	                  + record + novelty - risk - tier - runway
//	START_GRAFTING    advance - learning + overdue, once tamiyo.train_steps are over
//	START_TRAINING, STABILIZE, EVALUATE, FOSSILIZE
//	                  advance, once the stage has had what tamiyo.* demands
//	CULL              advance, after tamiyo.probes that did not show enough; before that
//	                  harm + unhealthy - the part of the demand that is still due
//
// What was never measured leaves no term. A rule in rules.shadow is scored and
// recorded and does not decide. One seed is on trial at a time, so that what is
// measured of it is its own doing: it is germinated, trained beside the host, blended
// in, run at full alpha, evaluated, and then kept or given up by what its probes
// measured. A kind of seed that failed in this run is not tried in it again.
package policy

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// The identity of the rules policy.
const (
	RulesID      = "rules"
	RulesVersion = "2"
)

// Policy answers questions. An implementation is pure: one question, one answer.
type Policy interface {
	// Identity says who answers under these settings.
	Identity(c *leyline.ExecutionConfig) leyline.PolicyIdentity
	// Answer scores what could be done. An error says why there is no answer.
	Answer(q *Question) (leyline.PolicyOutput, error)
}

// Of returns the policy that a question is for.
func Of(q *Question) Policy {
	if q.Artifact.IsZero() && q.Config.Tamiyo.Policy == leyline.PolicyRandom {
		return Random{}
	}
	return Rules{Weights: q.Config.Rules, Artifact: q.Artifact}
}

// Next asks the policy that the question is for, and notes what it was told. A failure
// is a choice to do nothing for the reason policy_invalid, with what was wrong as its
// Why.
func Next(q Question) Choice {
	c, err := Consult(Of(&q), &q)
	if err != nil {
		c = Choice{Reason: leyline.RiskPolicyInvalid, Why: err.Error(), Policy: Of(&q).Identity(&q.Config)}
	}
	f := Featurise(&q)
	c.Coverage, c.Norms = f.Coverage, f.Norms
	return c
}

// Consult asks a policy and decodes its answer. The error is the policy's, or a
// *leyline.Refusal of what it has answered.
func Consult(p Policy, q *Question) (Choice, error) {
	out, err := p.Answer(q)
	if err != nil {
		return Choice{}, err
	}
	return Decode(q, p.Identity(&q.Config), out)
}

// Differs reports whether an answer is another one than the policy would give now.
func Differs(x leyline.PolicyAnswered, now Choice) bool {
	type essence struct {
		Command leyline.SeedCommand
		Why     string
		Reason  leyline.RiskReason
		Policy  leyline.PolicyIdentity
	}
	then := essence{x.Command, x.Why, x.Reason, x.Policy}
	return projections.DigestOf(then) != projections.DigestOf(essence{now.Command, now.Why, now.Reason, now.Policy})
}

// Record is an answer as it is recorded. Candidates are left out: they are in
// policy.weighed.
func (c Choice) Record(request leyline.EffectID, run leyline.RunID, tookNs uint64) leyline.PolicyAnswered {
	x := leyline.PolicyAnswered{
		Request: request, Run: run, Command: c.Command, Reason: c.Reason, Why: c.Why, TookNs: tookNs, Policy: c.Policy, Output: c.Output,
	}
	x.Output.Candidates = nil
	return x
}
