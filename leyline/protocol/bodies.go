package protocol

import "github.com/esper-plane/esper/leyline"

// OpenRequest opens or resumes a run.
type OpenRequest struct {
	Protocol uint32 // Version
	leyline.RunOpened
}

// OpenAnswer answers it: what the plane decided, and what a trainer must know of the
// plane to go on.
type OpenAnswer struct {
	Protocol uint32
	leyline.OpenAnswer
	Places        Places
	Rule          Rule
	Keys          []Key        // enrolled and not revoked, that may command this run
	AdminKey      []byte       // Ed25519 public key of the trust root
	Origin        string       // name of the log: the audience of commands
	SnapshotEvery leyline.Step // a snapshot is due every so many steps
	QuickFrom     uint64       // bytes from which a restore from the fast tier takes the checksum alone
}

// Places are directories on the plane's machine, as absolute paths. An empty one says
// that there is none, or that this trainer cannot reach it.
type Places struct {
	Snapshots string // of the run, full tier
	Fast      string // of the run, fast tier
	Kernels   string
	Signal    string // the file of the emergency signal
	Traces    string // of the run
}

// Rule is by which the plane combines gradients: the setting of each name in the section
// [tolaria]. A pipelined trainer combines them by it too.
type Rule struct {
	Aggregation  leyline.Aggregation
	PCGradMean   bool    `json:"pcgrad_mean"` // the mean of the projected gradients is taken, not their sum
	GradVacBeta  float64 `json:"gradvac_beta"`
	CAGradC      float64 `json:"cagrad_c"`
	QPReg        float64
	NashMaxNorm  float64
	AlignedScale leyline.AlignedScale
}

// RuleOf is the rule of a configuration.
func RuleOf(c *leyline.TolariaConfig) Rule {
	return Rule{
		Aggregation: c.Aggregation, PCGradMean: c.PCGradMean, GradVacBeta: c.GradVacBeta, CAGradC: c.CAGradC,
		QPReg: c.QPReg, NashMaxNorm: c.NashMaxNorm, AlignedScale: c.AlignedScale,
	}
}

// Key is a key that may sign commands.
type Key struct {
	Key    leyline.KeyID
	Public []byte // Ed25519, 32 bytes
	Issuer string
}

// Each report is an input and the cursor of the latest answer. The run may be left out:
// the path, or the hello of a lane, names it.
type (
	// Step reports a step.
	Step struct {
		leyline.StepObserved
		After leyline.Seq
	}
	// Epoch reports a held-out evaluation.
	Epoch struct {
		leyline.EpochObserved
		After leyline.Seq
	}
	// Snapshot reports a file that was written.
	Snapshot struct {
		leyline.SnapshotTaken
		After leyline.Seq
	}
	// Probe reports the contribution of a seed.
	Probe struct {
		leyline.SeedProbed
		After leyline.Seq
	}
	// Ack reports what became of a command.
	Ack struct {
		leyline.CommandAcked
		After leyline.Seq
	}
	// Rollback reports the commit of a rollback.
	Rollback struct {
		leyline.RollbackReported
		After leyline.Seq
	}
	// Fallback reports that compiled code was given up.
	Fallback struct {
		leyline.CompileFallback
		After leyline.Seq
	}
	// Profile reports a trace.
	Profile struct {
		leyline.ProfileReported
		After leyline.Seq
	}
	// Close ends a run.
	Close struct {
		leyline.RunClosed
		After leyline.Seq
	}
)

// Steps is the body of the route of steps: one step, or several in Steps and nothing
// else.
type Steps struct {
	Step
	Steps []Step // at most MaxSteps
}

// Answers answers several steps, up to and with the first that was refused.
type Answers struct {
	Answers []Verdict
}

// Verdict is an answer, or the problem of the step that was refused and nothing else.
type Verdict struct {
	leyline.Answer
	Problem *Problem
}

// refused is a Verdict without an answer.
type refused struct{ Problem *Problem }

// Problem is a problem document, RFC 9457.
type Problem struct {
	Type   string // "urn:esper:problem:" and the kind
	Title  string
	Status uint32 // of HTTP
	Detail string
	Kind   string // stable: programs may compare it
	Field  string // dotted, as the caller wrote it; empty: it is about no member
	Hint   string // what to do about it
}

// Hello begins a connection of the framed lane, and answers itself.
type Hello struct {
	Protocol uint32
	Run      leyline.RunID
	Media    string
}

// RunView is what the plane holds of a run.
type RunView struct {
	Run         leyline.RunID
	Status      leyline.RunStatus
	Incarnation leyline.Incarnation
	Step        leyline.Step // the last one decided
	Steps       leyline.Step // planned
	Lineage     leyline.Lineage
	Emergency   leyline.EmergencyLevel
	Rollback    leyline.RollbackID // under way; empty: none is
	Stalled     bool               // nothing was heard of the trainer for longer than its interval allows
	Heard       leyline.Instant    // when the last step was reported; left out before the first
	AgeNs       uint64             // since then; 0 before the first
	Principal   string             // who has opened it
	Lag         uint32
	Away        leyline.Away
	Outcome     leyline.Outcome     // once it has ended
	Halt        leyline.FaultReason // once it was halted
	HaltDetail  string
	Record      leyline.Seq // the last one of the plane
	Seeds       []leyline.SeedView
}

// Versions says which versions of the protocol a plane speaks.
type Versions struct {
	Protocol []uint32
	Version  string // of the program
}
