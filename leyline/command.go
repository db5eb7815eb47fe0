package leyline

import "time"

// Payload types of envelopes. The type is part of what is signed, so a
// signature over one kind of payload can never be shown as another.
const (
	PayloadCommand = "application/vnd.esper.command.v1+msgpack"
	PayloadConfig  = "application/vnd.esper.config.v1+msgpack"
	PayloadKey     = "application/vnd.esper.key.v1+msgpack"

	PayloadRevocation = "application/vnd.esper.key-revocation.v1+msgpack"
)

// MaxCommandBytes bounds the payload of a command envelope.
const MaxCommandBytes = 64 << 10

// Envelope carries signed bytes. The bytes received are the bytes verified and
// the bytes logged; nothing is ever re-encoded. The signature is Ed25519 over
// the DSSE pre-authentication encoding of PayloadType and Payload.
type Envelope struct {
	PayloadType string
	Payload     []byte
	KeyID       KeyID
	Signature   []byte // 64 bytes
}

// Audience says whom a command is for: one log and, for most kinds, one run.
type Audience struct {
	Origin string // name of the log that the plane writes
	Run    RunID
}

// Command is the payload of a command envelope.
type Command struct {
	Issuer   string // IssuerTamiyo, or the operator's name as enrolled with the key
	Audience Audience
	ID       CommandID
	Sequence uint64  // rises by one or more with every command of a key
	IssuedAt Instant // plane time
	NotAfter Instant // the trainer's answer is due by then
	Kind     CommandKind
	Seed     SeedCommand // set for Kind SEED
	Metadata DecisionMetadata

	Emergency EmergencyCommand // set for Kind EMERGENCY
	Registry  RegistryCommand  // set for Kind REGISTRY
	Pause     PauseCommand     // set for Kind PAUSE
	Optimizer OptimizerCommand // set for Kind OPTIMIZER
	Breaker   BreakerCommand   // set for Kind CIRCUIT_BREAKER
	Rollback  RollbackCommand  // set for Kind ROLLBACK

	Conservative ConservativeCommand // set for Kind CONSERVATIVE
	Policy       PolicyCommand       // set for Kind POLICY
}

// SeedCommand is the argument of a SEED command. Which fields are required
// depends on the operation; a field that the operation does not use is empty.
type SeedCommand struct {
	Operation SeedOperation
	Seed      SeedID
	Blueprint BlueprintID // GERMINATE
	Mesh      []string    // GERMINATE: the host layers the seed is grafted behind
	Blend     BlendPlan   // START_GRAFTING
	Reason    string      // CULL: why, for people

	Parameters []ParameterValue // GERMINATE: within the bounds of the blueprint; sorted by name
}

// Key is the payload of a key.added envelope, signed by the admin key.
type Key struct {
	ID     KeyID
	Public []byte // Ed25519 public key, 32 bytes
	Issuer string // whom the key speaks for; a command's Issuer must equal it
	Kinds  []CommandKind

	Runs   []RunID // that it may command; empty: every run
	Rate   uint32  // commands that it may spend in a minute of plane time; 0: no limit
	Serial uint64  // of an enrolled key whose permissions change: above the one before, so that an old envelope restores nothing
	Sheets bool    // it may sign safety sheets of blueprints
}

// Validate checks the form of what a command carries beside its identity, which is
// for the verifier to judge.
func (c *Command) Validate() error {
	if err := c.Metadata.Validate(); err != nil {
		return err
	}
	return c.checkArguments()
}

// Freshness is the window in which a command is acceptable: no older than
// Window and no further in the future than Skew, both against plane time.
type Freshness struct {
	Window time.Duration
	Skew   time.Duration
}
