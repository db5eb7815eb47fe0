package leyline

// PauseAction is what a PAUSE command does.
type PauseAction = Enum[pauseActions]

type pauseActions struct{}

func (pauseActions) list() []string { return pauseActionNames[:] }

var pauseActionNames = [...]string{"unspecified", "pause", "resume"}

// The actions. A paused seed is taken out of the forward pass with nothing in its
// place, and stays as it is until it is resumed or given up.
const (
	PauseActionUnspecified PauseAction = iota
	PauseStart
	PauseEnd
)

// PauseScope says which seeds a PAUSE command is about.
type PauseScope = Enum[pauseScopes]

type pauseScopes struct{}

func (pauseScopes) list() []string { return pauseScopeNames[:] }

var pauseScopeNames = [...]string{"unspecified", "seed", "run"}

// The scopes: one seed, or every seed of the run that can be paused or resumed.
const (
	PauseScopeUnspecified PauseScope = iota
	PauseSeed
	PauseRun
)

// PauseCommand is the argument of a PAUSE command.
type PauseCommand struct {
	Action PauseAction
	Scope  PauseScope
	Seed   SeedID // of the scope seed
	Reason string // why, for people
}

// OptimizerAction is what an OPTIMIZER command does.
type OptimizerAction = Enum[optimizerActions]

type optimizerActions struct{}

func (optimizerActions) list() []string { return optimizerActionNames[:] }

var optimizerActionNames = [...]string{"unspecified", "rebuild", "scale"}

// The actions: make the optimizer anew from its own state now, or multiply the
// learning rates.
const (
	OptimizerActionUnspecified OptimizerAction = iota
	OptimizerRebuildNow
	OptimizerScale
)

// MaxRateScale bounds OptimizerCommand.Factor.
const MaxRateScale = 1e6

// OptimizerCommand is the argument of an OPTIMIZER command.
type OptimizerCommand struct {
	Action OptimizerAction
	// Factor, of the action scale, is of the rates that the policy in force gives, or
	// that the run declared: above 0 and at most MaxRateScale. It holds until the next
	// such command, rollbacks included; 1 takes it back.
	Factor float64
	Reason string // why, for people
}

// BreakerCommand is the argument of a CIRCUIT_BREAKER command: a breaker of the run
// is forced into a state.
type BreakerCommand struct {
	Breaker BreakerID
	State   BreakerState // CLOSED, OPEN or HALF_OPEN
	Reason  string       // why, for people
}

// RollbackCommand is the argument of a ROLLBACK command: the run goes back to a
// snapshot that a later healthy step has proven good.
type RollbackCommand struct {
	Snapshot SnapshotID // to return to; empty: the newest at or before Step
	Step     Step
	Reason   string // why, for people
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x PauseCommand) Validate() error {
	var c check
	needEnum(&c, "action", x.Action)
	needEnum(&c, "scope", x.Scope)
	if x.Scope == PauseSeed {
		needID(&c, "seed", x.Seed)
	} else if x.Seed != "" {
		c.fail(Invalid("seed", "is set, but the scope is "+x.Scope.String()))
	}
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x OptimizerCommand) Validate() error {
	var c check
	needEnum(&c, "action", x.Action)
	if x.Action == OptimizerScale {
		need(&c, "factor", x.Factor != 0)
		if !(x.Factor > 0 && x.Factor <= MaxRateScale) {
			c.fail(Invalid("factor", "is not above 0 and at most 1e6"))
		}
	} else if x.Factor != 0 {
		c.fail(Invalid("factor", "is set, but the action is "+x.Action.String()))
	}
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x BreakerCommand) Validate() error {
	var c check
	needEnum(&c, "breaker", x.Breaker)
	needEnum(&c, "state", x.State)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x RollbackCommand) Validate() error {
	var c check
	mayID(&c, "snapshot", x.Snapshot)
	if x.Snapshot != "" && x.Step != 0 {
		c.fail(Invalid("step", "is set beside a snapshot; name one of the two"))
	}
	needText(&c, "reason", x.Reason)
	return c.result()
}

// ByPlane reports whether the plane carries out commands of a kind itself, in the
// record that accepts them. All others are handed to the trainer.
func ByPlane(k CommandKind) bool { return k != CommandSeed && k != CommandPause }

// PolicyMay reports whether the policy may issue commands of a kind at all; every
// other is for operators only.
func PolicyMay(k CommandKind) bool {
	return k == CommandSeed || k == CommandPause || k == CommandOptimizer
}

// Argued is a command with the argument of its kind alone. What another kind would
// use may be anything, and must not be acted upon.
func (c Command) Argued() Command {
	x := c
	x.Seed, x.Emergency, x.Pause, x.Optimizer = SeedCommand{}, EmergencyCommand{}, PauseCommand{}, OptimizerCommand{}
	x.Breaker, x.Rollback, x.Registry = BreakerCommand{}, RollbackCommand{}, RegistryCommand{}
	switch c.Kind {
	case CommandSeed:
		x.Seed = c.Seed
	case CommandEmergency:
		x.Emergency = c.Emergency
	case CommandPause:
		x.Pause = c.Pause
	case CommandOptimizer:
		x.Optimizer = c.Optimizer
	case CommandCircuitBreaker:
		x.Breaker = c.Breaker
	case CommandRollback:
		x.Rollback = c.Rollback
	case CommandRegistry:
		x.Registry = c.Registry
	}
	return x
}

// checkArguments returns a *Refusal that names what is missing or wrong in the
// argument of a command. The argument of a CIRCUIT_BREAKER command is not looked at:
// a breaker or a state that there is not has a rejection of its own.
func (c Command) checkArguments() error {
	switch c.Kind {
	case CommandEmergency:
		return c.Emergency.Validate()
	case CommandPause:
		return c.Pause.Validate()
	case CommandOptimizer:
		return c.Optimizer.Validate()
	case CommandRollback:
		return c.Rollback.Validate()
	case CommandRegistry:
		return c.Registry.Validate()
	}
	return nil
}

// SeedPaused takes a seed out of its network for the time being. Nothing stands in
// for it, its alpha schedule stands still and nothing is learned of it. WARNING.
type SeedPaused struct {
	Run   RunID
	Seed  SeedID
	Step  Step
	Cause string // command id
	By    Party  // whose command it was
}

// SeedResumed puts a paused seed back. It follows the gate that let it pass.
type SeedResumed struct {
	Run       RunID
	Seed      SeedID
	Step      Step
	Blueprint BlueprintID
	Cause     string // command id
}

// RatesScaled fixes by what the learning rates of a run are multiplied from its
// next step on.
type RatesScaled struct {
	Run    RunID
	Factor float64
	Cause  string // command id
	By     Party  // whose command it was
}

// EventKind implements Event.
func (SeedPaused) EventKind() EventKind { return EventSeedPaused }

// EventKind implements Event.
func (SeedResumed) EventKind() EventKind { return EventSeedResumed }

// EventKind implements Event.
func (RatesScaled) EventKind() EventKind { return EventRatesScaled }

// Validate implements Event.
func (x SeedPaused) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	need(&c, "cause", x.Cause != "")
	needEnum(&c, "by", x.By)
	return c.result()
}

// Validate implements Event.
func (x SeedResumed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	needID(&c, "blueprint", x.Blueprint)
	need(&c, "cause", x.Cause != "")
	return c.result()
}

// Validate implements Event.
func (x RatesScaled) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	finite(&c, "factor", x.Factor)
	need(&c, "factor", x.Factor > 0)
	need(&c, "cause", x.Cause != "")
	needEnum(&c, "by", x.By)
	return c.result()
}
