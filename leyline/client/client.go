package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
)

// pollFor is how long a plane holds a poll for directives at most; an attempt of one
// may take as much longer.
const pollFor = 25 * time.Second // constant: local because it is the protocol's, which the plane keeps on its side

// Client talks to one plane for one trainer.
type Client struct {
	opts Options
	at   endpoint
	http *http.Client
	lane *lane // nil: reports go over HTTP
	info protocol.OpenAnswer
}

// New checks the options; nothing is dialled before Open.
func New(o Options) (*Client, error) {
	at, err := parse(o.Address)
	if err == nil && o.Token != "" && at.clear() {
		err = fmt.Errorf("the token would travel in the clear to %s; use https", o.Address)
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &Client{opts: o, at: at, http: newHTTP(&o, at)}, nil
}

// Info returns what the plane said of itself when the run was opened last.
func (c *Client) Info() protocol.OpenAnswer { return c.info }

// Framed reports whether reports go over the framed lane.
func (c *Client) Framed() bool { return c.lane != nil }

// Disconnect closes the connections; the run stays as it is. The client may be used
// again.
func (c *Client) Disconnect() {
	if c.lane != nil {
		c.lane.drop()
	}
	c.http.CloseIdleConnections()
}

// Open opens a run, or resumes it. When the answer to an open was lost, the run that it
// has opened is resumed, if nothing was reported for it. Else it is a run of before, and
// the refusal stays. A plan that says another Away than the options of the client is
// refused.
func (c *Client) Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error) {
	c.info = protocol.OpenAnswer{}
	if err := c.opts.keeps(&in); err != nil {
		return leyline.OpenAnswer{}, err
	}
	err := c.open(ctx, in)
	if r, ok := leyline.AsRefusal(err); ok && r.Kind == leyline.RefusalRunExists && !in.Resume && isRepeated(err) && c.fresh(ctx, in.Run) {
		in.Resume = true
		err = c.open(ctx, in)
	}
	if err != nil {
		return leyline.OpenAnswer{}, err
	}
	return c.info.OpenAnswer, c.find(ctx, in.Run)
}

func (c *Client) open(ctx context.Context, in leyline.RunOpened) error {
	body, err := protocol.AppendRequest(nil, c.opts.Media, &protocol.OpenRequest{Protocol: protocol.Version, RunOpened: in})
	if err != nil {
		return err
	}
	var a protocol.OpenAnswer
	if _, err := c.ask(ctx, http.MethodPost, "/v1/runs", body, max(c.opts.Attempt, slowAttempt), &a); err != nil {
		return err
	}
	if a.Protocol != protocol.Version {
		return fmt.Errorf("the plane answers with protocol %d, this client speaks %d", a.Protocol, protocol.Version)
	}
	c.info = a
	return nil
}

// fresh reports whether a run was opened once and nothing was reported for it. One of which
// that cannot be found out is not.
func (c *Client) fresh(ctx context.Context, run leyline.RunID) bool {
	var held protocol.RunView
	_, err := c.ask(ctx, http.MethodGet, runPath(run), nil, c.opts.Attempt, &held)
	return err == nil && held.Incarnation == 1 && held.Step == 0 && held.Status == leyline.RunStatusOpen
}

// routes are the paths of the ops below a run.
var routes = map[frame.Op]string{
	frame.OpStep: "steps", frame.OpEpoch: "epochs", frame.OpSnapshot: "snapshots", frame.OpProbe: "probes", frame.OpAck: "acks",
	frame.OpRollback: "rollbacks", frame.OpFallback: "fallbacks", frame.OpProfile: "profiles", frame.OpClose: "close",
}

// report makes one report and takes its answer.
func (c *Client) report(ctx context.Context, op frame.Op, run leyline.RunID, v any) (leyline.Answer, error) {
	var a leyline.Answer
	if c.lane == nil {
		body, err := protocol.AppendRequest(nil, c.opts.Media, v)
		if err != nil {
			return a, err
		}
		_, err = c.ask(ctx, http.MethodPost, runPath(run)+"/"+routes[op], body, c.opts.limit(op), &a)
		return a, err
	}
	if len(c.lane.waiting) > 0 {
		return a, ErrOutstanding
	}
	if err := c.send(ctx, op, v); err != nil {
		return a, c.forget(err)
	}
	err := c.pull(ctx, &a)
	if err != nil {
		c.lane.waiting = nil
	}
	return a, err
}

