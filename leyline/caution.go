package leyline

// ConservativeCommand is the argument of a CONSERVATIVE command. A mode that an
// operator has set, or has taken over from a rule, is left by an operator only.
type ConservativeCommand struct {
	Mode   Switch // on or off
	Reason string // why, for people
}

// ConservativeRefreshed says that a run which is conservative has one more reason to
// be. The healthy windows and the cool-down count anew. WARNING.
type ConservativeRefreshed struct {
	Run       RunID
	Step      Step // 0: before the first one
	Reason    RiskReason
	Previous  RiskReason
	By        Party // whose mode it is from now on
	Cause     string
	Times     uint32 // reasons since the mode was entered, this one included
	Wanted    uint32 // as in ConservativeEntered
	Until     Instant
	UntilStep Step
}

// PolicyRefused says that what the policy would do cannot be weighed: it names no
// seed or no blueprint, or one that there is not; or there is no slot it could name.
// CRITICAL: the run goes conservative, and nothing is proposed.
type PolicyRefused struct {
	Run     RunID
	Step    Step     // of the window
	Request EffectID // the question that this closes; zero when the rules ran inside the decider
	Reason  RiskReason
	Refusal Refusal // what is wrong
	TookNs  uint64
}

// AnswerLate records an answer that nobody waits for any more: its deadline has
// passed, or a rewind has made the question void. Nothing follows from it. WARNING.
type AnswerLate struct {
	Run     RunID
	Request EffectID
	Effect  EffectKind // POLICY or METADATA
	Outcome Outcome    // of the work
	TookNs  uint64
}

// EventKind implements Event.
func (ConservativeRefreshed) EventKind() EventKind { return EventConservativeRefreshed }

// EventKind implements Event.
func (PolicyRefused) EventKind() EventKind { return EventPolicyRefused }

// EventKind implements Event.
func (AnswerLate) EventKind() EventKind { return EventAnswerLate }

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x ConservativeCommand) Validate() error {
	var c check
	needEnum(&c, "mode", x.Mode)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Event.
func (x ConservativeRefreshed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needEnum(&c, "reason", x.Reason)
	needEnum(&c, "previous", x.Previous)
	oneOf(&c, "by", x.By, PartyPlane, PartyOperator)
	need(&c, "times", x.Times > 1)
	return c.result()
}

// Validate implements Event.
func (x PolicyRefused) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	oneOf(&c, "reason", x.Reason, RiskPolicyInvalid, RiskNoCandidates)
	x.Refusal.check(&c)
	return c.result()
}

// Validate implements Event.
func (x AnswerLate) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "request", !x.Request.IsZero())
	oneOf(&c, "effect", x.Effect, EffectPolicy, EffectMetadata)
	needEnum(&c, "outcome", x.Outcome)
	return c.result()
}
