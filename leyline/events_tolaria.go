package leyline

// Moments are the mean and variance of an exponentially weighted moving average
// (SPEC.md 2.3.1) and the number of samples it has seen.
type Moments struct {
	Mean float64
	Var  float64
	N    uint64
}

// RunStarted admits a run in its first incarnation.
type RunStarted struct {
	Run         RunID
	Incarnation Incarnation
	Plan        RunOpened
	QuietBy     Instant // after this without a step the trainer is stalled
}

// RunResumed opens a new incarnation after the trainer stopped. State returns
// to Snapshot, or to the beginning when Snapshot is empty.
type RunResumed struct {
	Run         RunID
	Incarnation Incarnation
	Lineage     Lineage
	Snapshot    SnapshotID
	Step        Step       // of the snapshot; training goes on with Step+1
	Lost        Step       // last step reported before the stop
	QuietBy     Instant    // after this without a step the trainer is stalled
	Rollback    RollbackID // set when the resume completes a rollback that was under way
	Posture     Posture    // of the trainer that resumed it; it may differ from the one before
}

// RunEnded closes a run that its trainer finished.
type RunEnded struct {
	Run     RunID
	Step    Step
	Outcome Outcome
	Digest  Digest // of the final training state
}

// RunHalted stops a run: the plane gives no further answers but this. CRITICAL.
type RunHalted struct {
	Run    RunID
	Step   Step
	Reason FaultReason
	Detail string
}

// GradientsCombined is the answer to a step's gradients: the update is
// the sum of Weights[i] times task gradient i.
type GradientsCombined struct {
	Run       RunID
	Step      Step
	Method    Aggregation
	Weights   []float64 // per task
	Conflicts uint32    // unordered pairs with a negative inner product
	Ratio     float64   // Conflicts over all pairs, [0,1]
	Targets   []float64 // of gradvac, after this step: k*k target cosines, row-major; else empty
}

// TrainingAssessed is Tolaria's verdict on a step and the new running figures.
// On an unhealthy step the running figures are those of the last healthy one.
type TrainingAssessed struct {
	Run          RunID
	Step         Step
	Health       Health
	Loss         float64 // mean over tasks
	Delta        float64 // Loss minus the loss EWMA before this step; 0 on the first
	LossEWMA     Moments
	GradEWMA     Moments      // of the L2 norm of the combined gradient
	ConflictEWMA Moments      // of the conflict ratio
	Confirms     []SnapshotID // snapshots that this healthy step proves good
	FirstGood    RollbackID   // the rollback after which this is the first healthy step
	Limit        float64      // loss above which this step is anomalous; 0 while the rule is off or warming up
	Chance       float64      // loss of guessing, close to which this step is anomalous; 0 while the rule is off, warming up or the run has not learned yet
	Anomaly      FaultReason  // what is anomalous: DIVERGED or COLLAPSED; NONE unless Suspect is set
	Suspect      uint32       // anomalous steps in a row, this one included; with Health healthy they were only watched
	StepEWMA     Moments      // of the whole step as the trainer measured it, in nanoseconds
	RateEWMA     Moments      // of the samples per second of the whole step before
	Samples      uint32       // in this step's batch
	Tally        Tally        // of the epoch so far, this step included when it is healthy
	Profiled     bool         // the step lies in a profile window
	QuietBy      Instant      // after this without a further step the trainer is stalled
	HookNs       uint64       // slowest answer of the epoch so far, as the trainer waited for it
}

// EpochAssessed records a held-out evaluation and what the epoch took.
type EpochAssessed struct {
	Run        RunID
	Step       Step
	Epoch      uint32
	Losses     []float64 // per task
	Accuracies []float64 // per task, [0,1]
	Shares     Shares    // of host and seeds in the gradients of the epoch
	TookNs     uint64    // the epoch, as the trainer measured it
	BudgetNs   uint64    // for it; 0: none
	HookNs     uint64    // its slowest answer, as the trainer waited for it
	HookBudget uint64    // for that, in nanoseconds; 0: none
	Streak     uint32    // epochs that failed in a row, this one included; 0: it did not fail
}

// TrainerStalled says that a trainer has not reported a step for longer than it
// ever needs. WARNING: it may be slow, hung or dead; nobody guesses which.
type TrainerStalled struct {
	Run   RunID
	Step  Step // the last one reported
	AgeNs uint64
}

// TrainerReturned says that a stalled trainer reports again.
type TrainerReturned struct {
	Run   RunID
	Step  Step
	AgeNs uint64 // of its silence
}

// EmergencyEscalated raises the emergency level.
type EmergencyEscalated struct {
	Run    RunID
	From   EmergencyLevel
	To     EmergencyLevel
	Reason FaultReason
}

// EmergencyCleared lowers the emergency level again, always explicitly.
type EmergencyCleared struct {
	Run    RunID
	From   EmergencyLevel
	To     EmergencyLevel
	Reason FaultReason
}

// EmergencyPublished says whether the emergency signal reached its file. CRITICAL
// unless OK: the level goes back to the queue.
type EmergencyPublished struct {
	Run     RunID
	Effect  EffectID
	Level   EmergencyLevel // the highest over all open runs
	Outcome Outcome        // OK, FAILED or DEADLINE
	Reason  string
	TookNs  uint64
	Retry   Instant // when it is tried again; zero: another level has taken its place, or it was published
}

// EventKind implements Event.
func (RunStarted) EventKind() EventKind { return EventRunStarted }

// EventKind implements Event.
func (RunResumed) EventKind() EventKind { return EventRunResumed }

// EventKind implements Event.
func (RunEnded) EventKind() EventKind { return EventRunEnded }

// EventKind implements Event.
func (RunHalted) EventKind() EventKind { return EventRunHalted }

// EventKind implements Event.
func (GradientsCombined) EventKind() EventKind { return EventGradientsCombined }

// EventKind implements Event.
func (TrainingAssessed) EventKind() EventKind { return EventTrainingAssessed }

// EventKind implements Event.
func (EpochAssessed) EventKind() EventKind { return EventEpochAssessed }

// EventKind implements Event.
func (TrainerStalled) EventKind() EventKind { return EventTrainerStalled }

// EventKind implements Event.
func (TrainerReturned) EventKind() EventKind { return EventTrainerReturned }

// EventKind implements Event.
func (EmergencyEscalated) EventKind() EventKind { return EventEmergencyEscalated }

// EventKind implements Event.
func (EmergencyCleared) EventKind() EventKind { return EventEmergencyCleared }

// EventKind implements Event.
func (EmergencyPublished) EventKind() EventKind { return EventEmergencyPublished }
