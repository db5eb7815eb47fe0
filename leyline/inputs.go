package leyline

// Bounds on what one input may carry. They keep a record far below the log's
// payload limit and make every decoder's work finite.
const (
	MaxTasks      = 64  // tasks of a run
	MaxSeeds      = 512 // seeds of a run
	MaxLayers     = 128 // host layers, and mesh layers of a seed
	MaxKeys       = 64  // verification keys of a plane
	MaxText       = 1024
	MaxPath       = 512
	MaxModules    = 512 // modules in a build fingerprint
	MaxDrills     = 64
	MaxBlueprints = 64     // kinds of seed that a run may grow
	MaxSnapshots  = 4096   // registered at a time
	MaxProfile    = 10_000 // steps of a profile window
	MaxArguments  = 64     // of a configured command, the program included
	MaxKeysEver   = 4096   // verification keys of a plane, those included that were revoked
	MaxKeyScope   = 64     // runs that a key may be limited to
)

// Bounds on the options of aggregation methods, and the least sum of weights.
const (
	MaxCAGradC     = 1000
	MaxQPReg       = 1
	MaxNashNorm    = 1e6
	MinWeightTotal = 1e-12 // at or below it weights cannot be normalised
)

// PlaneStarted is the first input of every process that opens the log.
type PlaneStarted struct {
	Boot          string // random, names this process in the log
	Origin        string // name of the log, as in its origin record
	Previous      string // name of the log that it was restored from, as there; empty: none
	AdminKey      []byte // Ed25519 public key of the trust root, as in the origin record
	Build         Build
	Decider       uint32         // version of the rules; replay re-decides records of equal versions
	Clean         bool           // the log was closed in an orderly way
	TornBytes     uint64         // bytes cut off an unclean tail
	Signal        EmergencyLevel // found in the emergency signal; unset in a fresh one
	SignalText    string         // the reason found with it; "storage failed" from a process that ended so
	SignalProblem string         // why the signal could not be read
	FastFree      uint64         // bytes of memory free for the fast tier, measured once; 0: there is none
	Catalogue     string         // where safety sheets are looked up; empty: nowhere, and the registered facts count
}

// Build is the fingerprint of a binary.
type Build struct {
	Version string // of esper
	Go      string
	OS      string
	Arch    string
	AMD64   string // GOAMD64, empty on other architectures
	Tags    string
	Modules []string // "path version", sorted
}

// ConfigApplied carries a configuration that the admin key signed.
type ConfigApplied struct {
	Envelope Envelope // PayloadConfig
}

// KeyAdded carries a verification key that the admin key signed.
type KeyAdded struct {
	Envelope Envelope // PayloadKey
}

// BlueprintRegistered makes a kind of seed module known.
type BlueprintRegistered struct {
	Blueprint  BlueprintID
	Kernel     string  // name of the kernel file in the plane's kernel store
	Digest     Digest  // SHA-256 of the kernel file
	Bytes      uint64  // size of the kernel file
	Risk       float64 // [0,1]
	Quarantine bool    // never to be germinated

	Tier        BlueprintTier
	Stage       uint32            // of its approval, as whoever keeps the catalogue counts them; 0: not told
	Framework   string            // that the kernel was built for, as in run.opened; empty: any
	Mesh        []string          // host layers that it needs
	Parameters  []ParameterBounds // that a GERMINATE may set; sorted by name
	Guard       Digest            // guard digest: over what the kernel was built for, as package kernelfile defines it
	Hazard      HazardSheet
	Description string // for people
}

