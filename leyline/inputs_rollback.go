package leyline

// SnapshotTaken reports a copy of a snapshot that the trainer wrote. Copies of one
// snapshot in two tiers have its id, step, size and digest. The door has read the
// file again: Measured and Check are what it found.
type SnapshotTaken struct {
	Run         RunID
	Incarnation Incarnation
	Step        Step
	Snapshot    SnapshotID
	Tier        Tier
	File        string // name within the run's directory of the tier; same syntax as an id, so it cannot leave it
	Bytes       uint64
	Digest      Digest   // as the trainer computed it
	Measured    Digest   // as the plane computed it from the file; zero when Problem is set
	Check       Checksum // likewise
	Problem     string   // why the plane could not verify the file
	Unwritten   string   // why the trainer could not write it; then there is nothing to verify
	WriteNs     uint64
	VerifyNs    uint64
}

// SnapshotCopy names a copy of a snapshot.
type SnapshotCopy struct {
	Snapshot SnapshotID
	Tier     Tier
}

// SnapshotLost says that registry and directory disagree: a registered copy's
// file is missing or is not what was registered, or a file is there that no
// registered copy names.
type SnapshotLost struct {
	Run      RunID
	Snapshot SnapshotID // empty for a file that nobody registered
	Tier     Tier
	File     string
	Bytes    uint64 // found
	Problem  string
}

// RollbackReported completes a phase of a rollback. With outcome OK at least one of
// Digest and Check is given, and each that is given is held against the registry;
// only the plane's PREPARE of a large file in the fast tier has neither, and has
// looked at size and header alone.
type RollbackReported struct {
	Run         RunID
	Incarnation Incarnation
	Rollback    RollbackID
	Phase       RollbackPhase // PREPARE from the plane's worker, COMMIT from the trainer
	Tier        Tier          // from which the bytes came
	Outcome     Outcome
	Digest      Digest   // of the bytes staged or restored
	Check       Checksum // likewise
	Bytes       uint64   // staged or restored
	Reason      string
	TookNs      uint64
}

// InputKind implements Input.
func (SnapshotTaken) InputKind() InputKind { return InputSnapshotTaken }

// InputKind implements Input.
func (SnapshotLost) InputKind() InputKind { return InputSnapshotLost }

// InputKind implements Input.
func (RollbackReported) InputKind() InputKind { return InputRollbackReported }
