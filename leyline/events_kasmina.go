package leyline

// CommandVerified accepts a command: authentic, fresh, new, and possible now.
// It spends the nonce.
type CommandVerified struct {
	Run       RunID
	Command   CommandID
	Key       KeyID
	Issuer    string
	Kind      CommandKind
	Seed      SeedCommand
	Sequence  uint64
	IssuedAt  Instant
	Deadline  Instant          // the trainer's answer is due by then
	KeepUntil Instant          // the nonce cannot be replayed after this
	Digest    Digest           // of the payload bytes
	Emergency EmergencyCommand // set for Kind EMERGENCY, which the plane carries out itself, in this record
	Ledger    LedgerFill       // as this verdict leaves it
	Pause     PauseCommand     // set for Kind PAUSE
	Optimizer OptimizerCommand // set for Kind OPTIMIZER; so the plane itself
	Breaker   BreakerCommand   // set for Kind CIRCUIT_BREAKER; so the plane itself
	Rollback  RollbackCommand  // set for Kind ROLLBACK; so the plane itself
	Metadata  DecisionMetadata // how it came about, as signed
	Blueprint BlueprintID      // of the seed that it is about, before it is carried out; empty: it has none
	Grown     uint64           // parameters of the run's grafted seeds, before it is carried out

	Conservative ConservativeCommand // set for Kind CONSERVATIVE; so the plane itself
	Policy       PolicyCommand       // set for Kind POLICY; so the plane itself, as soon as the file is verified
}

// CommandRejected declines a command. Fields that could not be read from an
// unauthentic command are empty.
type CommandRejected struct {
	Run       RunID
	Command   CommandID
	Key       KeyID // as claimed
	Issuer    string
	Kind      CommandKind
	Operation SeedOperation
	Seed      SeedID
	Reason    RejectReason
	Detail    string
	Sequence  uint64 // spent, for authentic commands
	IssuedAt  Instant
	KeepUntil Instant    // set when the nonce is spent
	Digest    Digest     // of the payload bytes
	Ledger    LedgerFill // as this verdict leaves it
}

// CommandSettled is the trainer's answer to an accepted command.
type CommandSettled struct {
	Run     RunID
	Command CommandID
	Outcome Outcome
	Reason  string
	TookNs  uint64
}

// CommandExpired closes an accepted command that nobody answered.
type CommandExpired struct {
	Run     RunID
	Command CommandID
	Outcome Outcome // DEADLINE, SUPERSEDED or UNKNOWN
}

// GateEvaluated is the verdict of one gate with everything it looked at.
type GateEvaluated struct {
	Run    RunID
	Seed   SeedID
	Gate   Gate
	Passed bool
	Reason string // why it stays closed: see ReasonFallback and those after it, else the check
	Checks []Check
	Mesh   MeshCoverage // of gate G3
}

// SeedMoved changes a seed's stage.
type SeedMoved struct {
	Run       RunID
	Seed      SeedID
	From      Stage
	To        Stage
	Step      Step
	Blueprint BlueprintID // of the seed from here on; empty for an empty slot
	Mesh      []string
	Until     Instant // end of the embargo, for EMBARGOED
	UntilStep Step    // the same in a lockstep run, where time decides nothing
	ProbeFrom Step    // for PROBATIONARY: the step of the first probe
	Cause     string  // command id, gate or timer
}

// BlendConfigured fixes a seed's blend before its first step.
type BlendConfigured struct {
	Run  RunID
	Seed SeedID
	Plan BlendPlan
	Loss float64 // loss EWMA before the seed changed anything

	Source string // who chose the plan: the issuer of the command
}

// BlendStepped advances a seed's alpha by one step. The trainer uses the new
// alpha from its next step on.
type BlendStepped struct {
	Run       RunID
	Seed      SeedID
	AlphaStep uint32
	Alpha     float64 // [0,1]
	Complete  bool    // the schedule has ended

	TotalSteps  uint32  // of the schedule, as in the plan
	Temperature float64 // of the schedule, in steps, as in the plan
}

