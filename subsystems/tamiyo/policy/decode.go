package policy

import (
	"fmt"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Choice is what a policy would do. Operation is unset when it would do nothing;
// Reason then says why.
type Choice struct {
	Command leyline.SeedCommand
	Why     string // one sentence for people
	Reason  leyline.RiskReason
	Policy  leyline.PolicyIdentity
	Output  leyline.PolicyOutput
	Weighed Weighed

	Coverage leyline.Coverage      // of what the policy was told
	Norms    []leyline.FeatureNorm // by which that was normalised, this window included
}

// Weighed is how a choice came about.
type Weighed struct {
	Open      uint32 // bit i: the operation of code i was open; bit 0, to do nothing, always is
	Masked    bool   // what the policy scored highest was not open
	Seed      int    // place of the seed in the question
	Kind      int    // place of the blueprint in the question
	SeedScore float64
	KindScore float64
	Risk      leyline.RiskEstimate
	Blend     leyline.ChoiceSource // who has chosen the mode of a blend; unset without one
	Start     float64              // of the blend, as a share of its window, [0,1]
	End       float64              // Start or more
	Swapped   bool                 // the policy had answered the end before the start
	Shadow    leyline.Candidate    // what would have been chosen if the shadow rules decided too; unset: to do nothing
	Differs   bool                 // that is not what was chosen
	Acted     []leyline.PolicyRule // shadow rules each of which alone would have changed the choice
}

// Decode turns what a policy has answered into a choice. It is the same for every
// policy, and deterministic: the highest score wins, the lowest index of equals. What
// is not open is masked before that, and the mask is part of the choice; what is
// closed to the seed scored highest is no error. An answer that breaks the contract,
// is for another question, or has no score where one must decide between two is a
// *leyline.Refusal: nothing stands in for a missing id.
func Decode(q *Question, id leyline.PolicyIdentity, out leyline.PolicyOutput) (Choice, error) {
	d := decoding{q: q, out: &out}
	if err := d.check(id); err != nil {
		return Choice{}, err
	}
	d.choice = Choice{Policy: id, Output: out}
	d.choice.Weighed.Open, d.choice.Weighed.Risk = 1, RiskOf(out.Risk)
	options, why := Options(q)
	if err := d.choose(options, why); err != nil {
		return Choice{}, err
	}
	d.shadow()
	return d.choice, nil
}

type decoding struct {
	q      *Question
	out    *leyline.PolicyOutput
	choice Choice
}

func (d *decoding) check(id leyline.PolicyIdentity) error {
	if err := id.Validate(); err != nil {
		return err
	}
	if err := d.out.Validate(); err != nil {
		return err
	}
	if n := len(d.out.Seeds); n != 0 && n != len(d.q.Seeds) {
		return invalid("seeds", fmt.Sprintf("has %d scores, the run has %d slots", n, len(d.q.Seeds)))
	}
	if n := len(d.out.Blueprints); n != 0 && n != len(d.q.Blueprints) {
		return invalid("blueprints", fmt.Sprintf("has %d scores, there are %d blueprints", n, len(d.q.Blueprints)))
	}
	return nil
}

func invalid(field, reason string) *leyline.Refusal {
	return &leyline.Refusal{
		Subsystem: leyline.SubsystemTamiyo, Kind: leyline.RefusalInvalidField, Field: field, Reason: reason,
		Hint: "the policy has to answer the question that was put",
	}
}

// choose picks the operation, and the seed and the blueprint that go with it.
func (d *decoding) choose(options []Option, why leyline.RiskReason) error {
	w := &d.choice.Weighed
	for _, o := range options {
		w.Open |= 1 << o.Operation
	}
	op := leyline.SeedOperation(best(d.out.Actions, w.Open))
	w.Masked = best(d.out.Actions, math.MaxUint32) != int(op)
	if op == leyline.OpUnknown {
		d.choice.Reason = why
		if w.Open&^(1<<leyline.OpUnknown|1<<leyline.OpCull) != 0 {
			d.choice.Reason = leyline.RiskPolicyWaits
		}
		return nil
	}
	if err := d.seed(op, options); err != nil {
		return err
	}
	s := &d.q.Seeds[w.Seed]
	d.choice.Command = leyline.SeedCommand{Operation: op, Seed: s.ID}
	d.choice.Why = situation(d.q, op, s)
	switch op {
	case leyline.OpGerminate:
		return d.germinate()
	case leyline.OpStartGrafting:
		return d.blend()
	case leyline.OpCull:
		d.choice.Command.Reason = d.choice.Why
	}
	return nil
}

// best returns the index of the highest logit whose bit is set in mask, the lowest
// of equals; 0 when there is none. Callers set bit 0.
func best(logits []float64, mask uint32) int {
	at := 0
	for i := range logits {
		if mask&(1<<i) != 0 && logits[i] > logits[at] {
			at = i
		}
	}
	return at
}

// seed picks the seed of an operation: the highest score, the first slot of equals.
func (d *decoding) seed(op leyline.SeedOperation, options []Option) error {
	w, n := &d.choice.Weighed, 0
	for _, o := range options {
		if o.Operation != op {
			continue
		}
		if n++; n == 1 || len(d.out.Seeds) > 0 && d.out.Seeds[o.Slot] > d.out.Seeds[w.Seed] {
			w.Seed = o.Slot
		}
	}
	if len(d.out.Seeds) == 0 {
		if n > 1 {
			return invalid("seeds", fmt.Sprintf("has no scores, but %s is open to %d seeds", op, n))
		}
		return nil
	}
	w.SeedScore = d.out.Seeds[w.Seed]
	return nil
}

// germinate picks the kind of seed: the highest score, the first of equals.
func (d *decoding) germinate() error {
	kinds, w := Kinds(d.q), &d.choice.Weighed
	w.Kind = kinds[0]
	if len(d.out.Blueprints) == 0 && len(kinds) > 1 {
		return invalid("blueprints", fmt.Sprintf("has no scores, but %d kinds of seed could be germinated", len(kinds)))
	}
	if len(d.out.Blueprints) > 0 {
		for _, k := range kinds {
			if d.out.Blueprints[k] > d.out.Blueprints[w.Kind] {
				w.Kind = k
			}
		}
		w.KindScore = d.out.Blueprints[w.Kind]
	}
	b := &d.q.Blueprints[w.Kind]
	c := &d.choice.Command
	c.Blueprint, c.Mesh, c.Parameters = b.Blueprint, d.q.Plan.Layers, parameters(b, d.out.Params)
	return nil
}

// parameters maps what a policy answers, each in [-1,1] or clamped to it, into the
// bounds of the blueprint's parameters, in their order. A parameter without an answer
// is left to the kernel.
func parameters(b *leyline.BlueprintRegistered, raw []float64) []leyline.ParameterValue {
	var out []leyline.ParameterValue
	for i := range min(len(raw), len(b.Parameters)) {
		p := &b.Parameters[i]
		v := p.Min + float64(fraction(raw[i])*(p.Max-p.Min))
		out = append(out, leyline.ParameterValue{Name: p.Name, Value: min(max(v, p.Min), p.Max)})
	}
	return out
}

// fraction maps [-1,1] to [0,1] and clamps what is beyond (SPEC.md 3.5).
func fraction(raw float64) float64 { return min(max(float64(0.5*(raw+1)), 0), 1) }

// RiskOf is the meaning of logits over classes of risk: the expected severity under
// their softmax, and the likeliest class. Without logits it is not known.
func RiskOf(logits []float64) leyline.RiskEstimate {
	if len(logits) < 2 {
		return leyline.RiskEstimate{}
	}
	likeliest := 0
	for i := range logits {
		if logits[i] > logits[likeliest] {
			likeliest = i
		}
	}
	var sum, expected float64
	for i := range logits {
		p := detmath.Exp(logits[i] - logits[likeliest])
		sum += p
		expected += float64(p * (float64(i) / float64(len(logits)-1)))
	}
	return leyline.RiskEstimate{Known: true, Score: min(expected/sum, 1), Index: uint32(likeliest)}
}

// shadow says what would have been chosen if the shadow rules decided too, among the
// candidates that are recorded, and which of them alone would have changed the choice.
func (d *decoding) shadow() {
	w, c := &d.choice.Weighed, d.out.Candidates
	if len(c) == 0 {
		return
	}
	w.Shadow = top(c, leyline.TermUnspecified)
	w.Differs = d.differs(&w.Shadow)
	for _, r := range shadowed(c) {
		if x := top(c, r); d.differs(&x) {
			w.Acted = append(w.Acted, r)
		}
	}
}

func (d *decoding) differs(x *leyline.Candidate) bool {
	got := &d.choice.Command
	return x.Operation != got.Operation || x.Seed != got.Seed || x.Blueprint != got.Blueprint
}

// top is the candidate of the highest score above that of doing nothing, the first of
// equals; the zero value when there is none.
func top(all []leyline.Candidate, rule leyline.PolicyRule) leyline.Candidate {
	best, at := 0.0, -1
	for i := range all {
		if s := all[i].Shadowed(rule); s > best {
			best, at = s, i
		}
	}
	if at < 0 {
		return leyline.Candidate{}
	}
	return all[at]
}

// shadowed lists the shadow rules that say something of a candidate.
func shadowed(all []leyline.Candidate) []leyline.PolicyRule {
	var out []leyline.PolicyRule
	for i := range all {
		for _, t := range all[i].Terms {
			if at, found := slices.BinarySearch(out, t.Rule); t.Mode == leyline.RuleShadow && !found {
				out = slices.Insert(out, at, t.Rule)
			}
		}
	}
	return out
}

// situation says in words why an operation is open to a seed.
func situation(q *Question, op leyline.SeedOperation, s *projections.Seed) string {
	m := s.Contribution
	measured := fmt.Sprintf("%d probes measured a gain of %.3f points of accuracy", m.Probes, 100*m.Accuracy)
	switch op {
	case leyline.OpGerminate:
		return "the slot is empty, no seed is on trial and training is past its warm-up"
	case leyline.OpStartTraining:
		return "its kernel is verified"
	case leyline.OpStartGrafting:
		return fmt.Sprintf("it has trained %d steps beside the host", s.Isolation.Steps)
	case leyline.OpStabilize:
		return "its alpha schedule has ended"
	case leyline.OpEvaluate:
		return fmt.Sprintf("it has run %d steps at full alpha", s.Isolation.Steps)
	case leyline.OpFossilize:
		return measured
	}
	if s.Stage == leyline.StageProbationary && m.Probes > 0 {
		return fmt.Sprintf("%s, less than the %.3f that a seed must add", measured, 100*q.Config.Kasmina.MinContribution)
	}
	return fmt.Sprintf("the policy gives it up in %s after %d steps there", s.Stage, s.Isolation.Steps)
}