// RunOpened opens a run, or resumes one that this plane already knows.
type RunOpened struct {
	Run        RunID
	Resume     bool
	Workload   string
	Framework  string // "go-gonum", "torch", ...
	Posture    Posture
	Tasks      []TaskID
	Chance     []float64      // per task, the loss of a network that has learned nothing (ln of the classes for cross-entropy); empty: not known
	Seeds      []SeedID       // slots in which seeds may germinate
	Layers     []string       // host layers that can be grafted behind
	Blueprints []BlueprintID  // kinds of seed that fit this host; all of them are registered
	Parameters uint64         // parameters of the host
	Seed       uint64         // of the run's randomness
	Steps      Step           // planned length
	Lockstep   bool           // answers wait for the computations they caused
	Drills     []Drill        // faults that the trainer will inject on purpose
	Damaged    []SnapshotCopy // of a resume: copies that the door read and found missing or changed
	// TaskWeights are per task, for the method weighted: finite, with a sum over 1e-12.
	// Empty: none.
	TaskWeights []float64
	// Owners are per task, for the method state_weighted: the seed whose parameters the
	// task's gradient covers; empty for the host. An empty list: nobody has said.
	Owners    []SeedID
	Optimizer string       // family of the optimizer: "sgd", "adamw", ...; empty: not told
	Groups    []ParamGroup // of the optimizer; a learning rate policy needs the rate of every one
	// HostParameters are the tensors of the host, in ascending order of names. Empty:
	// not told, so that nothing keeps a seed from claiming them.
	HostParameters []Parameter
	// Lag is by how many steps answers may be behind: 0 is a synchronous trainer, which
	// waits for every answer; otherwise step n may be reported once the answers up to
	// step n-Lag have arrived. At most MaxLag.
	Lag         uint32
	Away        Away   // what the trainer does when it cannot reach the plane
	AwaySeconds uint32 // how long it waits at most, of Away wait; 0: for ever
	Ranks       uint32 // of a data-parallel trainer; 0: not told
	// Principal is who opened the run: "process", "uid:1000", "token:NAME" or "cert:CN".
	// It is the plane's own, set at its door, whatever a trainer sends.
	Principal string
}

// Drill is a fault injected on purpose, declared so that the log is honest.
type Drill struct {
	Name string
	Step Step
}

// RunClosed ends a run.
type RunClosed struct {
	Run         RunID
	Incarnation Incarnation
	Step        Step
	Outcome     Outcome
	Digest      Digest // of the final training state
	Reason      string
	Acks        []OrderAck // of orders about the optimizer, since the last step
}

// StepObserved is what the trainer saw in one step, before it updates any
// parameter.
type StepObserved struct {
	Run          RunID
	Incarnation  Incarnation
	Step         Step
	Losses       []float64 // per task, in the order of RunOpened.Tasks
	Gram         []float64 // k*k inner products of the task gradients, row-major
	Seed         uint64    // seeds this step's random choices
	Samples      uint32    // in the batch
	Microbatches uint32    // whose gradients were added up in this step; 0: not told
	LearnRate    float64
	Seeds        []SeedObserved // every grafted seed, in slot order
	ForwardNs    uint64         // forward and backward pass, measured
	PreviousNs   uint64         // the whole previous step, measured
	Metrics      TrainingMetrics
	Acks         []OrderAck // of orders about the optimizer, since the step before
	Solution     Solution   // the plane's own: attached at its door, whatever a trainer sends
	// Applied are the weights per task that a pipelined trainer has applied already, of
	// its own computing. Empty: it has applied none, and waits for the answer.
	Applied   []float64
	BarrierNs uint64 // what rank 0 waited for the other ranks in this step, measured; 0 with one rank
}

// Solution is what a solver found for the gradients of one step. The decider does
// not solve: it proves these weights right, or refuses the step.
type Solution struct {
	Method     Aggregation // for which it was solved; unspecified: there is none
	Option     float64     // the value of the method's option under which: c, reg, max_norm, the code of the scale; else 0
	Weights    []float64   // per task
	Evidence   []float64   // what beside the weights proves them; its meaning is the method's (package aggregate)
	Iterations uint32      // that the solver took
	Problem    string      // why there are no weights
}

