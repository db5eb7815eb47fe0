package leyline

// Subsystem names who decided, refused or measured.
type Subsystem = Enum[subsystemNames]

type subsystemNames struct{}

func (subsystemNames) list() []string { return subsystemList[:] }

var subsystemList = [...]string{"unknown", "plane", "tolaria", "tamiyo", "kasmina", "trainer"}

// The subsystems.
const (
	SubsystemUnknown Subsystem = iota
	SubsystemPlane
	SubsystemTolaria
	SubsystemTamiyo
	SubsystemKasmina
	SubsystemTrainer
)

// Aggregation is a method of combining task gradients.
type Aggregation = Enum[aggregations]

type aggregations struct{}

func (aggregations) list() []string { return aggregationNames[:] }

var aggregationNames = [...]string{
	"unspecified", "sum", "mean", "pcgrad", "weighted", "state_weighted", "gradvac", "mgda", "cagrad", "imtl_g", "nash_mtl",
	"upgrad", "dualproj", "aligned_mtl",
}

// The aggregation methods. What each computes, from which paper, and its value
// in degenerate cases is in packages subsystems/tolaria/aggregate and solve.
const (
	AggregationUnspecified Aggregation = iota
	AggregationSum
	AggregationMean
	AggregationPCGrad
	AggregationWeighted
	AggregationStateWeighted
	AggregationGradVac
	AggregationMGDA
	AggregationCAGrad
	AggregationIMTLG
	AggregationNashMTL
	AggregationUPGrad
	AggregationDualProj
	AggregationAlignedMTL
)

// Solved reports whether the weights of a method are computed before the
// decision, by package solve, and recorded in the input with what proves them
// right. The weights of every other method are decided.
func Solved(a Aggregation) bool { return a >= AggregationMGDA && a <= AggregationAlignedMTL }

// AlignedScale is the singular value to which Aligned-MTL brings all others.
type AlignedScale = Enum[alignedScales]

type alignedScales struct{}

func (alignedScales) list() []string { return alignedScaleNames[:] }

var alignedScaleNames = [...]string{"unspecified", "min", "median", "rmse"}

// The scales of Aligned-MTL, over the eigenvalues of the Gram matrix that are
// not zero.
const (
	ScaleUnspecified AlignedScale = iota
	ScaleMin                      // the root of the smallest
	ScaleMedian                   // of the median, the lower of two
	ScaleRMSE                     // of the mean
)

// RuleMode says whether a rule acts on what it finds.
type RuleMode = Enum[ruleModes]

type ruleModes struct{}

func (ruleModes) list() []string { return ruleModeNames[:] }

var ruleModeNames = [...]string{"unspecified", "off", "shadow", "enforce"}

// The modes of a rule: not evaluated, evaluated and recorded, acted upon.
const (
	RuleUnspecified RuleMode = iota
	RuleOff
	RuleShadow
	RuleEnforce
)

// Tier is where a snapshot lives.
type Tier = Enum[tiers]

type tiers struct{}

func (tiers) list() []string { return tierNames[:] }

var tierNames = [...]string{"unspecified", "fast", "full"}

// The snapshot tiers: shared memory (500 ms SLA) and disk (12 s SLA).
const (
	TierUnspecified Tier = iota
	TierFast
	TierFull
)

// Health is Tolaria's verdict on one step.
type Health = Enum[healths]

type healths struct{}

func (healths) list() []string { return healthNames[:] }

var healthNames = [...]string{"unspecified", "healthy", "non_finite", "suspect", "diverged", "collapsed"}

// The verdicts on a step.
const (
	HealthUnspecified Health = iota
	HealthHealthy
	HealthNonFinite // a loss or a gradient is NaN or infinite
	HealthSuspect   // the loss is anomalous, not for long enough to act; training goes on, nothing is learned from the step
	HealthDiverged  // the last of tolaria.diverge_steps anomalous losses in a row, over its limit
	HealthCollapsed // the same, at the loss of guessing
)

// RollbackPhase is a phase of a rollback (DESIGN.md section 8).
type RollbackPhase = Enum[rollbackPhases]

type rollbackPhases struct{}

func (rollbackPhases) list() []string { return rollbackPhaseNames[:] }

var rollbackPhaseNames = [...]string{"unspecified", "prepare", "commit", "confirm"}

