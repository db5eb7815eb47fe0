package leyline

// DependencyViolated is a refused input. Level CRITICAL.
type DependencyViolated struct {
	Refusal Refusal
}

// PlaneBooted is the start of a process that will append to this log.
type PlaneBooted struct {
	Boot     string
	Origin   string // name of the log
	Previous string // name of the log that it was restored from, and that records before this one belong to; else empty
	AdminKey []byte // Ed25519 public key that vouches for keys and configurations
	Boots    uint32 // processes so far, this one included
	Decider  uint32 // rule version of the records that follow
	Clean    bool
	FastFree uint64 // bytes of memory free for the fast tier, measured once; 0: there is none

	Catalogue string // where safety sheets are looked up; empty: nowhere
}

// EffectRecovered says what became of an effect whose record was durable when
// the last process stopped before its completion was.
type EffectRecovered struct {
	Effect   EffectID
	Kind     EffectKind
	Run      RunID
	Reissued bool // true: issued again; false: whether it happened is unknown
}

// ConfigAdopted puts a configuration in force from the next record on.
type ConfigAdopted struct {
	Digest Digest // of the signed bytes
	Key    KeyID  // that signed them
	Config ExecutionConfig
}

// KeyEnrolled makes a verification key valid from the next record on.
type KeyEnrolled struct {
	Key Key
	By  KeyID // the key that vouched for it
}

// BlueprintAdmitted makes a blueprint available for germination.
type BlueprintAdmitted struct {
	Blueprint BlueprintRegistered
}

// DiskLow says that the disk of the data directory is nearly full: from now on
// new runs are refused. Level CRITICAL.
type DiskLow struct {
	Free      uint64 // bytes that the plane may still write
	Total     uint64 // bytes of the whole disk
	Threshold uint64 // bytes under which the disk is nearly full
}

// DiskRecovered says that new runs are opened again: there is room, or nobody
// watches the disk any more.
type DiskRecovered struct {
	Free      uint64 // bytes that the plane may still write
	Total     uint64 // bytes of the whole disk
	Threshold uint64 // bytes under which the disk is nearly full; 0: it is not watched any more
}

// EventKind implements Event.
func (DependencyViolated) EventKind() EventKind { return EventDependencyViolated }

// EventKind implements Event.
func (PlaneBooted) EventKind() EventKind { return EventPlaneBooted }

// EventKind implements Event.
func (EffectRecovered) EventKind() EventKind { return EventEffectRecovered }

// EventKind implements Event.
func (ConfigAdopted) EventKind() EventKind { return EventConfigAdopted }

// EventKind implements Event.
func (KeyEnrolled) EventKind() EventKind { return EventKeyEnrolled }

// EventKind implements Event.
func (BlueprintAdmitted) EventKind() EventKind { return EventBlueprintAdmitted }

// EventKind implements Event.
func (DiskLow) EventKind() EventKind { return EventDiskLow }

// EventKind implements Event.
func (DiskRecovered) EventKind() EventKind { return EventDiskRecovered }
