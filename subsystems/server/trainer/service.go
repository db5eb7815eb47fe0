package trainer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/projections"
)

// Plane is what a trainer needs of a plane: a plane.Plane. Each call returns when what
// it caused is durable; a refusal is a *leyline.Refusal.
type Plane interface {
	Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error)
	// Submit hands a step to the plane, in order; wait returns when it is durable.
	Submit(ctx context.Context, in leyline.Input, after leyline.Seq) (wait func() (leyline.Answer, error))
	Epoch(ctx context.Context, in leyline.EpochObserved, after leyline.Seq) (leyline.Answer, error)
	Snapshot(ctx context.Context, in leyline.SnapshotTaken, after leyline.Seq) (leyline.Answer, error)
	Probe(ctx context.Context, in leyline.SeedProbed, after leyline.Seq) (leyline.Answer, error)
	Ack(ctx context.Context, in leyline.CommandAcked, after leyline.Seq) (leyline.Answer, error)
	Rollback(ctx context.Context, in leyline.RollbackReported, after leyline.Seq) (leyline.Answer, error)
	Fallback(ctx context.Context, in leyline.CompileFallback, after leyline.Seq) (leyline.Answer, error)
	Profiled(ctx context.Context, in leyline.ProfileReported, after leyline.Seq) (leyline.Answer, error)
	Close(ctx context.Context, in leyline.RunClosed) (leyline.Answer, error)
	Directives(ctx context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error)
	View(ctx context.Context, f func(s *projections.State)) error
}

// Options says what a service stands on. Plane, Logger and, for Routes, PeerOf are
// required.
type Options struct {
	Plane   func() Plane                                   // asked with every call; the server lets none in while it is nil
	Places  func(run leyline.RunID) protocol.Places        // where things of a run lie on this machine; nil: nowhere that a trainer could reach
	PeerOf  func(*http.Request) (leyline.PeerKind, string) // who has sent a request; an empty name speaks for no trainer
	Version string                                         // of the program, for GET /v1/protocol
	Poll    time.Duration                                  // how long a poll for directives waits; 0: DefaultPoll
	Logger  hclog.Logger
}

// DefaultPoll is how long a poll for directives waits before it is answered with 204.
const DefaultPoll = 25 * time.Second // constant: local because it bounds an HTTP request and is nobody's deadline

// Op says what a report is about.
type Op = frame.Op

// Peer is who is at the other end of a connection.
type Peer struct {
	Kind leyline.PeerKind
	Name string // principal: "uid:1000", "token:NAME", "cert:CN"; empty: one that speaks for no trainer
}

// Call is a report as it came.
type Call struct {
	Op    Op
	Run   leyline.RunID // of the path or the hello
	Media string        // of the body: protocol.MediaJSON or protocol.MediaMsgpack
	Body  []byte        // kept until wait has returned, and not changed
	Peer  Peer
	After leyline.Seq // cursor of the latest answer, where the body names none
	// Accept is the media type of the reply. Empty: that of the body.
	Accept string
}

// Reply is the answer to a call, or a problem document.
type Reply struct {
	Status int // of HTTP
	Media  string
	Body   []byte
}

// Service takes the calls of trainers. Its methods may be called by any number of
// goroutines.
type Service struct {
	opts Options

	mu     sync.RWMutex
	owners map[leyline.RunID]string // principals of runs; it never changes for a run
}

// New checks the options.
func New(o Options) (*Service, error) {
	switch {
	case o.Plane == nil:
		return nil, errors.New("trainer options: no plane")
	case o.Logger == nil:
		return nil, errors.New("trainer options: no logger")
	case o.Poll < 0:
		return nil, errors.New("trainer options: a negative time to poll")
	case o.Poll == 0:
		o.Poll = DefaultPoll
	}
	if o.Places == nil {
		o.Places = func(leyline.RunID) protocol.Places { return protocol.Places{} }
	}
	o.Logger = o.Logger.Named("trainer")
	return &Service{opts: o, owners: map[leyline.RunID]string{}}, nil
}

