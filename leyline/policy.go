package leyline

import (
	"fmt"
	"math"
)

// Bounds on what a policy answers. A network of the shape in SPEC.md 3.4 fits: 32
// actions, 3 blend modes, 2 of a schedule, 4 parameters and 5 classes of risk.
const (
	MaxPolicyActions = 32
	MaxPolicyBlends  = 8
	MaxPolicyParams  = 8
	MaxRiskClasses   = 8
	MaxCandidates    = 8   // that are recorded of a window, the best first
	MaxTerms         = 16  // of the score of one candidate
	MaxLogit         = 1e6 // either way, of everything that a policy scores
)

// PolicySchedule is how many numbers make a schedule: its start and its end.
const PolicySchedule = 2

// PolicyIdentity names a policy to the bit: two policies of one identity answer one
// question alike.
type PolicyIdentity struct {
	ID      string // "rules", ...
	Version string // of its code or its network; syntax of an id
	Digest  Digest // of its weights and of the settings that it reads
}

// String returns id/version.
func (p PolicyIdentity) String() string { return p.ID + "/" + p.Version }

// PolicyOutput is what a policy makes of a question, before anything is chosen by
// it. Package policy of Tamiyo turns it into a choice, the same way for every policy.
// A list that is empty says that the policy has no opinion on the matter; then a
// choice that needs one is a failure, or is made by the settings where they can.
type PolicyOutput struct {
	Actions    []float64 // logits by SeedOperation, of which 0 is to do nothing; 1 to MaxPolicyActions
	Blends     []float64 // logits by BlendMode less one; at most MaxPolicyBlends
	Schedule   []float64 // start and end of the blend, each in [-1,1]: none or PolicySchedule
	Params     []float64 // of a GERMINATE, in the order of the blueprint's parameters, each in [-1,1]; at most MaxPolicyParams
	Seeds      []float64 // scores in slot order; none or one per slot
	Blueprints []float64 // scores in the order of the question; none or one per blueprint
	Risk       []float64 // logits by class of risk, from the mildest to the gravest: none or 2 to MaxRiskClasses
	Value      float64   // what it expects of its best action over doing nothing, in the unit of its scores
	Channels   []float64 // of a CHANNEL blend, each in [0,1]; at most MaxBlendChannels
	Logits     []float64 // of a CONFIDENCE blend that the policy itself classifies for: none or 2 to MaxLogits

	Candidates []Candidate // what was weighed, the best first; at most MaxCandidates
}

// Candidate is one thing that could be done, and the terms of its score.
type Candidate struct {
	Operation SeedOperation // unset: to do nothing
	Seed      SeedID
	Blueprint BlueprintID // of a GERMINATE
	Score     float64     // sum of the parts of its terms that decide
	Terms     []Term      // in the order of the rules; at most MaxTerms
}

// Term is what one rule of a policy says of a candidate.
type Term struct {
	Rule  PolicyRule
	Mode  RuleMode // SHADOW: what it would have added, and did not
	Value float64  // of the feature, [-1,1]
	Part  float64  // value times weight: what it adds to the score
}

// Shadowed is the score that the candidate would have if a shadow rule decided too, or
// every one of them if rule is unset.
func (c *Candidate) Shadowed(rule PolicyRule) float64 {
	s := c.Score
	for i := range c.Terms {
		if t := &c.Terms[i]; t.Mode == RuleShadow && (rule == TermUnspecified || rule == t.Rule) {
			s += t.Part
		}
	}
	return s
}

// ChoiceSource says who has made a part of a proposal.
type ChoiceSource = Enum[choiceSources]

type choiceSources struct{}

func (choiceSources) list() []string { return choiceSourceNames[:] }

var choiceSourceNames = [...]string{"unspecified", "policy", "config", "rule"}

// The sources: the answer of the policy, the settings, or a rule that holds whatever
// both say.
const (
	SourceUnspecified ChoiceSource = iota
	SourcePolicy
	SourceConfig
	SourceRule
)

