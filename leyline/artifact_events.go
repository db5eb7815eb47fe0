package leyline

// PolicyImported makes the file of a policy known. The admin key signed it, or a key
// that may issue POLICY commands. What the file holds is read when it is activated.
type PolicyImported struct {
	Envelope Envelope // PayloadPolicy
	Peer     PeerKind
	PeerName string
}

// PolicyLoaded is what was found when the file of a policy was read and verified.
type PolicyLoaded struct {
	Run     RunID // of the scope; empty: all
	Request EffectID
	Fault   PolicyFault // none: it is the file that was imported, and it means something
	Reason  string      // with a fault
	Digest  Digest      // measured; without a fault it is that of the artifact
	Bytes   uint64      // measured
	TookNs  uint64
	Rules   RulesConfig // without a fault: the weights that it holds
}

// PolicyAdmitted enters an artifact into the registry of policies.
type PolicyAdmitted struct {
	Artifact PolicyArtifact
	By       KeyID // that signed it
}

// PolicyRequested has the file of a policy read and verified, before it decides
// anything: because a command wants it in force, or because the plane was started and
// it was in force.
type PolicyRequested struct {
	Run      RunID // of the scope; empty: all
	Policy   PolicyRef
	File     string // in the policy store
	Bytes    uint64
	Action   PolicyAction // that is carried out; unset: it is in force, and is verified anew
	Command  CommandID    // empty when it is verified anew
	Deadline Instant
}

// PolicyActivated lets a policy decide from the next window on.
type PolicyActivated struct {
	Run      RunID // of the scope; empty: all
	Policy   PolicyRef
	Replaces PolicyRef // zero: the settings
	Action   PolicyAction
	Command  CommandID
	TookNs   uint64
	Rules    RulesConfig // the weights that count from here on
}

// PolicyReverted lets the settings decide again, or, in a run, what decides for all:
// there was no policy before the one that was in force.
type PolicyReverted struct {
	Run      RunID // of the scope; empty: all
	Replaces PolicyRef
	Command  CommandID
	Then     PolicyRef // that of all runs, which decides in the run from here on; zero: the settings
}

// PolicyConfirmed says that the file of the policy in force was found as it was
// imported. Until then a process that was just started proposes nothing.
type PolicyConfirmed struct {
	Run    RunID // of the scope; empty: all
	Policy PolicyRef
	TookNs uint64
}

// PolicyRejected says that the file of a policy cannot be used. What was in force stays
// in force; if it is that which cannot be used, nothing is proposed until another is
// activated or it is rolled back. CRITICAL.
type PolicyRejected struct {
	Run       RunID // of the scope; empty: all
	Policy    PolicyRef
	Command   CommandID // empty when it was verified anew
	Fault     PolicyFault
	Detail    string
	Suspended bool // it is in force: nothing is proposed
	TookNs    uint64
}

// InputKind implements Input.
func (PolicyImported) InputKind() InputKind { return InputPolicyImported }

// InputKind implements Input.
func (PolicyLoaded) InputKind() InputKind { return InputPolicyLoaded }

// EventKind implements Event.
func (PolicyAdmitted) EventKind() EventKind { return EventPolicyAdmitted }

// EventKind implements Event.
func (PolicyRequested) EventKind() EventKind { return EventPolicyRequested }

// EventKind implements Event.
func (PolicyActivated) EventKind() EventKind { return EventPolicyActivated }

// EventKind implements Event.
func (PolicyReverted) EventKind() EventKind { return EventPolicyReverted }

// EventKind implements Event.
func (PolicyConfirmed) EventKind() EventKind { return EventPolicyConfirmed }

// EventKind implements Event.
func (PolicyRejected) EventKind() EventKind { return EventPolicyRejected }