// send puts a report on the lane.
func (c *Client) send(ctx context.Context, op frame.Op, v any) error {
	body, err := protocol.AppendRequest(c.lane.room(), c.opts.Media, v)
	if err != nil {
		return err
	}
	return c.push(ctx, op, body)
}

// forget gives up what a report has left on the lane.
func (c *Client) forget(err error) error {
	c.lane.drop()
	c.lane.waiting = nil
	return err
}

func runPath(run leyline.RunID) string { return "/v1/runs/" + url.PathEscape(string(run)) }

// Submit sends a step and does not wait for its answer; Wait takes it. It needs the
// framed lane.
func (c *Client) Submit(ctx context.Context, in leyline.StepObserved, after leyline.Seq) error {
	if c.lane == nil {
		return errors.New("steps can be submitted on the framed lane alone, which is on the Unix socket of a plane; report them with Step")
	}
	return c.send(ctx, frame.OpStep, &protocol.Step{StepObserved: in, After: after})
}

// Wait takes the answer to the oldest step that was submitted. A refusal of it is an
// error and leaves the others outstanding. Where no answer came, because the context
// ended or the plane is away, the step is outstanding still.
func (c *Client) Wait(ctx context.Context) (leyline.Answer, error) {
	var a leyline.Answer
	if c.Outstanding() == 0 {
		return a, errors.New("no answer is outstanding")
	}
	err := c.pull(ctx, &a)
	return a, err
}

// Outstanding is how many steps were submitted and not answered.
func (c *Client) Outstanding() int {
	if c.lane == nil {
		return 0
	}
	return len(c.lane.waiting)
}

// Step reports a step before any parameter is changed.
func (c *Client) Step(ctx context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpStep, in.Run, &protocol.Step{StepObserved: in, After: after})
}

// Epoch reports a held-out evaluation.
func (c *Client) Epoch(ctx context.Context, in leyline.EpochObserved, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpEpoch, in.Run, &protocol.Epoch{EpochObserved: in, After: after})
}

// Snapshot reports a file in one of the directories of Info().Places.
func (c *Client) Snapshot(ctx context.Context, in leyline.SnapshotTaken, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpSnapshot, in.Run, &protocol.Snapshot{SnapshotTaken: in, After: after})
}

// Probe reports a measured contribution that an answer asked for.
func (c *Client) Probe(ctx context.Context, in leyline.SeedProbed, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpProbe, in.Run, &protocol.Probe{SeedProbed: in, After: after})
}

// Ack reports what became of a command.
func (c *Client) Ack(ctx context.Context, in leyline.CommandAcked, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpAck, in.Run, &protocol.Ack{CommandAcked: in, After: after})
}

// Rollback reports the restoring of a snapshot.
func (c *Client) Rollback(ctx context.Context, in leyline.RollbackReported, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpRollback, in.Run, &protocol.Rollback{RollbackReported: in, After: after})
}

// Fallback reports that compiled code was given up for eager execution.
func (c *Client) Fallback(ctx context.Context, in leyline.CompileFallback, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpFallback, in.Run, &protocol.Fallback{CompileFallback: in, After: after})
}

// Profiled reports the trace of a profile window, or that there is none.
func (c *Client) Profiled(ctx context.Context, in leyline.ProfileReported, after leyline.Seq) (leyline.Answer, error) {
	return c.report(ctx, frame.OpProfile, in.Run, &protocol.Profile{ProfileReported: in, After: after})
}

// Close ends a run.
func (c *Client) Close(ctx context.Context, in leyline.RunClosed) (leyline.Answer, error) {
	return c.report(ctx, frame.OpClose, in.Run, &protocol.Close{RunClosed: in})
}

// Directives waits until there is a directive after the cursor. It asks over HTTP, beside
// the lane.
func (c *Client) Directives(ctx context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error) {
	path := runPath(run) + "/directives?after=" + strconv.FormatUint(uint64(after), 10)
	for {
		var a leyline.Answer
		status, err := c.ask(ctx, http.MethodGet, path, nil, pollFor+c.opts.Attempt, &a)
		if err != nil || status != http.StatusNoContent {
			return a, err
		}
	}
}
