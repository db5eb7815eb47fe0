package leyline

import (
	"slices"
	"strings"
)

// Bounds on what a registry of parameters may hold. A name is one of a tensor of
// a checkpoint: networks of more tensors than MaxParameters declare none, and
// nothing is guarded.
const (
	MaxParameters     = 4096 // named tensors of a host or a teacher
	MaxSeedParameters = 1024 // named tensors of a seed
	MaxParameterName  = 256  // bytes
)

// TeacherID names a teacher: a network whose parameters nobody may update.
type TeacherID string

// Parameter is a named tensor of a network, as its snapshots name it. Lists of
// parameters are in ascending order of names (by bytes), each name once.
type Parameter struct {
	Name string // 1 to MaxParameterName bytes of printable UTF-8
	Size uint64 // numbers that it holds, 1 or more
}

// ParameterCount adds up the numbers that parameters hold. It stays at the largest
// number that there is instead of wrapping around.
func ParameterCount(ps []Parameter) uint64 {
	var n uint64
	for _, p := range ps {
		n = max(n, n+p.Size)
		if n < p.Size {
			return ^uint64(0)
		}
	}
	return n
}

// SortParameters puts parameters in the order of lists.
func SortParameters(ps []Parameter) {
	slices.SortFunc(ps, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
}

// Teacher is a network that others learn from and nobody updates. A run has one at
// most.
type Teacher struct {
	ID         TeacherID
	Parameters []Parameter // 1 or more
	Bytes      uint64      // that it takes in memory
	Digest     Digest      // SHA-256 of its weights
}

// Ownership says whose a parameter is or why a seed may not update it.
type Ownership = Enum[ownerships]

type ownerships struct{}

func (ownerships) list() []string { return ownershipNames[:] }

var ownershipNames = [...]string{
	"unspecified", "owned_by_host", "owned_by_seed", "owned_by_teacher", "count_mismatch",
}

// The answers of a registry.
const (
	OwnershipUnspecified Ownership = iota // nobody's, and nothing against it
	OwnedByHost
	OwnedBySeed
	OwnedByTeacher
	CountMismatch // the seed updates another count of numbers than its parameters hold
)

// RegistryAction is what a REGISTRY command does.
type RegistryAction = Enum[registryActions]

type registryActions struct{}

func (registryActions) list() []string { return registryActionNames[:] }

var registryActionNames = [...]string{"unspecified", "reset", "register_teacher", "deregister_teacher"}

// The actions.
const (
	RegistryActionUnspecified RegistryAction = iota
	RegistryResetAll                         // cull every seed on trial, forget the teacher: what remains is the host's
	RegistryTeach                            // register a teacher in place of the one there is
	RegistryForget                           // deregister the teacher
)

// RegistryCommand is the argument of a REGISTRY command.
type RegistryCommand struct {
	Action  RegistryAction
	Teacher Teacher // REGISTER_TEACHER: whole; DEREGISTER_TEACHER: its ID
	Reason  string  // why, for people
}

// TeacherRegistered makes the teacher of a run known, in place of the one there is.
// The trainer says so, or an operator.
type TeacherRegistered struct {
	Run      RunID
	Teacher  Teacher
	Peer     PeerKind
	PeerName string
}

// TeacherDeregistered says that a run has no teacher any more.
type TeacherDeregistered struct {
	Run      RunID
	Teacher  TeacherID
	Peer     PeerKind
	PeerName string
}

// ParametersRegistered gives parameters to the seed that was grafted with them.
type ParametersRegistered struct {
	Run        RunID
	Seed       SeedID
	Command    CommandID // whose answer declared them
	Parameters []Parameter
}

// RegistryConflicted says that a seed wants to update what it may not. On trial it is
// culled for it. Level CRITICAL.
type RegistryConflicted struct {
	Run       RunID
	Seed      SeedID
	Why       Ownership
	Parameter string    // the first that is in the way; empty for count_mismatch
	Owner     SeedID    // owned_by_seed: which, and owned_by_host: the fossilised one that it was
	Teacher   TeacherID // owned_by_teacher: which
	Owned     uint64    // count_mismatch: numbers that its parameters hold
	Told      uint64    // count_mismatch: numbers that it updates, as the trainer says
}

// TeacherEnrolled gives a run a teacher. Level WARNING when it takes more memory
// than Budget.
type TeacherEnrolled struct {
	Run      RunID
	Teacher  Teacher
	Replaces TeacherID // whose parameters are nobody's any more; empty: there was none
	Budget   uint64    // bytes, kasmina.teacher_memory_mib as it was in force
	Over     bool      // Teacher.Bytes is over Budget
}

// TeacherForgotten ends the protection of a teacher's parameters. Level WARNING.
type TeacherForgotten struct {
	Run     RunID
	Teacher TeacherID
	Cause   string // who or what ended it
}

// RegistryReset says that the parameters of a run are those of its host from here on.
// Keys, spent command ids, sequences, counters and breakers are what they were. Level
// WARNING.
type RegistryReset struct {
	Run       RunID
	Command   CommandID
	Issuer    string
	Reason    string
	Culled    []SeedID // in slot order
	Cancelled uint32   // prefetches that were outstanding
}

// InputKind implements Input.
func (TeacherRegistered) InputKind() InputKind { return InputTeacherRegistered }

// InputKind implements Input.
func (TeacherDeregistered) InputKind() InputKind { return InputTeacherDeregistered }

// EventKind implements Event.
func (ParametersRegistered) EventKind() EventKind { return EventParametersRegistered }

// EventKind implements Event.
func (RegistryConflicted) EventKind() EventKind { return EventRegistryConflicted }

// EventKind implements Event.
func (TeacherEnrolled) EventKind() EventKind { return EventTeacherEnrolled }

// EventKind implements Event.
func (TeacherForgotten) EventKind() EventKind { return EventTeacherForgotten }

// EventKind implements Event.
func (RegistryReset) EventKind() EventKind { return EventRegistryReset }
