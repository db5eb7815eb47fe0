package lane

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// conn is one connection: a goroutine that reads and hands over, and one that waits and
// writes.
type conn struct {
	lane *Lane
	net  *net.UnixConn
	peer trainer.Peer
	pid  int32

	in     *frame.Reader
	out    *frame.Writer
	run    leyline.RunID
	media  string
	window chan struct{} // a place for each request that is out
	queue  chan taken    // in the order of the requests; never full, because the window is as large

	renew time.Time // when the write deadline is to be moved

	mu       sync.Mutex
	within   time.Duration // in which the frame that has begun is to end; 0: none has
	open     bool          // the run is: a report was accepted
	draining bool          // nothing more is read
	since    time.Time     // when open was last changed
}

// renewal is how much longer than WriteTimeout an answer may take at the most.
const renewal = time.Second // constant: local because it is a courtesy to the poller

// taken is a request that was handed over.
type taken struct {
	op   frame.Op
	wait func() trainer.Reply
	last bool // no request: a last word
}

func newConn(l *Lane, c *net.UnixConn, peer server.SocketPeer) *conn {
	return &conn{
		lane: l, net: c, pid: peer.PID, peer: trainer.Peer{Kind: leyline.PeerTrainer, Name: peer.Principal()},
		in: frame.NewReader(c), out: frame.NewWriter(c), media: protocol.MediaJSON, since: time.Now(),
		window: make(chan struct{}, Window), queue: make(chan taken, Window+1), // and a last word
	}
}

// serve answers until one side ends.
func (c *conn) serve() {
	defer c.cut()
	if !c.greet() {
		return
	}
	ctx, cancel := context.WithCancel(c.lane.ctx)
	defer cancel()
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer cancel() // whoever waits for the plane need not, when nobody gets the answers
		c.write()
	}()
	if last := c.read(ctx); last != nil {
		c.queue <- taken{wait: func() trainer.Reply { return c.problem(*last) }, last: true}
	}
	close(c.queue)
	<-written
}

// write answers in the order of the requests. When that fails it closes the connection,
// which ends the reading too, and takes what is left without writing.
func (c *conn) write() {
	broken := false
	for t := range c.queue {
		said := c.waited(t.wait)
		if !broken && c.send(said) != nil {
			broken = true
			c.cut()
		}
		if !t.last {
			c.answered(t.op, said.Status)
			<-c.window
		}
	}
}

// send writes one answer.
func (c *conn) send(r trainer.Reply) error {
	if now := time.Now(); now.After(c.renew) { // a new one wakes the poller, so not for every answer
		if err := c.net.SetWriteDeadline(now.Add(c.lane.opts.WriteTimeout + renewal)); err != nil {
			return err
		}
		c.renew = now.Add(renewal)
	}
	if err := c.out.Answer(uint16(r.Status), r.Body); err != nil {
		return err
	}
	return c.out.Flush()
}

// cut closes the connection; reads and writes under way fail.
func (c *conn) cut() { _ = c.net.Close() } // it is gone either way

// drain ends the reading: what was taken is answered, and a last word is said.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // one that is closed reads no more anyway
}

// begins says that a frame has begun which is to end within a time, or with 0 that none
// has, and bounds how long the next byte may take.
func (c *conn) begins(within time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.within = within
	return c.arm()
}

// pauses says that no frame has begun. While a run is open there is no deadline then, and
// nothing is to be changed where there was none before: a new deadline wakes the poller.
func (c *conn) pauses() error {
	c.mu.Lock()
	open := c.open && c.within == 0 && !c.draining
	c.mu.Unlock()
	if open {
		return nil
	}
	return c.begins(0)
}

// answered takes note of an answer: the first that is good opens the run, that to a close
// ends it.
func (c *conn) answered(op frame.Op, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.open
	if status >= 200 && status < 300 {
		open = op != frame.OpClose
	}
	if open == c.open {
		return
	}
	c.open, c.since = open, time.Now()
	if c.within == 0 {
		_ = c.arm() // one that is closed reads no more anyway
	}
}

// arm sets the read deadline; c.mu is held.
func (c *conn) arm() error {
	switch {
	case c.draining:
		return c.net.SetReadDeadline(time.Unix(1, 0))
	case c.within > 0:
		return c.net.SetReadDeadline(time.Now().Add(c.within))
	case c.open:
		return c.net.SetReadDeadline(time.Time{})
	}
	return c.net.SetReadDeadline(time.Now().Add(c.lane.opts.IdleTimeout))
}

// waits reports since when the connection has had no open run; false when it has one, or a
// request is out.
func (c *conn) waits() (since time.Time, waits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since, !c.open && len(c.window) == 0
}

// state reports whether the lane drains, and in which time a frame that has begun is to end.
func (c *conn) state() (draining bool, within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining, c.within
}
