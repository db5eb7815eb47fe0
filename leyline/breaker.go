package leyline

// BreakerState is where a circuit breaker stands (SPEC.md 1.1).
type BreakerState = Enum[breakerStates]

type breakerStates struct{}

func (breakerStates) list() []string { return breakerStateNames[:] }

var breakerStateNames = [...]string{"UNKNOWN", "CLOSED", "OPEN", "HALF_OPEN"}

// The states of a breaker: attempts are allowed, refused, or on trial.
const (
	BreakerUnknown BreakerState = iota
	BreakerClosed
	BreakerOpen
	BreakerHalfOpen
)

// BreakerID names a breaker. Every run has its own of each.
type BreakerID = Enum[breakerIDs]

type breakerIDs struct{}

func (breakerIDs) list() []string { return breakerIDNames[:] }

var breakerIDNames = [...]string{"unspecified", "compile", "epochs", "optimizer", "kernel", "isolation",
	"inference", "metadata",
}

// The breakers.
const (
	BreakerUnspecified BreakerID = iota
	BreakerCompile               // fed by compile fallbacks, asked by gate G1
	BreakerEpochs                // fed by failed epochs, asked at the end of each
	BreakerOptimizer             // fed by failed rebuilds of the optimizer, asked at each fence
	BreakerKernel                // fed by kernels that cannot be had in time, asked before each fetch
	BreakerIsolation             // fed by violations of isolation, asked by gate G1, which is its success
	BreakerInference             // fed by answers of the policy that are late, wrong or not there, asked before each question
	BreakerMetadata              // fed by safety sheets that cannot be had or do not count, asked before each lookup
)

// BreakerAction says what moved a breaker.
type BreakerAction = Enum[breakerActions]

type breakerActions struct{}

func (breakerActions) list() []string { return breakerActionNames[:] }

var breakerActionNames = [...]string{"unspecified", "count", "transition", "extend", "denied", "forced"}

// The actions: a counter changed, the state changed, an open one stays so for
// longer, one refused an attempt, somebody set the state by hand.
const (
	BreakerActionUnspecified BreakerAction = iota
	BreakerCount
	BreakerTransition
	BreakerExtend
	BreakerDenied
	BreakerForced
)

// BreakerReason says what a breaker counted.
type BreakerReason = Enum[breakerReasons]

type breakerReasons struct{}

func (breakerReasons) list() []string { return breakerReasonNames[:] }

var breakerReasonNames = [...]string{"unspecified", "compile_fallback", "success", "stabilised", "cooldown_elapsed",
	"epoch_failed", "rebuild_failed", "cooling_down", "operator", "kernel_failed", "kernel_timeout", "kernel_latency",
	"isolation_violation", "on_trial",
	"policy_timeout", "policy_failed", "metadata_timeout", "metadata_failed",
}

// The reasons: what failed, a success that is counted, the success that closes a
// half-open breaker, and the end of a cool-down (SPEC.md 4.7).
const (
	BreakerReasonUnspecified BreakerReason = iota
	BreakerCompileFallback
	BreakerSuccess
	BreakerStabilised
	BreakerCooldownElapsed
	BreakerEpochFailed
	BreakerRebuildFailed
	BreakerCoolingDown // an attempt came before the cool-down was over
	BreakerOperator    // who forced it
	BreakerKernelFailed
	BreakerKernelTimeout
	BreakerKernelLatency // the kernel came in time, but over kasmina.kernel_latency_ms while that is enforced
	BreakerIsolationViolation
	BreakerOnTrial // the one attempt that a half-open breaker lets through is under way
	BreakerPolicyTimeout
	BreakerPolicyFailed
	BreakerMetadataTimeout
	BreakerMetadataFailed
)

// BreakerMoved is everything about a breaker that has changed. Breakers are
// never rewound.
type BreakerMoved struct {
	Run       RunID
	Breaker   BreakerID
	Action    BreakerAction
	From      BreakerState
	To        BreakerState
	Reason    BreakerReason
	Failures  uint32  // in a row
	Successes uint32  // while HALF_OPEN
	Until     Instant // OPEN: end of the cool-down
	UntilStep uint64  // the same in a lockstep run, where time decides nothing: in healthy steps of all incarnations
}

// Validate implements Event. An open breaker says until when.
func (x BreakerMoved) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needEnum(&c, "breaker", x.Breaker)
	needEnum(&c, "action", x.Action)
	needEnum(&c, "from", x.From)
	needEnum(&c, "to", x.To)
	needEnum(&c, "reason", x.Reason)
	if x.To == BreakerOpen {
		need(&c, "until", x.Until > 0 || x.UntilStep > 0)
	}
	return c.result()
}

// EventKind implements Event.
func (BreakerMoved) EventKind() EventKind { return EventBreakerMoved }
