package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
)

// lane is a connection to the framed lane, and what was sent on it and not answered.
type lane struct {
	path    string
	run     leyline.RunID
	conn    net.Conn // nil: there is none at the moment
	frames  *frame.Client
	by      time.Time // the deadline of the connection
	waiting []sent    // in the order in which they were sent
	spare   [][]byte
}

// sent is a request without an answer.
type sent struct {
	op   frame.Op
	body []byte
}

// missing says that nobody listens at a path.
func missing(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// drop closes the connection; what is waiting is sent again on the next one.
func (l *lane) drop() {
	if l.conn != nil {
		_ = l.conn.Close() // what was not answered is sent again
	}
	l.conn, l.frames, l.by = nil, nil, time.Time{}
}

// connect dials the lane, says hello and sends again what is waiting.
func (c *Client) connect(ctx context.Context) error {
	l := c.lane
	if l.conn != nil {
		return nil
	}
	conn, err := dialUnix(ctx, l.path, c.opts.Attempt)
	if err != nil {
		return c.unreached(ctx, err)
	}
	l.conn = conn
	return c.within(ctx, c.opts.Attempt, func() error {
		if l.frames, err = frame.Open(conn, frame.Hello{Protocol: frame.Version, Run: string(l.run), Media: c.opts.Media}); err != nil {
			return hello(err)
		}
		for _, s := range l.waiting {
			if err := l.frames.Send(s.op, s.body); err != nil {
				return awayError{err}
			}
		}
		return nil
	})
}

// hello says what a hello that failed means.
func hello(err error) error {
	var no *frame.RefusedError
	if errors.As(err, &no) {
		return problem(reply{no.Status, no.Document})
	}
	return awayError{err}
}

// limit bounds what comes next by a time, or a sixteenth more: a new deadline wakes the
// poller, so one that is late enough stays.
func (l *lane) limit(d time.Duration) error {
	by, spare := time.Now().Add(d), d/16
	if over := l.by.Sub(by); over >= 0 && over <= spare {
		return nil
	}
	l.by = by.Add(spare)
	return l.conn.SetDeadline(l.by)
}

// within does something with the connection, which is dropped when that fails or takes
// longer than the limit, or than the context lasts.
func (c *Client) within(ctx context.Context, limit time.Duration, do func() error) error {
	conn := c.lane.conn
	if err := c.lane.limit(limit); err != nil {
		c.lane.drop()
		return awayError{err}
	}
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // one that is closed needs none
	}
	err := do()
	if !stop() { // the deadline is, or will be, in the past
		c.lane.drop()
		return context.Cause(ctx)
	}
	if err != nil {
		c.lane.drop()
	}
	return err
}

// push sends a request and keeps it until it is answered. A connection that fails is
// no error: pull sends it again.
func (c *Client) push(ctx context.Context, op frame.Op, body []byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	l := c.lane
	l.waiting = append(l.waiting, sent{op, body})
	if l.conn == nil {
		return nil
	}
	err := c.within(ctx, c.opts.Attempt, func() error { return l.frames.Send(op, body) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return nil
}

// pull takes the answer to the oldest request, which may be a refusal. Without one the
// request is still waiting.
func (c *Client) pull(ctx context.Context, to any) error {
	l, p := c.lane, c.patience()
	for {
		answered, err := false, c.connect(ctx)
		if err == nil {
			answered, err = c.receive(ctx, to)
		}
		if away := (awayError{}); !errors.As(err, &away) {
			if answered {
				p.found()
				l.answered()
			}
			return err
		}
		l.drop()
		if err := p.again(ctx, err); err != nil {
			return err
		}
	}
}

// answered forgets the oldest request. Its body is used again.
func (l *lane) answered() {
	l.spare = append(l.spare, l.waiting[0].body[:0])
	l.waiting = append(l.waiting[:0], l.waiting[1:]...)
}

// receive reads one answer, if there is one.
func (c *Client) receive(ctx context.Context, to any) (answered bool, err error) {
	var status int
	var body []byte
	err = c.within(ctx, c.opts.limit(c.lane.waiting[0].op), func() (err error) {
		status, body, err = c.lane.frames.Receive()
		return err
	})
	if err != nil {
		return false, c.unreached(ctx, err)
	}
	return true, judge(c.opts.Media, reply{status, body}, to)
}

// room is a buffer for the next body.
func (l *lane) room() []byte {
	if n := len(l.spare); n > 0 {
		b := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return b
	}
	return nil
}

// find looks for the lane of a run that was opened. A plane without one is asked over
// HTTP.
func (c *Client) find(ctx context.Context, run leyline.RunID) error {
	if c.lane != nil {
		c.lane.drop()
		c.lane = nil
	}
	path := c.at.lane()
	if path == "" || c.opts.NoLane {
		return nil
	}
	c.lane = &lane{path: path, run: run}
	err := c.connect(ctx)
	if away := (awayError{}); errors.As(err, &away) {
		if missing(away.error) {
			c.lane = nil
		}
		return nil // it is tried again with the first report
	}
	if err != nil {
		return fmt.Errorf("the framed lane %s: %w", path, err)
	}
	return nil
}
