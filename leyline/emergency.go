package leyline

// EmergencyAction is what an EMERGENCY command does to the level of a run.
type EmergencyAction = Enum[emergencyActions]

type emergencyActions struct{}

func (emergencyActions) list() []string { return emergencyActionNames[:] }

var emergencyActionNames = [...]string{"unspecified", "raise", "clear", "cleanup"}

// The actions. Raising to L4 halts the run; clearing is the only way down from
// L4, and does not open a halted run again. A cleanup leaves the level alone: the
// plane empties its kernel cache, which all runs share.
const (
	EmergencyActionUnspecified EmergencyAction = iota
	EmergencyRaise
	EmergencyClear
	EmergencyCleanup
)

// EmergencyCommand is the argument of an EMERGENCY command.
type EmergencyCommand struct {
	Action EmergencyAction
	Level  EmergencyLevel // to be reached; unset in a cleanup
	Reason string         // why, for people
}

// Validate returns a *Refusal that names the first field that is missing or
// wrong.
func (x EmergencyCommand) Validate() error {
	var c check
	needEnum(&c, "action", x.Action)
	if x.Action != EmergencyCleanup {
		needEnum(&c, "level", x.Level)
	} else if x.Level != 0 {
		c.fail(hinted("level", "is "+x.Level.String(), "leave it out: a cleanup does not change the level"))
	}
	needText(&c, "reason", x.Reason)
	return c.result()
}

// EmergencyDispatched publishes the level that a record decided: once, within a
// deadline. What is decided while it is under way is published by itself.
type EmergencyDispatched struct {
	Run      RunID
	Level    EmergencyLevel
	Reason   FaultReason
	Attempt  uint32  // 1 for the first
	WithinNs uint64  // deadline, from the moment that the record is durable
	Tokens   float64 // left in the bucket of tolaria.emergency_per_min; 0 without a cap
}

// EmergencyHeld keeps a level in the queue until there is a token for it. WARNING.
type EmergencyHeld struct {
	Run   RunID
	Level EmergencyLevel
	Until Instant
}

// EventKind implements Event.
func (EmergencyDispatched) EventKind() EventKind { return EventEmergencyDispatched }

// EventKind implements Event.
func (EmergencyHeld) EventKind() EventKind { return EventEmergencyHeld }

// Validate implements Event.
func (x EmergencyDispatched) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needEnum(&c, "level", x.Level)
	needEnum(&c, "reason", x.Reason)
	need(&c, "attempt", x.Attempt > 0)
	need(&c, "within_ns", x.WithinNs > 0)
	finite(&c, "tokens", x.Tokens)
	notNegative(&c, "tokens", x.Tokens)
	return c.result()
}

// Validate implements Event.
func (x EmergencyHeld) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needEnum(&c, "level", x.Level)
	need(&c, "until", x.Until > 0)
	return c.result()
}

// Validate implements Input.
func (x EmergencyDelivered) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "effect", !x.Effect.IsZero())
	needEnum(&c, "level", x.Level)
	return c.result()
}

// Validate implements Input.
func (x EmergencyUndelivered) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "effect", !x.Effect.IsZero())
	needEnum(&c, "level", x.Level)
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	needText(&c, "reason", x.Reason)
	return c.result()
}
