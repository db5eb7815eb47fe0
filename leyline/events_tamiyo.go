package leyline

// Check is one thing that a gate or a risk evaluator looked at.
type Check struct {
	Name  string
	Value float64  // what was measured
	Limit float64  // what it was held against
	OK    bool     // within the limit
	Mode  RuleMode // SHADOW: recorded, not acted upon
}

// ConservativeEntered stops proposals for a run, and says what must hold before it
// is left: as many healthy windows as are wanted, the end of the cool-down, and what
// ConservativeLeft names beside. WARNING.
type ConservativeEntered struct {
	Run       RunID
	Step      Step // 0: before the first one
	Reason    RiskReason
	By        Party   // PLANE, a rule; or OPERATOR, who alone leaves it then
	Cause     string  // command id of the operator's command; empty: a rule, or the configuration
	Wanted    uint32  // consecutive healthy windows; 0: only the operator leaves it
	Until     Instant // end of the cool-down; 0 in a lockstep run, and of the operator's
	UntilStep Step    // the same in a lockstep run: the training step, which a resume rewinds
}

// ConservativeLeft allows proposals again: after enough healthy windows and the
// cool-down, with the breakers of the policy and of the metadata CLOSED and the
// emergency level below L3; or because an operator says so.
type ConservativeLeft struct {
	Run         RunID
	Step        Step   // 0: before the first one
	Healthy     uint32 // consecutive healthy windows seen
	Reason      RiskReason
	Previous    RiskReason // the last reason to be conservative
	By          Party
	Cause       string // command id of the operator's command, else empty
	LastedNs    uint64 // since it was entered
	LastedSteps uint64 // the same in healthy steps of all incarnations
}

// RiskAssessed is the trace of the risk evaluators over one proposal.
type RiskAssessed struct {
	Run      RunID
	Step     Step
	Proposed SeedOperation // of a SEED proposal
	Effect   RiskEffect    // what becomes of the proposal
	Reason   RiskReason    // why, or POLICY
	Loss     float64       // loss EWMA at this window
	Healthy  uint32        // consecutive healthy windows, this one included
	Checks   []RiskCheck   // in the fixed order of the evaluators
	TookNs   uint64        // of the policy's answer; 0 when the rules ran inside the decider

	Kind       CommandKind // that was proposed; unset when nothing was
	Subject    RiskSubject
	Unmeasured []RiskReason // of the checks for which nothing was measured, in their order
	RiskIndex  uint32       // the likeliest class of risk, of a policy that estimates it
}

// ActionNone records that Tamiyo decided to do nothing, and why.
type ActionNone struct {
	Run     RunID
	Step    Step
	Reason  RiskReason
	Request EffectID // the question to the policy that this closes; zero when it closes none
	TookNs  uint64   // of the answer to it that was void
}

// CommandProposed is a command that Tamiyo wants signed. It has no force of
// its own: the loop signs it and the command arrives like anyone else's.
type CommandProposed struct {
	Run      RunID
	Step     Step
	Kind     CommandKind
	Seed     SeedCommand
	Why      string // one sentence for people
	Metadata DecisionMetadata

	Pause     PauseCommand     // of Kind PAUSE
	Optimizer OptimizerCommand // of Kind OPTIMIZER
}

// PolicyAsked puts the question of one window to the policy on the shared
// worker. Nothing is proposed before it is answered.
type PolicyAsked struct {
	Run      RunID
	Step     Step
	Deadline Instant
}

// PolicyMissed closes a question that the policy did not answer. CRITICAL: the
// run goes conservative, and nothing is proposed in the policy's place.
type PolicyMissed struct {
	Run     RunID
	Step    Step // of the question
	Request EffectID
	Outcome Outcome // FAILED or DEADLINE
	Reason  string
	TookNs  uint64
}

// EventKind implements Event.
func (PolicyAsked) EventKind() EventKind { return EventPolicyAsked }

// EventKind implements Event.
func (PolicyMissed) EventKind() EventKind { return EventPolicyMissed }

// EventKind implements Event.
func (ConservativeEntered) EventKind() EventKind { return EventConservativeEntered }

// EventKind implements Event.
func (ConservativeLeft) EventKind() EventKind { return EventConservativeLeft }

// EventKind implements Event.
func (RiskAssessed) EventKind() EventKind { return EventRiskAssessed }

// EventKind implements Event.
func (ActionNone) EventKind() EventKind { return EventActionNone }

// EventKind implements Event.
func (CommandProposed) EventKind() EventKind { return EventCommandProposed }
