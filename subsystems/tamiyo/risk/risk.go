package risk

import (
	"github.com/esper-plane/esper/leyline"
)

// Facts is what the evaluators look at.
type Facts struct {
	Kind      leyline.CommandKind   // that is proposed; unset when nothing is
	Operation leyline.SeedOperation // of a SEED proposal
	Lockstep  bool                  // no decision may depend on measured time

	HasRisk    bool    // the policy has estimated the risk of its proposal
	PolicyRisk float64 // expected severity over the classes of risk, [0,1]
	RiskIndex  uint32  // the likeliest class

	Conservative bool
	Healthy      uint32               // windows in a row before this one
	Asked        bool                 // the policy was asked on the worker
	TookMs       float64              // of its answer
	BudgetMs     float64              // that it had
	Stale        bool                 // it had answered something else
	Blueprint    *leyline.RiskSubject // of the seed that a SEED proposal is about, else nil
	LossRise     float64              // of the loss EWMA since the last window
	NoLast       bool                 // there was no last window: LossRise says nothing
	Samples      uint64               // healthy steps in the running figures
	Volatility   float64              // standard deviation of the loss
	Conflict     float64              // EWMA of the conflict ratio
	GradVariance float64              // of the gradient's norm over its squared mean
	GradSamples  uint64               // healthy steps in that
	HasRate      bool                 // the run has declared its learning rates
	Violations   uint32               // seeds on trial whose isolation is violated and that are not paused
	Fallback     bool                 // compiled code of the run or of the seed was given up since the last window
	Breakers     uint32               // around what Tamiyo asks of others, that are not CLOSED
	Seen         leyline.StepSeen     // of the step that ends the window
}

// Verdict is the outcome of all evaluators.
type Verdict struct {
	Effect     leyline.RiskEffect
	Reason     leyline.RiskReason // POLICY when nothing stands against the proposal
	Healthy    bool               // nothing is wrong with training
	Recovered  bool               // conservative mode has seen its healthy windows, this one included
	Checks     []leyline.RiskCheck
	Unmeasured []leyline.RiskReason
	// Lasting: what lowers the rates is about training, so it may do so again in the next
	// window. What is about the proposal comes back with each of them.
	Lasting bool
}

// evaluator is one of the eleven: a pure function of the configuration and the facts
// that adds its checks to the verdict.
type evaluator func(c *leyline.TamiyoConfig, f *Facts, v *judge)

// evaluators are all of them in their order, which is that of their codes.
var evaluators = [...]evaluator{
	policyRisk, conservativeMode, timeouts, blueprintRisk, bsds, lossMetrics, latencyMetrics, isolationAndDevice, optimizerHints,
	stabilisation, conservativeRecovery,
}

// Most checks of one assessment, so that a verdict is one allocation.
const mostChecks = 24

// Assess runs the evaluators in their order.
func Assess(c *leyline.TamiyoConfig, f Facts) Verdict {
	v := judge{
		Verdict: Verdict{
			Effect: leyline.EffectNone, Reason: leyline.RiskPolicy, Healthy: true, Checks: make([]leyline.RiskCheck, 0, mostChecks),
		},
		seed: f.Kind == leyline.CommandSeed,
	}
	for i, look := range evaluators {
		v.now = leyline.RiskEvaluator(i + 1)
		look(c, &f, &v)
	}
	return v.Verdict
}

// judge collects a verdict.
type judge struct {
	Verdict
	now  leyline.RiskEvaluator
	seed bool // a SEED command was proposed
}

// rule is what becomes of a check that does not hold.
type rule struct {
	reason   leyline.RiskReason
	effect   leyline.RiskEffect
	force    bool // its reason overwrites an earlier one; else it is set only if there is none yet
	seedOnly bool // only while the proposal still stands as a SEED command
	training bool // it is about how training goes, not about the proposal or the mode
}

// check records value against limit and returns whether it holds. A rule that is off
// leaves no check, and holds.
func (v *judge) check(r rule, value, limit float64, holds bool, mode leyline.RuleMode) bool {
	if mode == leyline.RuleOff {
		return true
	}
	x := leyline.RiskCheck{
		Evaluator: v.now, Reason: r.reason, Value: value, Limit: limit, OK: holds, Mode: mode, Effect: r.effect,
	}
	if !holds && mode == leyline.RuleEnforce {
		x.Changed = v.weigh(r)
	}
	v.Checks = append(v.Checks, x)
	return holds
}

// atMost is check for a limit that may be reached. What is no number is over it.
func (v *judge) atMost(r rule, value, limit float64, mode leyline.RuleMode) bool {
	return v.check(r, value, limit, value <= limit, mode)
}

// below is check for a limit that may not be reached.
func (v *judge) below(r rule, value, limit float64, mode leyline.RuleMode) bool {
	return v.check(r, value, limit, value < limit, mode)
}

// unmeasured notes that a check has nothing to look at. A rule that is off would not
// have looked.
func (v *judge) unmeasured(why leyline.RiskReason, mode leyline.RuleMode) {
	if mode != leyline.RuleOff {
		v.Unmeasured = append(v.Unmeasured, why)
	}
}

// weigh applies a rule to the outcome and returns whether it changed it. A rule
// without an effect only tells. The gravest effect stands. A reason is set by the first
// rule that has one, and overwritten by each that forces it.
func (v *judge) weigh(r rule) bool {
	v.Healthy = v.Healthy && !r.training
	stands := v.seed && v.Effect == leyline.EffectNone
	if r.effect == leyline.EffectNone || r.seedOnly && !stands {
		return false
	}
	effect, reason := v.Effect, v.Reason
	v.Effect = max(v.Effect, r.effect)
	if r.force || v.Reason == leyline.RiskPolicy {
		v.Reason = r.reason
	}
	v.Lasting = v.Lasting || r.effect == leyline.EffectSlow && r.training
	return effect != v.Effect || reason != v.Reason
}

// timed is the mode of a rule about measured time: in a lockstep run it only watches.
func timed(f *Facts, mode leyline.RuleMode) leyline.RuleMode {
	if f.Lockstep && mode == leyline.RuleEnforce {
		return leyline.RuleShadow
	}
	return mode
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
