package leyline

// Check is one thing that a gate or a risk evaluator looked at.
type Check struct {
	Name  string
	Value float64  // what was measured
	Limit float64  // what it was held against
	OK    bool     // within the limit
	Mode  RuleMode // SHADOW: recorded, not acted upon
}

// ConservativeEntered stops proposals for a run. WARNING.
type ConservativeEntered struct {
	Run    RunID
	Step   Step // 0: before the first one
	Reason RiskReason
}

// ConservativeLeft allows proposals again after enough healthy windows.
type ConservativeLeft struct {
	Run     RunID
	Step    Step
	Healthy uint32 // consecutive healthy windows seen
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
	Seen     StepSeen // of the step
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
