package leyline

// Stage is a seed's place in its lifecycle (SPEC.md 1.1).
type Stage = Enum[stages]

type stages struct{}

func (stages) list() []string { return stageNames[:] }

var stageNames = [...]string{
	"UNKNOWN", "DORMANT", "GERMINATED", "TRAINING", "BLENDING", "SHADOWING", "PROBATIONARY",
	"FOSSILIZED", "CULLED", "EMBARGOED", "RESETTING", "TERMINATED",
}

// The stages of a seed.
const (
	StageUnknown      Stage = iota
	StageDormant            // empty slot that can germinate
	StageGerminated         // accepted, identifiers checked, kernel not yet attached
	StageTraining           // runs on detached host output, does not change the host's output
	StageBlending           // output mixed into the host's under an alpha schedule
	StageShadowing          // stabilisation, observed at full alpha
	StageProbationary       // observed for system impact
	StageFossilized         // made permanent
	StageCulled             // failed or retired
	StageEmbargoed          // cool-down that blocks immediate re-use
	StageResetting          // slot being cleaned
	StageTerminated         // closed administratively, final
)

// Gate guards a transition of a seed (SPEC.md 1.1 and 4.4).
type Gate = Enum[gates]

type gates struct{}

func (gates) list() []string { return gateNames[:] }

var gateNames = [...]string{
	"UNKNOWN", "G0_SANITY", "G1_GRADIENT_HEALTH", "G2_STABILITY", "G3_INTERFACE", "G4_SYSTEM_IMPACT", "G5_RESET",
}

// The gates.
const (
	GateUnknown Gate = iota
	GateSanity
	GateGradientHealth
	GateStability
	GateInterface
	GateSystemImpact
	GateReset
)

// CommandKind says what a command acts on.
type CommandKind = Enum[commandKinds]

type commandKinds struct{}

func (commandKinds) list() []string { return commandKindNames[:] }

var commandKindNames = [...]string{
	"UNKNOWN", "SEED", "ROLLBACK", "OPTIMIZER", "CIRCUIT_BREAKER", "PAUSE", "EMERGENCY", "STRUCTURAL_PRUNING", "REGISTRY",
	"CONSERVATIVE",
	"POLICY",
}

// The kinds of command.
const (
	CommandUnknown CommandKind = iota
	CommandSeed
	CommandRollback
	CommandOptimizer
	CommandCircuitBreaker
	CommandPause
	CommandEmergency
	CommandStructuralPruning
	CommandRegistry // whose parameters are whose: SPEC.md 4.8
	CommandConservative
	CommandPolicy // which policy decides: SPEC.md 3.12
)

// SeedOperation is what a SEED command asks of a seed.
type SeedOperation = Enum[seedOperations]

type seedOperations struct{}

func (seedOperations) list() []string { return seedOperationNames[:] }

var seedOperationNames = [...]string{
	"UNKNOWN", "GERMINATE", "START_TRAINING", "START_GRAFTING", "STABILIZE", "EVALUATE", "FINE_TUNE",
	"FOSSILIZE", "CULL", "CANCEL",
}

// The operations on seeds.
const (
	OpUnknown SeedOperation = iota
	OpGerminate
	OpStartTraining
	OpStartGrafting
	OpStabilize
	OpEvaluate
	OpFineTune
	OpFossilize
	OpCull
	OpCancel
)

// BlendMode says how a seed's output is mixed into the host's (SPEC.md 4.6).
type BlendMode = Enum[blendModes]

type blendModes struct{}

func (blendModes) list() []string { return blendModeNames[:] }

var blendModeNames = [...]string{"UNSPECIFIED", "CONVEX", "RESIDUAL", "CHANNEL", "CONFIDENCE"}

// The blend modes.
const (
	BlendUnspecified BlendMode = iota
	BlendConvex
	BlendResidual
	BlendChannel
	BlendConfidence
)

// EmergencyLevel grades an emergency, L1 to L4.
type EmergencyLevel = Enum[emergencyLevels]

type emergencyLevels struct{}

func (emergencyLevels) list() []string { return emergencyLevelNames[:] }

var emergencyLevelNames = [...]string{"UNSPECIFIED", "L1_NOTICE", "L2_ELEVATED", "L3_CONSERVATIVE", "L4_HALT"}

// The emergency levels, rising.
const (
	EmergencyUnspecified EmergencyLevel = iota
	EmergencyNotice
	EmergencyElevated
	EmergencyConservative
	EmergencyHalt
)

// Level is the severity of a telemetry event.
type Level = Enum[levels]

type levels struct{}

func (levels) list() []string { return levelNames[:] }

var levelNames = [...]string{"UNSPECIFIED", "INFO", "WARNING", "ERROR", "CRITICAL"}

// The severities, rising.
const (
	LevelUnspecified Level = iota
	LevelInfo
	LevelWarning
	LevelError
	LevelCritical
)

// Priority orders telemetry packets for delivery.
type Priority = Enum[priorities]

type priorities struct{}

func (priorities) list() []string { return priorityNames[:] }

var priorityNames = [...]string{"UNSPECIFIED", "LOW", "NORMAL", "HIGH", "CRITICAL"}

// The priorities, rising.
const (
	PriorityUnspecified Priority = iota
	PriorityLow
	PriorityNormal
	PriorityHigh
	PriorityCritical
)