// RiskEstimate is what the logits over classes of risk mean. Score is the expected
// severity, the sum of p(class) times severity(class), [0,1]; the severities of n
// classes are 0, 1/(n-1), ... 1. Index is the likeliest class, the milder one of equals.
type RiskEstimate struct {
	Known bool // the policy has estimated it
	Score float64
	Index uint32
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (p PolicyIdentity) Validate() error {
	var c check
	needID(&c, "id", p.ID)
	needID(&c, "version", p.Version)
	need(&c, "digest", !p.Digest.IsZero())
	return c.result()
}

// Validate returns a *Refusal that names the first field that is not finite, out of
// its bounds or of a wrong length. How many seeds and blueprints there are is for
// package policy to say, which has the question.
func (x PolicyOutput) Validate() error {
	var c check
	need(&c, "actions", len(x.Actions) > 0)
	logits(&c, "actions", x.Actions, MaxPolicyActions)
	logits(&c, "blends", x.Blends, MaxPolicyBlends)
	if n := len(x.Schedule); n != 0 && n != PolicySchedule {
		c.fail(Invalid("schedule", fmt.Sprintf("has %d numbers; want a start and an end", n)))
	}
	logits(&c, "schedule", x.Schedule, PolicySchedule)
	logits(&c, "params", x.Params, MaxPolicyParams)
	logits(&c, "seeds", x.Seeds, MaxSeeds)
	logits(&c, "blueprints", x.Blueprints, MaxBlueprints)
	if len(x.Risk) == 1 {
		c.fail(Invalid("risk", "has one class; an expectation needs 2 or more"))
	}
	logits(&c, "risk", x.Risk, MaxRiskClasses)
	logit(&c, "value", x.Value)
	bound(&c, "channels", len(x.Channels), MaxBlendChannels)
	units(&c, "channels", x.Channels)
	bound(&c, "logits", len(x.Logits), MaxLogits)
	if bad := LogitsProblem(len(x.Logits), x.Logits); len(x.Logits) > 0 && bad != "" {
		c.fail(Invalid("logits", bad))
	}
	checkCandidates(&c, "candidates", x.Candidates)
	return c.result()
}

func checkCandidates(c *check, list string, all []Candidate) {
	bound(c, list, len(all), MaxCandidates)
	for i := range all {
		c.element(list, i)
		x := &all[i]
		mayEnum(c, "operation", x.Operation)
		mayID(c, "seed", x.Seed)
		mayID(c, "blueprint", x.Blueprint)
		logit(c, "score", x.Score)
		checkTerms(c, x.Terms)
	}
	c.leave()
}

func checkTerms(c *check, terms []Term) {
	bound(c, "terms", len(terms), MaxTerms)
	for i, t := range terms {
		switch {
		case t.Rule == 0 || !t.Rule.Known():
			needEnum(c, at("terms", i)+".rule", t.Rule)
		case t.Mode == 0 || !t.Mode.Known():
			needEnum(c, at("terms", i)+".mode", t.Mode)
		case !(math.Abs(t.Value) <= 1):
			c.fail(Invalid(at("terms", i)+".value", fmt.Sprintf("is %v; want a number from -1 to 1", t.Value)))
		case !(math.Abs(t.Part) <= MaxLogit):
			logit(c, at("terms", i)+".part", t.Part)
		case i > 0 && t.Rule <= terms[i-1].Rule:
			c.fail(Invalid(at("terms", i)+".rule", fmt.Sprintf("is %s, which does not come after %s", t.Rule, terms[i-1].Rule)))
		}
	}
}

func logits(c *check, list string, xs []float64, most int) {
	bound(c, list, len(xs), most)
	for i, v := range xs {
		c.element(list, i)
		logit(c, "", v)
	}
	c.leave()
}

// logit demands a finite number of a size that can be exponentiated and added.
func logit(c *check, field string, v float64) {
	if !(math.Abs(v) <= MaxLogit) {
		c.fail(Invalid(field, fmt.Sprintf("is %v; want a number from -1e6 to 1e6", v)))
	}
}
