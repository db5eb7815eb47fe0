package plane

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/policyfile"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// Entry is one record as the log stores it.
type Entry struct {
	Seq     leyline.Seq
	At      leyline.Instant
	Payload []byte
}

// Log is what the plane needs of a log. One goroutine appends; All may run at
// the same time.
type Log interface {
	// Append makes the entries durable, or fails for good: after an error no
	// further append may be tried. next is the first entry's position.
	Append(ctx context.Context, next leyline.Seq, entries []Entry) error
	// All yields the durable transitions from a position on. A payload is
	// valid until the next one is yielded.
	All(from leyline.Seq) iter.Seq2[Entry, error]
	// Claim offers the log the position next, the one of the next record that
	// the caller is about to decide, for a record of its own. If it takes it,
	// the caller goes on with next+1.
	Claim(next leyline.Seq) bool
	// Next is the position of the next record.
	Next() leyline.Seq
	// Leaf is the hash of a durable record's stored bytes.
	Leaf(seq leyline.Seq) (leyline.Digest, error)
}

// Anchor is a position in the log and the hash of the record there.
type Anchor struct {
	Seq  leyline.Seq
	Leaf leyline.Digest
	At   leyline.Instant
}

// Store keeps projections so that a start need not fold the whole log. It is a
// cache, and a second witness of how far the log had come.
type Store interface {
	// Save stores a projection together with its position.
	Save(a Anchor, schema uint32, blob []byte) error
	// Load returns the newest intact projection; false when there is none.
	Load() (Anchor, uint32, []byte, bool, error)
}

// Signer signs Tamiyo's commands.
type Signer interface {
	KeyID() leyline.KeyID
	Sign(payloadType string, payload []byte) leyline.Envelope
}

// Signal publishes the emergency level to processes that share the machine:
// a Writer of leyline/signal.
type Signal interface {
	// Set publishes a level and a reason. It does not wait for anything.
	Set(level leyline.EmergencyLevel, reason string) error
	// Get returns what is published; the level is unset if nothing ever was.
	Get() (leyline.EmergencyLevel, string, error)
}

// Policies is what the plane needs of a policy store: a policyfile.Store.
type Policies interface {
	// Load reads and verifies a file. The error is a *policyfile.Fault or the cause of ctx.
	Load(ctx context.Context, name string, digest leyline.Digest, size uint64) (policyfile.Found, error)
}

// Point is a moment on the path of a record at which a test may stop the
// process.
//
// enum: local because it is a seam for tests and is neither stored nor sent.
type Point string

// The points, in the order in which a record passes them.
const (
	PointDecided  Point = "decided"  // decided, not yet durable
	PointDurable  Point = "durable"  // durable, nothing released
	PointReleased Point = "released" // its actions have started
)

// Options configures a plane. Everything but Admit, Catalogue, Fast, FastFree, Policies, Policy, Store, Free,
// Released, Wall, Probe and Reports is required.
type Options struct {
	Log       Log
	Recovery  Recovery
	Origin    string // name of the log, from its origin record
	Previous  string // name of the log that it was restored from, from there as well; empty: none
	AdminKey  []byte // Ed25519 public key, from the origin record
	Build     leyline.Build
	Boot      string // random name of this process
	Signer    Signer
	Signal    Signal
	Snapshots snapstore.Store     // the full tier
	Kernels   fs.FS               // kernel files by name
	Policies  Policies            // files of policies; nil: none can be activated
	Process   leyline.PlaneConfig // the [plane] section that this process starts with
	Logger    hclog.Logger

	// Admit looks at the recovered state before anything is recorded, not even the
	// start, and before the directories of snapshots are looked at. Its error ends the start without a trace.
	Admit func(s *projections.State) error

	// Bootstrap returns inputs to record before the plane is handed out:
	// keys, configuration, blueprints. It sees the state after plane.started.
	Bootstrap func(s *projections.State) ([]leyline.Input, error)

	Fast     snapstore.Store // the fast tier; nil: there is none
	FastFree uint64          // bytes of memory free for it, measured at this start

	Policy    func(context.Context, policy.Question) (policy.Choice, error) // nil: policy.Next; asked unless tamiyo.policy_inline
	Catalogue Catalogue                                                     // nil: no safety sheets are looked up, and what blueprints were registered with counts
	Store     Store                                                         // nil: every start folds the whole log
	Free      func() (free, total uint64, err error)                        // of the disk of the data directory, in bytes; nil: nobody watches it
	Released  func(leyline.Record)                                          // called in order for every durable record
	Wall      func() time.Time                                              // nil: time.Now
	Probe     func(Point, leyline.Record)                                   // fault injection by tests
	Reports   Reports                                                       // of field reports; nil: what the configuration wants delivered fails
}

// Recovery is what opening the log found; it goes into plane.started.
type Recovery struct {
	Clean     bool
	TornBytes uint64
}

func (o Options) validate() error {
	switch {
	case o.Log == nil:
		return errors.New("plane: no log")
	case o.Signer == nil:
		return errors.New("plane: no signer")
	case o.Signal == nil:
		return errors.New("plane: no emergency signal")
	case o.Process.Workers == 0 || o.Process.WorkerQueue == 0 || o.Process.Shutdown == 0:
		return errors.New("plane: no process configuration")
	case o.Kernels == nil:
		return errors.New("plane: no kernel store")
	case o.Snapshots == nil:
		return errors.New("plane: no snapshot store")
	case o.Bootstrap == nil:
		return errors.New("plane: no bootstrap")
	case o.Logger == nil:
		return errors.New("plane: no logger")
	}
	return nil
}
