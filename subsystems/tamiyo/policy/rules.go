package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// closed is what the rules score what they do not offer.
const closed = -leyline.MaxRuleWeight

// Rules is the rules policy: it scores every operation that is open by features that
// anyone can read, each times its weight, and proposes what scores highest, if that
// is more than 0, the score of doing nothing.
type Rules struct {
	Weights  leyline.RulesConfig
	Artifact leyline.PolicyRef // that the weights are of; zero: the settings
}

// Identity implements Policy. The digest is over the weights in the order of the rules,
// each with its mode. The settings of a seed's life, which the rules read as well, are
// in the digest of the configuration. Weights of an artifact go by its name and the
// digest of its file.
func (r Rules) Identity(*leyline.ExecutionConfig) leyline.PolicyIdentity {
	if !r.Artifact.IsZero() {
		return leyline.PolicyIdentity{ID: string(r.Artifact.ID), Version: r.Artifact.Version, Digest: r.Artifact.Digest}
	}
	b := make([]byte, 0, 256)
	for rule := leyline.TermGerminate; rule.Known(); rule++ {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(r.Weights.Weight(rule)))
		b = append(b, byte(r.Weights.Mode(rule)))
	}
	return leyline.PolicyIdentity{ID: RulesID, Version: RulesVersion, Digest: sha256.Sum256(b)}
}

// Answer implements Policy. It never fails.
func (r Rules) Answer(q *Question) (leyline.PolicyOutput, error) {
	b := board{q: q, weights: &r.Weights, trend: trendOf(q)}
	options, _ := Options(q)
	kinds := Kinds(q)
	for _, o := range options {
		switch o.Operation {
		case leyline.OpGerminate:
			if !b.filled { // slots are alike: the first empty one stands for all
				b.filled = true
				b.germinate(o.Slot, kinds)
			}
		case leyline.OpCull:
			b.cull(o.Slot)
		default:
			b.advance(o)
		}
	}
	return b.output(), nil
}

// board collects the candidates of one question.
type board struct {
	q       *Question
	weights *leyline.RulesConfig
	trend   trend
	filled  bool
	all     []leyline.Candidate
	slots   []int // of the seed of each candidate
	kinds   []int // of the blueprint of each candidate
	terms   []leyline.Term
}

// add offers a candidate whose terms are those collected since the last one.
func (b *board) add(op leyline.SeedOperation, slot, kind int) {
	c := leyline.Candidate{Operation: op, Seed: b.q.Seeds[slot].ID, Terms: b.terms}
	if op == leyline.OpGerminate {
		c.Blueprint = b.q.Blueprints[kind].Blueprint
	}
	for i := range c.Terms {
		if c.Terms[i].Mode == leyline.RuleEnforce {
			c.Score += c.Terms[i].Part
		}
	}
	b.all, b.slots, b.kinds, b.terms = append(b.all, c), append(b.slots, slot), append(b.kinds, kind), nil
}

// term notes what a rule says: value, in [-1,1], times its weight. A rule that is
// off, and one that has nothing to say, leaves no term.
func (b *board) term(rule leyline.PolicyRule, value float64) {
	mode := b.weights.Mode(rule)
	if mode == leyline.RuleOff || value == 0 {
		return
	}
	if rule == leyline.TermPressure && b.q.Plan.Lockstep {
		mode = leyline.RuleShadow
	}
	b.terms = append(b.terms, leyline.Term{Rule: rule, Mode: mode, Value: value, Part: float64(value * b.weights.Weight(rule))})
}

// germinate offers an empty slot for every kind of seed.
func (b *board) germinate(slot int, kinds []int) {
	for _, k := range kinds {
		p := &b.q.Blueprints[k]
		b.term(leyline.TermGerminate, 1)
		b.season()
		b.kind(p)
		b.term(leyline.TermRunway, -runway(b.q))
		b.add(leyline.OpGerminate, slot, k)
	}
}

// season says whether this is the time for something new.
func (b *board) season() {
	t := &b.trend
	b.term(leyline.TermPlateau, t.plateau)
	b.term(leyline.TermFalling, -t.falling)
	b.term(leyline.TermRegression, -t.regression)
	b.term(leyline.TermVolatility, -t.volatility)
	b.term(leyline.TermConflict, -t.conflict)
	b.term(leyline.TermPressure, -t.pressure)
}

