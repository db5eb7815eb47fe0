package leyline

import "fmt"

// PolicyWeighed is what the policy made of one window: who it was, what it weighed,
// what was closed to it, and how much of what it is told was known. The choice has
// no force: risk.assessed says what becomes of it.
type PolicyWeighed struct {
	Run        RunID
	Step       Step
	Policy     PolicyIdentity
	Operation  SeedOperation // chosen; unset: to do nothing
	Seed       SeedID
	Blueprint  BlueprintID
	Reason     RiskReason // why it would do nothing
	Open       uint32     // bit i: the operation of code i was open to it; bit 0, to do nothing, always is
	Masked     bool       // what it scored highest was not open to it
	SeedIndex  uint32     // place of the seed among the slots
	KindIndex  uint32     // place of the blueprint among those of the question
	SeedScore  float64
	KindScore  float64
	Value      float64
	Risk       RiskEstimate
	Blend      ChoiceSource // who has chosen the mode of a blend; unset without a blend
	Start      float64      // of the blend, as a share of its window, [0,1]
	End        float64      // Start or more
	Swapped    bool         // the policy had answered the end before the start
	Candidates []Candidate
	Shadow     SeedOperation // what it would have chosen if its shadow rules decided too
	Differs    bool          // Shadow, or the seed with it, is not what was chosen
	Acted      []PolicyRule  // shadow rules each of which alone would have changed the choice, ascending
	Coverage   Coverage
	Degraded   Level         // WARNING: little of what the policy is told was known; CRITICAL: too little; else unset
	Norms      []FeatureNorm // as they are now, ascending by Key
	Marks      []SeedMark    // of seeds that train, in slot order
}

// SeedMark is what the policy remembers of a seed until the next window.
type SeedMark struct {
	Seed SeedID
	Loss float64 // running mean of the seed's own loss
}

// EventKind implements Event.
func (PolicyWeighed) EventKind() EventKind { return EventPolicyWeighed }

// Validate implements Event.
func (x PolicyWeighed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	c.part("policy", x.Policy.Validate())
	mayEnum(&c, "operation", x.Operation)
	if x.Operation == OpUnknown {
		needEnum(&c, "reason", x.Reason)
	} else {
		needID(&c, "seed", x.Seed)
	}
	if x.Operation == OpGerminate {
		needID(&c, "blueprint", x.Blueprint)
	}
	need(&c, "open", x.Open&1 == 1)
	logit(&c, "seed_score", x.SeedScore)
	logit(&c, "kind_score", x.KindScore)
	logit(&c, "value", x.Value)
	unit(&c, "risk.score", x.Risk.Score)
	mayEnum(&c, "blend", x.Blend)
	unit(&c, "start", x.Start)
	unit(&c, "end", x.End)
	if x.Start > x.End {
		c.fail(Invalid("end", fmt.Sprintf("is %v, below start (%v)", x.End, x.Start)))
	}
	checkCandidates(&c, "candidates", x.Candidates)
	mayEnum(&c, "shadow", x.Shadow)
	bound(&c, "acted", len(x.Acted), len(policyRuleNames)-1)
	for i, r := range x.Acted {
		c.element("acted", i)
		needEnum(&c, "", r)
		if i > 0 && r <= x.Acted[i-1] {
			c.fail(Invalid("", fmt.Sprintf("is %s, which does not come after %s", r, x.Acted[i-1])))
		}
	}
	c.leave()
	x.Coverage.check(&c)
	mayEnum(&c, "degraded", x.Degraded)
	checkNorms(&c, "norms", x.Norms)
	bound(&c, "marks", len(x.Marks), MaxSeeds)
	for i, m := range x.Marks {
		c.element("marks", i)
		needID(&c, "seed", m.Seed)
		finite(&c, "loss", m.Loss)
	}
	c.leave()
	return c.result()
}
