package lane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/strictjson"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// read hands requests over until there are no more; it returns a last word, or nil when
// there is nothing, or nobody, to say it to.
func (c *conn) read(ctx context.Context) *server.Problem {
	for {
		payload, err := c.next()
		if err != nil {
			return c.farewell(err)
		}
		op, body, err := frame.ParseRequest(payload)
		if err != nil {
			return c.farewell(err)
		}
		c.window <- struct{}{} // the writer frees one with every answer
		c.queue <- taken{op: op, wait: c.submitted(ctx, op, slices.Clone(body))}
	}
}

// next reads a frame. Only once it has begun must it be there in time.
func (c *conn) next() ([]byte, error) {
	if err := c.pauses(); err != nil {
		return nil, err
	}
	if err := c.in.Await(); err != nil {
		return nil, err
	}
	if c.in.Whole() {
		return c.in.Next()
	}
	if err := c.begins(c.lane.opts.ReadTimeout); err != nil {
		return nil, err
	}
	return c.in.Next()
}

// farewell says what is wrong with the frames.
func (c *conn) farewell(err error) *server.Problem {
	var large *frame.TooLargeError
	var no server.Problem
	draining, within := c.state()
	switch {
	case errors.As(err, &large):
		no = server.NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", err.Error(), "send less in one request")
	case errors.Is(err, frame.ErrEmpty), errors.Is(err, frame.ErrShort):
		no = server.NewProblem(http.StatusBadRequest, protocol.KindMalformed, err.Error(), "a request is a byte for the op, then the body")
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return nil // the other side has gone
	case draining:
		no = stopping()
	case within > 0:
		no = server.NewProblem(http.StatusRequestTimeout, "timeout", fmt.Sprintf("the frame was not whole within %v", within), "send a frame in one piece")
	default:
		return nil // it has been idle
	}
	return &no
}

// submitted hands a report over. A panic is its answer.
func (c *conn) submitted(ctx context.Context, op frame.Op, body []byte) (wait func() trainer.Reply) {
	defer func() {
		if p := recover(); p != nil {
			no := c.panicked(p)
			wait = func() trainer.Reply { return no }
		}
	}()
	return c.lane.opts.Service.Submit(ctx, trainer.Call{Op: op, Run: c.run, Media: c.media, Body: body, Peer: c.peer})
}

// waited waits for an answer. A panic is one.
func (c *conn) waited(wait func() trainer.Reply) (said trainer.Reply) {
	defer func() {
		if p := recover(); p != nil {
			said = c.panicked(p)
		}
	}()
	said = wait()
	if len(said.Body)+2 > frame.MaxFrame {
		c.lane.log.Error("an answer is too long for a frame", "run", c.run, "bytes", len(said.Body))
		return c.problem(server.NewProblem(http.StatusInternalServerError, "internal", "the answer is too long for a frame", "report over HTTP"))
	}
	return said
}

func (c *conn) panicked(p any) trainer.Reply {
	c.lane.log.Error("a report panicked", "run", c.run, "peer", c.peer.Name, "panic", p, "stack", string(debug.Stack()))
	return c.problem(server.NewProblem(http.StatusInternalServerError, "internal", "the report failed; the log of the program has the details", ""))
}

// problem writes a problem in the media type of the connection.
func (c *conn) problem(p server.Problem) trainer.Reply { return trainer.ProblemReply(p, c.media) }

// greet reads the hello and answers it.
func (c *conn) greet() bool {
	if err := c.begins(c.lane.opts.HelloTimeout); err != nil {
		return false
	}
	c.in.Limit(frame.MaxHello)
	b, err := c.in.Next()
	if err != nil {
		if no := c.farewell(err); no != nil {
			c.turnAway(*no)
		}
		return false
	}
	c.in.Limit(frame.MaxFrame)
	no, ok := c.hello(b)
	if !ok {
		c.sayRaw(no.Body)
		return false
	}
	return c.sayRaw(frame.Welcome{Protocol: frame.Version, Run: string(c.run)}.Encode()) == nil
}

// hello takes what a trainer says it is about. What it has wrong is a problem.
func (c *conn) hello(b []byte) (no trainer.Reply, ok bool) {
	var h frame.Hello
	if err := strictjson.Decode(b, &h); err != nil {
		return misspoken(err), false
	}
	field, detail, hint := "", "", ""
	switch {
	case h.Protocol != frame.Version:
		field, detail, hint = "protocol", fmt.Sprintf("the plane speaks protocol %d, the hello names %d", frame.Version, h.Protocol), fmt.Sprintf("send %d", frame.Version)
	case h.Media != protocol.MediaJSON && h.Media != protocol.MediaMsgpack:
		field, detail, hint = "media", fmt.Sprintf("bodies of type %.64q are not taken", h.Media), "send "+protocol.MediaJSON+" or "+protocol.MediaMsgpack
	default:
		if no, ok := c.admitted(leyline.RunID(h.Run)); !ok {
			return no, false
		}
		c.run, c.media = leyline.RunID(h.Run), h.Media
		return trainer.Reply{}, true
	}
	p := server.NewProblem(http.StatusBadRequest, leyline.RefusalInvalidField.String(), detail, hint)
	p.Field = field
	return trainer.ProblemReply(p, protocol.MediaJSON), false
}

// admitted asks the service whether the peer may report for a run. A panic refuses it.
func (c *conn) admitted(run leyline.RunID) (no trainer.Reply, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			no, ok = c.panicked(p), false
		}
	}()
	return c.lane.opts.Service.Admit(run, c.peer)
}

// misspoken says what is wrong with the document of a hello.
func misspoken(err error) trainer.Reply {
	p := server.NewProblem(http.StatusBadRequest, strictjson.KindMalformed, err.Error(), `send {"protocol":1,"run":RUN,"media":"`+protocol.MediaJSON+`"}`)
	if bad := (*strictjson.Error)(nil); errors.As(err, &bad) {
		p.Kind, p.Field = bad.Kind, bad.Field
	}
	return trainer.ProblemReply(p, protocol.MediaJSON)
}

// turnAway says why a connection goes no further, and closes it.
func (c *conn) turnAway(p server.Problem) {
	_ = c.sayRaw(trainer.ProblemReply(p, protocol.MediaJSON).Body) // a peer that has gone need not know
	c.cut()
}

// sayRaw answers a hello.
func (c *conn) sayRaw(payload []byte) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(c.lane.opts.WriteTimeout)); err != nil {
		return err
	}
	if err := c.out.Payload(payload, nil); err != nil {
		return err
	}
	return c.out.Flush()
}