// kind says what speaks for a kind of seed and against it.
func (b *board) kind(p *leyline.BlueprintRegistered) {
	t := b.q.trial(p.Blueprint)
	b.term(leyline.TermRecord, record(t))
	b.term(leyline.TermNovelty, 1/float64(1+t.Germinated))
	b.term(leyline.TermRisk, -p.Risk)
	b.term(leyline.TermTier, -tier(p.Tier))
}

// advance offers the next operation of a seed once it has done what its stage
// demands.
func (b *board) advance(o Option) {
	s, c := &b.q.Seeds[o.Slot], &b.q.Config.Tamiyo
	done := true
	switch s.Stage {
	case leyline.StageTraining:
		done = s.Isolation.Steps >= c.TrainSteps
	case leyline.StageShadowing:
		done = s.Isolation.Steps >= c.ShadowSteps
	case leyline.StageProbationary:
		done = s.Contribution.Probes >= c.Probes
	}
	if !done {
		return
	}
	b.term(leyline.TermAdvance, 1)
	if s.Stage == leyline.StageTraining {
		b.term(leyline.TermLearning, -learning(b.q, s))
		b.term(leyline.TermOverdue, overdue(s.Isolation.Steps, c.TrainSteps))
	}
	b.add(o.Operation, o.Slot, 0)
}

// cull offers to give up a seed: after its probes one that did not help, before that
// one that clearly harms.
func (b *board) cull(slot int) {
	s, c := &b.q.Seeds[slot], &b.q.Config
	m := s.Contribution
	judged := s.Stage == leyline.StageProbationary && m.Probes >= c.Tamiyo.Probes
	switch {
	case judged && helps(&c.Kasmina, s):
		return
	case judged:
		b.term(leyline.TermAdvance, 1)
	case s.Stage == leyline.StageProbationary && m.Probes >= c.Kasmina.MinProbes:
		b.term(leyline.TermAdvance, float64(m.Probes)/float64(c.Tamiyo.Probes)-1)
		b.term(leyline.TermHarm, harm(m.Accuracy))
	default:
		b.term(leyline.TermAdvance, -1)
	}
	b.term(leyline.TermUnhealthy, unhealthy(s.Health))
	b.add(leyline.OpCull, slot, 0)
}

// output writes the board as a policy answers: of each operation, seed and kind the
// best candidate counts, so the best of all wins on every count.
func (b *board) output() leyline.PolicyOutput {
	out := leyline.PolicyOutput{
		Actions: constant(int(leyline.OpCancel)+1, closed), Seeds: constant(len(b.q.Seeds), closed),
		Blueprints: constant(len(b.q.Blueprints), closed), Schedule: []float64{-1, 1},
	}
	out.Actions[leyline.OpUnknown] = 0
	var top *leyline.Candidate
	for i := range b.all {
		c := &b.all[i]
		raise(&out.Actions[c.Operation], c.Score)
		raise(&out.Seeds[b.slots[i]], c.Score)
		if c.Operation == leyline.OpGerminate {
			raise(&out.Blueprints[b.kinds[i]], c.Score)
		}
		if top == nil || c.Score > top.Score {
			top = c
		}
	}
	out.Risk = riskLogits(b.risk(top))
	if top != nil {
		out.Value = top.Score
	}
	out.Candidates = b.told()
	return out
}

func raise(at *float64, score float64) { *at = max(*at, score) }

func constant(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// told are the candidates that are recorded: the best ones, and among them the one
// that would be best if the shadow rules decided too.
func (b *board) told() []leyline.Candidate {
	all := b.all
	slices.SortStableFunc(all, func(x, y leyline.Candidate) int { return cmp.Compare(y.Score, x.Score) })
	if len(all) <= leyline.MaxCandidates {
		return all
	}
	at := 0
	for i := range all {
		if all[i].Shadowed(leyline.TermUnspecified) > all[at].Shadowed(leyline.TermUnspecified) {
			at = i
		}
	}
	if last := leyline.MaxCandidates - 1; at > last {
		all[last] = all[at]
	}
	return all[:leyline.MaxCandidates]
}