// SeedObserved is what the trainer measured of one seed in one step.
type SeedObserved struct {
	Seed     SeedID
	Alpha    float64 // with which the seed ran in this step
	GradNorm float64 // L2 norm of the gradient of the seed's parameters
	HostNorm float64 // L2 norm of the host's gradient
	Cosine   float64 // of host and seed gradients at the graft boundary, 0 when either norm is 0
	Leak     float64 // norm of the gradient that reached the host through the seed's detached input
	Loss     float64 // the seed's own loss while TRAINING, else 0
	// Parameters that the seed owns; 0: not told.
	Parameters uint64
	// Attributed is the share of the host's gradient that is attributed to the seed,
	// [0,1]; over all seeds of a step at most 1. Read where tolaria.attribution is
	// `reported`.
	Attributed float64
	// Layers are the norms of the seed's gradient in its layers; may be empty.
	Layers []LayerNorm
	Stage  Stage // that the trainer holds the seed for
	// Blend is what was measured of the seed's part in the output; unset while it has
	// none, and where the trainer does not measure it. A CONFIDENCE blend has to be
	// measured.
	Blend BlendStats
	// Failure says that the seed had no part in this step because it failed: it is
	// culled. Why is needed then, in words. Nothing is measured of it.
	Failure SeedFailure
	Why     string
	// CosineSamples is the number of elements from which Cosine was estimated; 0: from all.
	CosineSamples uint32
}

// EpochObserved is a held-out evaluation at the end of an epoch.
type EpochObserved struct {
	Run         RunID
	Incarnation Incarnation
	Step        Step
	Epoch       uint32
	Losses      []float64 // per task
	Accuracies  []float64 // per task, [0,1]
	Samples     uint32
	TookNs      uint64 // since the last epoch ended, or training began, as measured; this evaluation included
	HookNs      uint64 // waiting for the answer to the last step, measured
}

// SeedProbed is a measured contribution: the network judged on held-out rows
// with one seed at its alpha and again at alpha 0, all else equal.
type SeedProbed struct {
	Run         RunID
	Incarnation Incarnation
	Step        Step
	Seed        SeedID
	Alpha       float64   // at which it was judged, [0,1]
	Losses      []float64 // per task, with the seed at Alpha
	Accuracies  []float64 // per task, [0,1]
	LossesAt0   []float64 // per task, with the seed at 0
	AccuracyAt0 []float64 // per task, [0,1]
	Samples     uint32    // held-out rows
	TookNs      uint64
}

// PolicyAnswered is what the policy would do, computed on the shared worker.
type PolicyAnswered struct {
	Request EffectID
	Run     RunID
	Command SeedCommand // Operation is unset when it would do nothing
	Reason  RiskReason  // then: why
	Why     string      // one sentence for people
	TookNs  uint64
	Policy  PolicyIdentity // that has answered
	Output  PolicyOutput   // from which the command was chosen
}

// PolicyFailed says that the policy has no answer. Nothing is put in its place.
type PolicyFailed struct {
	Request EffectID
	Run     RunID
	Outcome Outcome // FAILED or DEADLINE
	Reason  string
	TookNs  uint64
}

// CommandReceived is a command as it came in.
type CommandReceived struct {
	Envelope Envelope
	Peer     PeerKind
	PeerName string   // operating system account or certificate, for the audit
	Cause    EffectID // the proposal it was signed for; zero for commands from outside
	VerifyNs uint64   // what checking form and signature took at the door; the plane's own, whatever a sender says
}

// CommandAcked is the trainer's answer to a command it was handed.
type CommandAcked struct {
	Run         RunID
	Incarnation Incarnation
	Command     CommandID
	Outcome     Outcome // OK or FAILED
	Reason      string
	TookNs      uint64
	// Parameters are the tensors of a seed that START_TRAINING has grafted, in ascending
	// order of names. Empty: not told.
	Parameters []Parameter
}

// TimerFired says that a deadline in the state has passed.
type TimerFired struct {
	Timer   TimerKind
	Run     RunID
	Subject string // the id of what the timer guards
	Due     Instant
}
