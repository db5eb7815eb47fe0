package leyline

import "fmt"

// ScoreKind names a figure that stood behind a decision.
type ScoreKind = Enum[scoreKinds]

type scoreKinds struct{}

func (scoreKinds) list() []string { return scoreKindNames[:] }

var scoreKindNames = [...]string{
	"unspecified", "value_estimate", "risk_score", "seed_score", "blueprint_score", "breaker_confidence", "feature_coverage",
}

// The scores. All but the first are in [0,1].
const (
	ScoreUnspecified       ScoreKind = iota
	ScoreValue                       // what the policy expects of the action
	ScoreRisk                        // of the action
	ScoreSeed                        // of the seed among the candidates
	ScoreBlueprint                   // of the blueprint among the candidates
	ScoreBreakerConfidence           // that the breakers may be relied on
	ScoreCoverage                    // share of the policy's features that were present
)

// Score is one figure behind a decision.
type Score struct {
	Kind  ScoreKind
	Value float64
}

// GroupCoverage is the share of a feature group that was present.
type GroupCoverage struct {
	Group string  // syntax of an id
	Ratio float64 // [0,1]
}

// DecisionMetadata says how a command came about. It is signed with the command,
// and it decides nothing: the verifier and the gates do not read it.
type DecisionMetadata struct {
	Policy       string // id of the policy; empty for a person's command
	Reason       RiskReason
	Conservative bool            // the mode in force
	Asked        Step            // the step of the window it was decided in
	Scores       []Score         // ascending by Kind, each at most once; what was not computed is not there
	Coverage     []GroupCoverage // ascending by Group, at most MaxExtraMetrics
	Version      string          // of the policy
	Digest       Digest          // of the policy
	Blend        ChoiceSource    // who has chosen the mode of a blend; unset without one
	RiskIndex    uint32          // likeliest class of the risk score, counted from 0, the mildest; 0 without a score
}

// Score returns a figure; false when it was not computed.
func (d DecisionMetadata) Score(kind ScoreKind) (float64, bool) {
	for _, s := range d.Scores {
		if s.Kind == kind {
			return s.Value, true
		}
	}
	return 0, false
}

// Validate returns a *Refusal that names the first field that is wrong. An empty
// value is valid: a person need not explain a command.
func (d DecisionMetadata) Validate() error {
	var c check
	text(&c, "policy", d.Policy, MaxIDLen)
	if !d.Reason.Known() {
		needEnum(&c, "reason", d.Reason)
	}
	for i, s := range d.Scores {
		c.element("scores", i)
		needEnum(&c, "kind", s.Kind)
		if i > 0 && s.Kind <= d.Scores[i-1].Kind {
			c.fail(Invalid("kind", fmt.Sprintf("is %s, which does not come after %s", s.Kind, d.Scores[i-1].Kind)))
		}
		if s.Kind == ScoreValue {
			finite(&c, "value", s.Value)
		} else {
			unit(&c, "value", s.Value)
		}
	}
	c.leave()
	groups(&c, "coverage", d.Coverage)
	mayID(&c, "version", d.Version)
	mayEnum(&c, "blend", d.Blend)
	return c.result()
}

func groups(c *check, list string, coverage []GroupCoverage) {
	bound(c, list, len(coverage), MaxExtraMetrics)
	for i, g := range coverage {
		c.element(list, i)
		needID(c, "group", g.Group)
		unit(c, "ratio", g.Ratio)
		if i > 0 && g.Group <= coverage[i-1].Group {
			c.fail(Invalid("group", fmt.Sprintf("is %q, which does not come after %q", clip(g.Group), clip(coverage[i-1].Group))))
		}
	}
	c.leave()
}
