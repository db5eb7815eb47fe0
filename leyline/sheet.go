package leyline

// PayloadSheet is the payload type of the envelope of a SafetySheet.
const PayloadSheet = "application/vnd.esper.safety-sheet.v1+msgpack"

// SafetySheet is what whoever keeps the catalogue has found out about a kind of seed
// since it was registered. It is signed with the admin key, or with a key that may
// sign sheets, and takes the place of what the registration said of risk, tier, stage,
// quarantine and hazard. One whose signature does not hold counts for nothing.
type SafetySheet struct {
	Blueprint  BlueprintID
	Kernel     Digest // SHA-256 of the kernel that it is about, as registered
	Serial     uint64 // 1 or more; a later sheet of a blueprint has a higher one
	IssuedAt   Instant
	Tier       BlueprintTier
	Stage      uint32  // of its approval; 0: not told
	Risk       float64 // [0,1]
	Quarantine bool    // never to be germinated
	Approval   bool    // a person has to approve of it before it may be germinated
	Hazard     HazardSheet
	Note       string // for people; may be empty
}

// BlueprintFacts is what is known of a kind of seed now: what its registration said,
// or the newest safety sheet after that.
type BlueprintFacts struct {
	Blueprint  BlueprintID
	Serial     uint64 // of the safety sheet; 0: these are the facts of the registration
	Key        KeyID  // that signed the sheet; empty without one
	Tier       BlueprintTier
	Stage      uint32
	Risk       float64 // [0,1]
	Quarantine bool
	Approval   bool // a person has to approve of it before it may be germinated
	Hazard     HazardSheet
}

// Facts are what the registration says of a blueprint before any safety sheet.
func (x *BlueprintRegistered) Facts() BlueprintFacts {
	return BlueprintFacts{
		Blueprint: x.Blueprint, Tier: x.Tier, Stage: x.Stage, Risk: x.Risk, Quarantine: x.Quarantine, Hazard: x.Hazard,
	}
}

// Facts are what the sheet says, vouched for by a key.
func (x *SafetySheet) Facts(by KeyID) BlueprintFacts {
	return BlueprintFacts{
		Blueprint: x.Blueprint, Serial: x.Serial, Key: by, Tier: x.Tier, Stage: x.Stage, Risk: x.Risk,
		Quarantine: x.Quarantine, Approval: x.Approval, Hazard: x.Hazard,
	}
}

// SheetFault says why a safety sheet counts for nothing.
type SheetFault = Enum[sheetFaults]

type sheetFaults struct{}

func (sheetFaults) list() []string { return sheetFaultNames[:] }

var sheetFaultNames = [...]string{
	"none", "timeout", "unavailable", "missing", "too_large", "malformed", "unknown_key", "key_revoked",
	"not_permitted", "invalid_signature", "wrong_blueprint", "wrong_kernel", "stale", "contradicted",
}

// The faults, in the order in which a sheet is checked.
const (
	SheetFine        SheetFault = iota
	SheetTimeout                // the catalogue did not answer in time
	SheetUnavailable            // the catalogue could not be read, or not be asked
	SheetMissing                // the catalogue has none of that blueprint
	SheetTooLarge
	SheetMalformed
	SheetUnknownKey
	SheetKeyRevoked
	SheetNotPermitted // the key may not sign safety sheets
	SheetInvalidSignature
	SheetWrongBlueprint // it is about another one
	SheetWrongKernel    // it is about other bytes than those that were registered
	SheetStale          // a later one is known
	SheetContradicted   // another one of the same serial is known
)

// MetadataAnswered is a safety sheet as the catalogue holds it. Whether it counts is
// decided: the envelope may be anything of its size.
type MetadataAnswered struct {
	Request  EffectID
	Run      RunID
	Envelope Envelope
	TookNs   uint64
}

// MetadataFailed says that the catalogue gave no safety sheet. Nothing is put in its
// place.
type MetadataFailed struct {
	Request EffectID
	Run     RunID
	Outcome Outcome    // FAILED or DEADLINE
	Fault   SheetFault // timeout, unavailable, missing, too_large or malformed
	Reason  string
	TookNs  uint64
}

// MetadataAsked looks up the safety sheet of a blueprint before it is proposed to
// germinate one of it. It closes the question to the policy, if there was one.
type MetadataAsked struct {
	Run       RunID
	Step      Step // of the window
	Blueprint BlueprintID
	Deadline  Instant
	TookNs    uint64 // of the policy's answer; 0 when the rules ran inside the decider
	Stale     bool   // the policy had answered something else before
}

// MetadataSettled takes over the facts of a safety sheet whose signature holds.
type MetadataSettled struct {
	Run     RunID
	Step    Step // of the window
	Request EffectID
	Facts   BlueprintFacts
	Digest  Digest // SHA-256 of the sheet's bytes
	TookNs  uint64
}

// MetadataMissed closes a lookup that gave no safety sheet, or one that counts for
// nothing. CRITICAL: the run goes conservative, and nothing is proposed.
type MetadataMissed struct {
	Run       RunID
	Step      Step // of the window
	Request   EffectID
	Blueprint BlueprintID
	Outcome   Outcome // FAILED or DEADLINE
	Fault     SheetFault
	Reason    string // in words
	TookNs    uint64
}

// InputKind implements Input.
func (MetadataAnswered) InputKind() InputKind { return InputMetadataAnswered }

// InputKind implements Input.
func (MetadataFailed) InputKind() InputKind { return InputMetadataFailed }

// EventKind implements Event.
func (MetadataAsked) EventKind() EventKind { return EventMetadataAsked }

// EventKind implements Event.
func (MetadataSettled) EventKind() EventKind { return EventMetadataSettled }

// EventKind implements Event.
func (MetadataMissed) EventKind() EventKind { return EventMetadataMissed }
