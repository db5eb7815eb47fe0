package leyline

// SnapshotRegistered admits a copy of a snapshot whose bytes the plane has read
// and found to match. The first copy also marks where every projection can rewind
// to.
type SnapshotRegistered struct {
	Run         RunID
	Incarnation Incarnation
	Step        Step
	Snapshot    SnapshotID
	Tier        Tier
	File        string
	Bytes       uint64
	Digest      Digest
	Check       Checksum
	Further     bool   // the snapshot is registered already: this is its copy in the other tier
	FastBytes   uint64 // in the fast tier from now on, over all runs
}

// SnapshotRefused declines a copy of a snapshot, whose file is deleted once this is
// durable. In the full tier it is CRITICAL: training goes on with less to fall back
// to.
type SnapshotRefused struct {
	Run      RunID
	Step     Step
	Snapshot SnapshotID
	Tier     Tier
	File     string
	Bytes    uint64
	Reason   string
}

// SnapshotEvicted gives up a copy of a snapshot; its bytes are deleted once this is
// durable.
type SnapshotEvicted struct {
	Run       RunID
	Snapshot  SnapshotID // empty for a file that nobody registered
	Tier      Tier
	File      string
	Why       EvictReason
	Detail    string // of what was lost or orphaned
	Gone      bool   // no copy of the snapshot is left
	FastBytes uint64 // in the fast tier from now on, over all runs
}

// RollbackStarted begins a rollback. CRITICAL.
type RollbackStarted struct {
	Run       RunID
	Rollback  RollbackID
	Cause     FaultReason
	FaultStep Step // the first step that showed the fault
	Reached   Step // the step whose report decided it; whatever a drill did up to there is undone
	Snapshot  SnapshotID
	ToStep    Step
	Tier      Tier
	Seen      Instant // when that step was reported
	Since     Instant // when the fault was decided; the budgets run from there over every attempt
	Deadline  Instant // of the whole rollback; zero while its clock stands still
	LevelBy   Instant // end of the service level of the tier; zero as Deadline
	PhaseBy   Instant // when the phase is given up: of the fast tier, for the full one; zero as Deadline
}

// RollbackAdvanced enters the next phase of a rollback, or prepares it once more,
// now from the full tier.
type RollbackAdvanced struct {
	Run      RunID
	Rollback RollbackID
	Phase    RollbackPhase // entered
	Tier     Tier          // from which the rollback goes on
	TookNs   uint64        // the phase before it, as measured by who did the work
	PhaseBy  Instant       // when the phase entered is given up
	Left     RollbackPhase // of the fast tier, in which it was given up; unset while nothing was
	Reason   FaultReason   // why it was
}

// RollbackFinished ends a rollback. With outcome OK the state is rewound to the
// snapshot and a new incarnation begins.
type RollbackFinished struct {
	Run         RunID
	Rollback    RollbackID
	Outcome     Outcome
	Reason      FaultReason // why it did not succeed
	Snapshot    SnapshotID
	Step        Step
	Tier        Tier          // from which it was restored, or was to be
	Overran     RollbackPhase // the phase that ate the budget; unset when it was kept
	Incarnation Incarnation
	Lineage     Lineage
	Digest      Digest   // restored; equals the digest saved when OK. Zero when only Check was taken
	Check       Checksum // restored from the fast tier; equals the one saved when OK
	CommitNs    uint64   // restore as measured by the trainer
	TotalNs     uint64   // from Since to this record, in plane time
	WithinSLA   bool     // of the tier that it was restored from
	QuietBy     Instant  // when OK: after this without a step the trainer is stalled
}

// EventKind implements Event.
func (SnapshotRegistered) EventKind() EventKind { return EventSnapshotRegistered }

// EventKind implements Event.
func (SnapshotRefused) EventKind() EventKind { return EventSnapshotRefused }

// EventKind implements Event.
func (SnapshotEvicted) EventKind() EventKind { return EventSnapshotEvicted }

// EventKind implements Event.
func (RollbackStarted) EventKind() EventKind { return EventRollbackStarted }

// EventKind implements Event.
func (RollbackAdvanced) EventKind() EventKind { return EventRollbackAdvanced }

// EventKind implements Event.
func (RollbackFinished) EventKind() EventKind { return EventRollbackFinished }
