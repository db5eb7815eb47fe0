package leyline

// RiskEvaluator names one of the eleven evaluators of risk. The order of the codes
// is the order in which they run (SPEC.md 3.8).
type RiskEvaluator = Enum[riskEvaluators]

type riskEvaluators struct{}

func (riskEvaluators) list() []string { return riskEvaluatorNames[:] }

var riskEvaluatorNames = [...]string{
	"unspecified", "policy_risk", "conservative_mode", "timeouts", "blueprint_risk", "bsds", "loss_metrics", "latency_metrics",
	"isolation_and_device", "optimizer_hints", "stabilisation", "conservative_recovery",
}

// The evaluators.
const (
	EvaluatorUnspecified   RiskEvaluator = iota
	EvaluatorPolicyRisk                  // what the policy itself thinks of its proposal
	EvaluatorConservative                // whether the mode is on
	EvaluatorTimeouts                    // how long the policy took
	EvaluatorBlueprint                   // risk of the kind of seed
	EvaluatorBSDS                        // its hazard sheet
	EvaluatorLoss                        // rise of the running loss
	EvaluatorLatency                     // what the step before took
	EvaluatorDevice                      // isolation of the seeds, fallbacks, room on the devices
	EvaluatorOptimizer                   // volatility, variance, conflicts and the learning rate
	EvaluatorStabilisation               // whether training is well
	EvaluatorRecovery                    // whether conservative mode is over
)

// RiskEffect is what a check makes of a proposal, or all of them together. The codes
// rise with the gravity, and the gravest effect stands.
type RiskEffect = Enum[riskEffects]

type riskEffects struct{}

func (riskEffects) list() []string { return riskEffectNames[:] }

var riskEffectNames = [...]string{"unspecified", "none", "optimizer", "hold", "pause", "conservative"}

// The effects.
const (
	EffectUnset        RiskEffect = iota
	EffectNone                    // the proposal goes out as it is
	EffectSlow                    // a SEED command becomes one for the optimizer: lower learning rates
	EffectHold                    // nothing goes out
	EffectPause                   // it becomes a PAUSE of the seed; where there is none to pause, nothing goes out
	EffectConservative            // the same, and conservative mode is entered
)

// RiskCheck is one thing that an evaluator looked at. Whether it had an effect
// follows from its mode and from what stood before it: only an enforced check that
// does not hold has one.
type RiskCheck struct {
	Evaluator RiskEvaluator
	Reason    RiskReason // that it gives when it does not hold
	Value     float64    // what was measured
	Limit     float64    // what it was held against
	OK        bool       // it holds
	Mode      RuleMode   // SHADOW: recorded, not acted upon
	Effect    RiskEffect // that it has when it does not hold and is enforced
	Changed   bool       // it made the effect or the reason of the decision another one
}

// RiskSubject is what a proposal is about: the seed, and what was known of its kind
// when it was weighed.
type RiskSubject struct {
	Seed       SeedID
	Blueprint  BlueprintID // empty: nothing was proposed of a kind, and the rest is unset
	Tier       BlueprintTier
	Stage      uint32
	Risk       float64 // [0,1]
	Quarantine bool
	Band       HazardBand
	Handling   HandlingClass
	Resource   ResourceProfile
	Provenance Provenance
	Score      float64 // of the hazard sheet, [0,1]
}

// StepSeen is what a trainer reported of the step that ends a window and that no
// event keeps. It goes with the question when the policy is asked elsewhere.
type StepSeen struct {
	StepNs    uint64 // the whole step before, measured; 0: not measured
	LearnRate float64
	Metrics   TrainingMetrics // the readings that risk is judged by, and nothing else
}

// riskReadings are the readings that risk is judged by.
var riskReadings = [...]TrainingMetric{TrainHookMs, TrainApplyMs, TrainFinalizeMs, TrainGPUMemFreeGB, TrainGPUUtil, TrainCPUUtil}

// Seen picks from a report what risk is judged by.
func (x *StepObserved) Seen() StepSeen {
	s := StepSeen{StepNs: x.PreviousNs, LearnRate: x.LearnRate}
	for _, m := range riskReadings {
		if v, ok := x.Metrics.Get(m); ok {
			s.Metrics.Readings = append(s.Metrics.Readings, Reading{m, v})
		}
	}
	return s
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (s StepSeen) Validate() error {
	var c check
	finite(&c, "learn_rate", s.LearnRate)
	c.part("metrics", s.Metrics.Validate())
	return c.result()
}

// Allowed reports whether a proposal went out as it was.
func (x RiskAssessed) Allowed() bool { return x.Effect == EffectNone }

// needRiskChecks demands at least one check. What was measured may be any number.
func needRiskChecks(c *check, list string, checks []RiskCheck) {
	need(c, list, len(checks) > 0)
	for i := range checks {
		c.element(list, i)
		needEnum(c, "evaluator", checks[i].Evaluator)
		needEnum(c, "reason", checks[i].Reason)
		needEnum(c, "mode", checks[i].Mode)
		needEnum(c, "effect", checks[i].Effect)
	}
	c.leave()
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x RiskSubject) Validate() error {
	var c check
	mayID(&c, "seed", x.Seed)
	mayID(&c, "blueprint", x.Blueprint)
	mayEnum(&c, "tier", x.Tier)
	unit(&c, "risk", x.Risk)
	mayEnum(&c, "band", x.Band)
	mayEnum(&c, "handling", x.Handling)
	mayEnum(&c, "resource", x.Resource)
	mayEnum(&c, "provenance", x.Provenance)
	unit(&c, "score", x.Score)
	return c.result()
}