// Do takes a call and waits until what it caused is durable.
func (s *Service) Do(ctx context.Context, c Call) Reply { return s.Submit(ctx, c)() }

// Submit takes a call. A step has been handed to the plane when it returns; wait, which
// is to be called once, blocks until what the call caused is durable.
func (s *Service) Submit(ctx context.Context, c Call) (wait func() Reply) {
	answer, err := s.submit(ctx, c)
	if err != nil {
		no := problem(err, c.accepted())
		return func() Reply { return no }
	}
	return func() Reply {
		a, err := answer()
		if err != nil {
			return problem(err, c.accepted())
		}
		return reply(&a, c.accepted())
	}
}

// accepted is the media type of the reply.
func (c *Call) accepted() string {
	if c.Accept != "" {
		return c.Accept
	}
	return c.Media
}

// pending is a report that was taken: it returns when the report is durable.
type pending func() (leyline.Answer, error)

func (s *Service) submit(ctx context.Context, c Call) (pending, error) {
	if err := s.admit(ctx, c.Run, c.Peer); err != nil {
		return nil, err
	}
	take, ok := takers[c.Op]
	if !ok {
		return nil, bad(http.StatusBadRequest, "unknown_op", "op", fmt.Sprintf("there is no op %d", uint8(c.Op)), "ops are 1 to 9; PROTOCOL.md lists them")
	}
	return take(ctx, s.opts.Plane(), c)
}

// takers reads the body of each op and says how it is handed to the plane.
var takers = map[Op]func(context.Context, Plane, Call) (pending, error){
	frame.OpStep: takeStep,
	frame.OpEpoch: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Epoch
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Epoch(ctx, b.EpochObserved, b.After) }, err
	},
	frame.OpSnapshot: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Snapshot
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Snapshot(ctx, b.SnapshotTaken, b.After) }, err
	},
	frame.OpProbe: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Probe
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Probe(ctx, b.SeedProbed, b.After) }, err
	},
	frame.OpAck: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Ack
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Ack(ctx, b.CommandAcked, b.After) }, err
	},
	frame.OpRollback: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Rollback
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Rollback(ctx, b.RollbackReported, b.After) }, err
	},
	frame.OpFallback: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Fallback
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Fallback(ctx, b.CompileFallback, b.After) }, err
	},
	frame.OpProfile: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Profile
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Profiled(ctx, b.ProfileReported, b.After) }, err
	},
	frame.OpClose: func(ctx context.Context, p Plane, c Call) (pending, error) {
		var b protocol.Close
		err := c.read(&b, &b.Run, &b.After)
		return func() (leyline.Answer, error) { return p.Close(ctx, b.RunClosed) }, err
	},
}

func takeStep(ctx context.Context, p Plane, c Call) (pending, error) {
	var b protocol.Step
	if err := c.read(&b, &b.Run, &b.After); err != nil {
		return nil, err
	}
	return p.Submit(ctx, b.StepObserved, b.After), nil
}

// read reads the body into a report and gives it the run and the cursor of the call
// where it names none.
func (c *Call) read(to any, run *leyline.RunID, after *leyline.Seq) error {
	if err := protocol.Decode(c.Media, c.Body, to); err != nil {
		return err
	}
	if *after == 0 {
		*after = c.After
	}
	return ofRun(run, c.Run)
}

// ofRun holds the run that a body names against that of its path.
func ofRun(run *leyline.RunID, path leyline.RunID) error {
	switch *run {
	case path:
	case "":
		*run = path
	default:
		return bad(http.StatusBadRequest, leyline.RefusalInvalidField.String(), "run",
			fmt.Sprintf("the body is about run %.128q, the path about run %.128q", *run, path), "leave run out, or name the run of the path")
	}
	return nil
}