// The phases of a rollback: the plane chooses a snapshot and verifies its bytes;
// the trainer restores and swaps; the plane compares the digests.
const (
	PhaseUnspecified RollbackPhase = iota
	PhasePrepare
	PhaseCommit
	PhaseConfirm
)

// Outcome is how something that was started ended.
type Outcome = Enum[outcomes]

type outcomes struct{}

func (outcomes) list() []string { return outcomeNames[:] }

var outcomeNames = [...]string{"unspecified", "ok", "failed", "deadline_exceeded", "superseded", "unknown"}

// The outcomes.
const (
	OutcomeUnspecified Outcome = iota
	OutcomeOK
	OutcomeFailed
	OutcomeDeadline   // its deadline passed first
	OutcomeSuperseded // a resume or a rollback made it void
	OutcomeUnknown    // the plane stopped between durable and acted
)

// EffectKind says what kind of work an effect is.
type EffectKind = Enum[effectKinds]

type effectKinds struct{}

func (effectKinds) list() []string { return effectKindNames[:] }

var effectKindNames = [...]string{"unspecified", "prefetch", "stage", "command", "restore", "evict", "signal", "halt", "policy", "rates", "rebuild", "clean",
	"report", "metadata", "policy_file",
}

// The kinds of effect.
const (
	EffectUnspecified EffectKind = iota
	EffectPrefetch               // computation: fetch and verify a kernel
	EffectStage                  // computation: read and verify a snapshot's bytes
	EffectCommand                // action: hand a verified command to the trainer
	EffectRestore                // action: tell the trainer to restore a snapshot
	EffectEvict                  // action: delete the bytes of an evicted snapshot
	EffectSignal                 // action: publish the emergency level
	EffectHalt                   // action: tell the trainer to stop
	EffectPolicy                 // computation: ask the policy what to propose
	EffectRates                  // action: tell the trainer its learning rates
	EffectRebuild                // action: tell the trainer to rebuild its optimizer
	EffectClean                  // action: empty the kernel cache
	EffectReport                 // action: hand a field report to the sinks
	EffectMetadata               // computation: look up the safety sheet of a blueprint
	EffectPolicyFile             // computation: read and verify the file of a policy
)

// TimerKind says what a timer guards.
type TimerKind = Enum[timerKinds]

type timerKinds struct{}

func (timerKinds) list() []string { return timerKindNames[:] }

var timerKindNames = [...]string{"unspecified", "rollback_deadline", "command_deadline", "embargo_end", "prefetch_deadline", "silence",
	"rates_deadline", "rebuild_deadline", "broadcast", "report",
}

// The kinds of timer.
const (
	TimerUnspecified TimerKind = iota
	TimerRollback
	TimerCommand
	TimerEmbargo
	TimerPrefetch
	TimerSilence
	TimerRates
	TimerRebuild
	TimerBroadcast // an emergency level that waits to be published
	TimerReport    // a field report that waits to be sent again
)

// PeerKind says where an input came from.
type PeerKind = Enum[peerKinds]

type peerKinds struct{}

func (peerKinds) list() []string { return peerKindNames[:] }

var peerKindNames = [...]string{"unspecified", "plane", "trainer", "operator", "policy"}

// The kinds of peer.
const (
	PeerUnspecified PeerKind = iota
	PeerPlane
	PeerTrainer
	PeerOperator
	PeerPolicy
)

// RunStatus is where a run stands.
type RunStatus = Enum[runStatuses]

type runStatuses struct{}

func (runStatuses) list() []string { return runStatusNames[:] }

var runStatusNames = [...]string{"unspecified", "open", "ended", "halted"}

// The states of a run.
const (
	RunStatusUnspecified RunStatus = iota
	RunStatusOpen
	RunStatusEnded  // its trainer closed it
	RunStatusHalted // the plane stopped it
)

// OnTrial reports whether a seed of this stage is still on its way to being
// kept or given up.
func OnTrial(s Stage) bool {
	switch s {
	case StageGerminated, StageTraining, StageBlending, StageShadowing, StageProbationary:
		return true
	}
	return false
}

// Grafted reports whether a seed of this stage is part of the host network.
func Grafted(s Stage) bool {
	switch s {
	case StageTraining, StageBlending, StageShadowing, StageProbationary, StageFossilized:
		return true
	}
	return false
}
