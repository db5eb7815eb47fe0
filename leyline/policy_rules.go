package leyline

// PolicyRule names one rule of the rules policy: a feature that is measured, and a
// weight. Its name is that of its weight in the section [rules] of the configuration.
type PolicyRule = Enum[policyRules]

type policyRules struct{}

func (policyRules) list() []string { return policyRuleNames[:] }

var policyRuleNames = [...]string{
	"unspecified", "germinate", "plateau", "falling", "regression", "volatility", "conflict", "pressure",
	"record", "novelty", "risk", "tier", "runway", "advance", "learning", "overdue", "harm", "unhealthy",
}

// The rules, in the order in which their terms are recorded. Package policy of Tamiyo
// defines what each of them measures.
const (
	TermUnspecified PolicyRule = iota
	TermGerminate              // an empty slot is there to be filled
	TermPlateau                // the loss has settled
	TermFalling                // the loss still falls faster than it varies
	TermRegression             // the loss rises faster than it varies
	TermVolatility             // the loss varies
	TermConflict               // the gradients of the tasks conflict
	TermPressure               // the device has no room left
	TermRecord                 // what the kind of seed has gained in this run
	TermNovelty                // the kind of seed was tried little in this run
	TermRisk                   // that the blueprint declares
	TermTier                   // how little is known of the blueprint
	TermRunway                 // a trial would not be over before the run is
	TermAdvance                // the seed has done what its stage demands
	TermLearning               // the seed's own loss still falls
	TermOverdue                // the seed has trained for longer than it should
	TermHarm                   // the seed takes away from what is measured
	TermUnhealthy              // how much is held against the seed
)
