package leyline

// LRPolicy is a schedule of learning rates. Package lr of Tolaria holds their
// formulas.
type LRPolicy = Enum[lrPolicies]

type lrPolicies struct{}

func (lrPolicies) list() []string { return lrPolicyNames[:] }

var lrPolicyNames = [...]string{"unspecified", "none", "constant", "cosine", "cosine_restarts", "step"}

// The policies. With none the plane leaves the rates of a trainer alone.
const (
	LRUnspecified LRPolicy = iota
	LRNone
	LRConstant
	LRCosine
	LRRestarts // Loshchilov and Hutter 2017, arXiv 1608.03983
	LRStep
)

// MaxGroups bounds the parameter groups of an optimizer, MaxAcks the orders that
// one report acknowledges.
const (
	MaxGroups = 64
	MaxAcks   = 8
)

// ParamGroup is a group of parameters that share a learning rate.
type ParamGroup struct {
	Name       string // syntax of an id
	Rate       float64
	Parameters uint64
}

// RateOrder tells the trainer which learning rates to use from the update of
// this step on.
type RateOrder struct {
	Step  Step
	Rates []float64 // in the order of RunOpened.Groups
}

// OrderAck is the trainer's word on an order about its optimizer. It travels with
// the next report, so that it costs no record of its own.
type OrderAck struct {
	Order   EffectID
	Kind    EffectKind // RATES or REBUILD, as the directive said
	Outcome Outcome    // OK or FAILED
	Reason  string
	TookNs  uint64
	Before  OptimizerState // of a rebuild
	After   OptimizerState // of a rebuild
}

// RateSet decides the learning rates of a step and of those after it.
type RateSet struct {
	Run      RunID
	Step     Step // whose update is the first to use them
	Policy   LRPolicy
	Factor   float64   // of the declared rates
	Rates    []float64 // in the order of RunOpened.Groups: Factor times the declared ones, so their ratios hold
	Deadline Instant   // the trainer's word is due by then
}

// RateAcked closes an order to set learning rates. WARNING unless OK: then the
// rates that the trainer uses are not known, and the next step orders them again.
type RateAcked struct {
	Run     RunID
	Order   EffectID
	Outcome Outcome // OK, FAILED, DEADLINE, or SUPERSEDED by another order or a restore
	Reason  string
	TookNs  uint64
}

// EventKind implements Event.
func (RateSet) EventKind() EventKind { return EventRateSet }

// EventKind implements Event.
func (RateAcked) EventKind() EventKind { return EventRateAcked }

// Validate implements Event.
func (x RateSet) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	needEnum(&c, "policy", x.Policy)
	finite(&c, "factor", x.Factor)
	notNegative(&c, "factor", x.Factor)
	need(&c, "rates", len(x.Rates) > 0)
	bound(&c, "rates", len(x.Rates), MaxGroups)
	for i, r := range x.Rates {
		c.element("rates", i)
		finite(&c, "", r)
		notNegative(&c, "", r)
	}
	c.leave()
	need(&c, "deadline", x.Deadline > 0)
	return c.result()
}

// Validate implements Event.
func (x RateAcked) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "order", !x.Order.IsZero())
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed, OutcomeDeadline, OutcomeSuperseded)
	text(&c, "reason", x.Reason, MaxText)
	return c.result()
}

// checkGroups demands groups that can be told apart. A rate may be missing: only
// a learning rate policy needs it, and that is for the guard to say.
func checkGroups(c *check, groups []ParamGroup) {
	bound(c, "groups", len(groups), MaxGroups)
	for i, g := range groups {
		c.element("groups", i)
		needID(c, "name", g.Name)
		finite(c, "rate", g.Rate)
		notNegative(c, "rate", g.Rate)
		for _, earlier := range groups[:i] {
			if earlier.Name == g.Name {
				c.fail(Invalid("name", "repeats an earlier group"))
			}
		}
	}
	c.leave()
}

func checkAcks(c *check, acks []OrderAck) {
	bound(c, "acks", len(acks), MaxAcks)
	for i := range acks {
		a := &acks[i]
		c.element("acks", i)
		need(c, "order", !a.Order.IsZero())
		oneOf(c, "kind", a.Kind, EffectRates, EffectRebuild)
		oneOf(c, "outcome", a.Outcome, OutcomeOK, OutcomeFailed)
		if a.Outcome != OutcomeOK {
			needText(c, "reason", a.Reason)
		}
		text(c, "reason", a.Reason, MaxText)
	}
	c.leave()
}
