package trainer

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/projections"
)

// Plane is what a trainer needs of a plane: a plane.Plane. What waits returns when what
// it caused is durable; a refusal is a *leyline.Refusal.
type Plane interface {
	Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error)
	// Submit hands a report over, in order; wait returns when it is durable.
	Submit(ctx context.Context, in leyline.Input, after leyline.Seq) (wait func() (leyline.Answer, error))
	// Directives waits until there is a directive after the cursor.
	Directives(ctx context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error)
	// Principal is who opened a run; false when nobody did.
	Principal(run leyline.RunID) (string, bool)
	// View calls f with the state, which f must not keep.
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
	opts   Options
	budget budget
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
	return &Service{opts: o, budget: budget{now: time.Now}}, nil
}

// Do takes a call and waits until what it caused is durable.
func (s *Service) Do(ctx context.Context, c Call) Reply { return s.Submit(ctx, c)() }

// Submit takes a call. What it reports has been handed to the plane when it returns; wait,
// which is to be called once, blocks until what the call caused is durable.
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

func (s *Service) submit(ctx context.Context, c Call) (wait func() (leyline.Answer, error), err error) {
	if err := s.admit(c.Run, c.Peer); err != nil {
		return nil, err
	}
	in, after, err := c.report()
	if err == nil {
		err = s.affords(c.Run, c.Peer)
	}
	if err != nil {
		return nil, err
	}
	return s.hand(ctx, c.Run, c.Peer, in, after), nil
}

// hand hands a report to the plane.
func (s *Service) hand(ctx context.Context, run leyline.RunID, peer Peer, in leyline.Input, after leyline.Seq) (wait func() (leyline.Answer, error)) {
	answer := s.opts.Plane().Submit(ctx, in, after)
	return func() (leyline.Answer, error) {
		a, err := answer()
		return a, s.counted(run, peer, err)
	}
}

// accepted is the media type of the reply.
func (c *Call) accepted() string {
	if c.Accept != "" {
		return c.Accept
	}
	return c.Media
}