// IsolationAssessed is what one step showed of a grafted seed: above all of its
// isolation from its host. Steps says how often it has now been seen.
type IsolationAssessed struct {
	Run      RunID
	Seed     SeedID
	Steps    uint32  // observed in the present stage, this one included
	GradNorm float64 // of the seed's parameters
	Cosine   float64 // of host and seed gradients at the graft boundary
	Leak     float64 // norm of the gradient that reached the host through the detached input
	MaxLeak  float64 // largest leak in the present stage
	Quality  Quality
	// Reported is the stage that the trainer holds the seed for, where that is another
	// one and no directive under way explains it; else unset.
	Reported Stage
	Violated bool // Leak is over kasmina.max_leak, or Coupled where that is enforced

	Coupled       bool         // Cosine is over kasmina.max_cosine either way; judged while TRAINING and BLENDING
	News          bool         // a violation that is worth an alarm: the first of its stage, a larger leak, one that makes it CRITICAL
	Violations    uint32       // of the seed since it germinated, steps of which it was guilty; this one included
	RunViolations uint64       // of all seeds of the run
	Breaker       BreakerState // where the run's isolation breaker stands after it
	Health        SeedHealth   // of the seed after it
}

// ContributionMeasured is what a seed adds to its host, as one probe and all
// probes of its present stage measured it. Positive figures speak for the seed.
type ContributionMeasured struct {
	Run          RunID
	Seed         SeedID
	Step         Step
	Probes       uint32  // of the present stage, this one included
	Accuracy     float64 // mean over tasks of accuracy with the seed less accuracy without, [-1,1]
	Loss         float64 // mean over tasks of the loss without the seed less the loss with it
	MeanAccuracy float64 // of Accuracy over Probes
	MeanLoss     float64 // of Loss over Probes
	Next         Step    // from this step on the next probe is due
}

// PrefetchRequested asks the worker for a kernel.
type PrefetchRequested struct {
	Run       RunID
	Seed      SeedID
	Blueprint BlueprintID
	Kernel    string
	Digest    Digest
	Deadline  Instant
	Guard     Digest
	Bytes     uint64 // as registered
	Inflight  uint32 // fetches of the run that are outstanding, this one included
}

// PrefetchSettled ends a prefetch.
type PrefetchSettled struct {
	Run     RunID
	Seed    SeedID
	Request EffectID
	Outcome Outcome
	Reason  string
	TookNs  uint64

	Blueprint BlueprintID
	Kind      RefusalKind  // of a failure: what is wrong with the kernel; none: the way to it
	Origin    KernelOrigin // of success
	WaitNs    uint64       // waiting for another fetch of the same kernel or for room in the cache
	Contended bool         // that was longer than kasmina.cache_wait_warn_ms
	Prewarm   Prewarm
	Inflight  uint32 // fetches of the run that are still outstanding
}

// EventKind implements Event.
func (CommandVerified) EventKind() EventKind { return EventCommandVerified }

// EventKind implements Event.
func (CommandRejected) EventKind() EventKind { return EventCommandRejected }

// EventKind implements Event.
func (CommandSettled) EventKind() EventKind { return EventCommandSettled }

// EventKind implements Event.
func (CommandExpired) EventKind() EventKind { return EventCommandExpired }

// EventKind implements Event.
func (GateEvaluated) EventKind() EventKind { return EventGateEvaluated }

// EventKind implements Event.
func (SeedMoved) EventKind() EventKind { return EventSeedMoved }

// EventKind implements Event.
func (BlendConfigured) EventKind() EventKind { return EventBlendConfigured }

// EventKind implements Event.
func (BlendStepped) EventKind() EventKind { return EventBlendStepped }

// EventKind implements Event.
func (IsolationAssessed) EventKind() EventKind { return EventIsolationAssessed }

// EventKind implements Event.
func (ContributionMeasured) EventKind() EventKind { return EventContributionMeasured }

// EventKind implements Event.
func (PrefetchRequested) EventKind() EventKind { return EventPrefetchRequested }

// EventKind implements Event.
func (PrefetchSettled) EventKind() EventKind { return EventPrefetchSettled }
