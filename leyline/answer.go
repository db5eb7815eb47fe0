package leyline

// Answer is what a plane says to a trainer once a record is durable: what that
// record decided, and every directive that became durable after the cursor the
// trainer sent. Answers are not stored; they are a function of the log.
type Answer struct {
	Seq         Seq // the record that decided
	Run         RunID
	Incarnation Incarnation
	Step        Step
	Lineage     Lineage
	Weights     []float64  // per task; empty when the gradients must not be applied
	Seeds       []SeedView // every slot, in the order of RunOpened.Seeds; alphas are for the next step
	Snapshot    bool       // a snapshot is due after this step
	Profile     Step       // first step of the profile window in which the next step lies; 0: in none
	Probes      []SeedID   // seeds whose contribution is to be measured after this step
	Emergency   EmergencyLevel
	Directives  []Directive
	FastRoom    uint64 // largest file that the fast tier would take for a snapshot now, in bytes; 0: none
	Cursor      Seq    // send it with the next request
	Overtaken   bool   // a rollback made the step void before its report came: apply nothing, and do not report it again
}

// OpenAnswer answers RunOpened.
type OpenAnswer struct {
	Answer
	From    SnapshotRef // where to start from; zero: from the initial state
	Resumed bool
	Faulted []Step // steps that had been reached when this run was rolled back
}

// SeedView is what a trainer must know of a seed. A trainer that has a seed
// grafted whose stage is not Grafted removes it; one that is TERMINATED stays and is
// reported no more.
type SeedView struct {
	Seed  SeedID
	Stage Stage
	Alpha float64 // [0,1], with which the seed's output is blended
	// Paused: the seed takes no part in the forward pass, whatever its alpha, learns
	// nothing and is not reported.
	Paused bool
}

// SnapshotRef names a snapshot's bytes.
type SnapshotRef struct {
	Snapshot SnapshotID
	Step     Step
	Tier     Tier
	File     string
	Bytes    uint64
	Digest   Digest
	Check    Checksum
}

// QuickFrom is the size in bytes from which a restore from the fast tier takes the
// checksum alone. Below it SHA-256 is taken as well: the plane and the trainer need
// 14 ms each for it at most, at the 300 MB/s of a processor without instructions for
// it.
const QuickFrom = 4 << 20

// Quick reports whether a restore checks the copy by its checksum alone: in the
// fast tier, where SHA-256 of a large one would not fit the deadline. A file without
// a checksum is never. Reading a quick one twice would not fit either, so the plane
// leaves the check to the trainer, holds what that reports against the registry,
// and itself looks at size and header.
func (r SnapshotRef) Quick() bool { return r.Tier == TierFast && r.Bytes >= QuickFrom && r.Check != 0 }

// Light reports whether the plane prepares the copy by its checksum alone: a large
// one of the full tier. The trainer takes its SHA-256 before the bytes take over, and
// a processor without instructions for that would not have the time for it twice.
func (r SnapshotRef) Light() bool { return r.Tier == TierFull && r.Bytes >= QuickFrom && r.Check != 0 }

// Directive asks the trainer to act. Exactly one of the kinds' fields is set.
type Directive struct {
	ID       EffectID
	Kind     EffectKind // COMMAND, RESTORE, HALT, RATES or REBUILD
	Command  *VerifiedCommand
	Restore  *RestoreOrder
	Halt     *HaltOrder
	Rates    *RateOrder
	Rebuild  *RebuildOrder
	Deadline Instant
	WithinNs uint64 // what was left of the time to Deadline when it was handed over; 0: there is no deadline, or it has passed
}

// VerifiedCommand is a command that passed the verifier. One of Kind PAUSE asks for
// what the seeds of the answer say.
type VerifiedCommand struct {
	ID           CommandID
	Seed         SeedCommand
	Blueprint    BlueprintID // of the seed
	Kernel       string      // file in the kernel store, for START_TRAINING
	KernelDigest Digest
	Kind         CommandKind // SEED or PAUSE
	Pause        PauseCommand
	Envelope     Envelope // as its issuer signed it, so that a trainer can verify it as well
}

// RestoreOrder tells the trainer to restore a snapshot and to report with the
// incarnation it was opened with; the answer carries the new one.
type RestoreOrder struct {
	Rollback RollbackID
	From     SnapshotRef
	Cause    FaultReason
	Fault    Step // the first step that showed it
	Reached  Step // the step that had been reached
}

// HaltOrder tells the trainer to stop.
type HaltOrder struct {
	Reason FaultReason
	Detail string
}
