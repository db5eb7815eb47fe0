package lane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/subsystems/server"
)

// Lane serves the framed lane. Its methods may be called by any number of goroutines.
type Lane struct {
	opts    Options
	log     hclog.Logger
	ctx     context.Context // of every report; ended by a cut
	cancel  context.CancelFunc
	serving sync.WaitGroup // connections
	ended   chan struct{}  // nobody accepts any more

	mu       sync.Mutex
	listener *net.UnixListener // nil: it was not started
	stopped  bool
	opened   bool
	draining bool
	open     map[*conn]struct{}
	err      error // why it ended by itself
}

// respite is how long a connection without an open run is left alone.
const respite = 100 * time.Millisecond // constant: local because it is a courtesy between peers, as in package server

// New checks the options. Nothing is opened.
func New(o Options) (*Lane, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Lane{opts: o, log: o.Logger.Named("lane"), open: map[*conn]struct{}{}, ended: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Start listens. A lane is started once.
func (l *Lane) Start(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil || l.stopped {
		return errors.New("the lane was started before")
	}
	at, err := server.ListenUnix(l.opts.Path)
	if err != nil {
		return err
	}
	l.listener = at
	go l.accept(at)
	return nil
}

// Open lets trainers in, unless Drain was called.
func (l *Lane) Open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = true
}

// Connections returns how many connections are open.
func (l *Lane) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// Done is closed when the lane has ended after a Start that succeeded; Err says why.
func (l *Lane) Done() <-chan struct{} { return l.ended }

// Err returns why the lane ended by itself: nil after Stop.
func (l *Lane) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Drain lets nobody in any more, answers what was taken and says goodbye. When ctx ends it
// cuts who is left, and returns how many it cut.
func (l *Lane) Drain(ctx context.Context) (cut int) {
	l.mu.Lock()
	l.draining = true
	for c := range l.open {
		c.drain()
	}
	l.mu.Unlock()
	out := make(chan struct{})
	go func() { l.serving.Wait(); close(out) }()
	select {
	case <-out:
		return 0
	case <-ctx.Done():
	}
	l.cancel()
	l.mu.Lock()
	for c := range l.open {
		cut++
		c.cut()
	}
	l.mu.Unlock()
	select {
	case <-out:
	case <-time.After(time.Second): // a service that does not return is left
	}
	return cut
}

// Stop drains, and closes the socket. It returns how many connections it cut. Its error is
// that of the socket.
func (l *Lane) Stop(ctx context.Context) (cut int, err error) {
	l.mu.Lock()
	again, at := l.stopped, l.listener
	l.stopped = true
	l.mu.Unlock()
	if at == nil {
		return 0, nil
	}
	cut = l.Drain(ctx)
	if !again {
		err = at.Close()
	}
	<-l.ended
	l.cancel()
	return cut, err
}

// accept lets connections in until the socket is closed.
func (l *Lane) accept(at *net.UnixListener) {
	defer close(l.ended)
	for wait := time.Duration(0); ; {
		c, err := at.AcceptUnix()
		switch {
		case err == nil:
			wait = 0
			l.meet(c)
			continue
		case errors.Is(err, net.ErrClosed):
			return
		case !temporary(err):
			l.fail(fmt.Errorf("cannot accept at %s: %w", l.opts.Path, err))
			return
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		l.log.Warn("cannot accept a connection; it is tried again", "error", err, "in", wait)
		time.Sleep(wait)
	}
}

// passing are the errors of accepting after which another try may succeed: this process
// has no file or no memory left, or the peer has gone.
var passing = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR}

func temporary(err error) bool {
	return slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) })
}

// fail keeps why the lane has ended, and ends its connections.
func (l *Lane) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	for c := range l.open {
		c.cut()
	}
}

// meet finds out who has connected and finds a place for it.
func (l *Lane) meet(c *net.UnixConn) {
	peer, err := server.PeerOfSocket(c)
	if err != nil {
		l.log.Warn("a connection was refused", "reason", err)
		_ = c.Close() // nobody is there to be told
		return
	}
	g := newConn(l, c, peer)
	if no := l.admit(g); no != nil {
		g.turnAway(*no)
		return
	}
	go func() {
		defer l.serving.Done()
		defer l.leave(g)
		g.serve()
	}()
}

// admit finds a place, or says why there is none.
func (l *Lane) admit(g *conn) *server.Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	var no server.Problem
	switch {
	case l.draining:
		no = stopping()
	case !l.opened:
		no = server.NewProblem(http.StatusServiceUnavailable, "starting", "the plane has not started yet", "ask again; GET /readyz says what it waits for")
	case l.opts.MaxPerPeer < l.opts.MaxConnections && l.ofPeer(g.pid) >= l.opts.MaxPerPeer:
		no = server.NewProblem(http.StatusServiceUnavailable, "too_many_lanes", fmt.Sprintf("the process %d has %d connections, as many as it may have", g.pid, l.opts.MaxPerPeer), "close one, or report over HTTP")
	case len(l.open) >= l.opts.MaxConnections && !l.makeWay():
		no = server.NewProblem(http.StatusServiceUnavailable, "too_many_lanes", "as many connections with open runs are there as there may be", "ask again later, or report over HTTP")
	default:
		l.open[g] = struct{}{}
		l.serving.Add(1)
		return nil
	}
	return &no
}

func stopping() server.Problem {
	return server.NewProblem(http.StatusServiceUnavailable, "stopping", "the plane is stopping", "ask again when it has started again")
}

func (l *Lane) ofPeer(pid int32) int {
	n := 0
	for c := range l.open {
		if c.pid == pid {
			n++
		}
	}
	return n
}

// makeWay closes the connection that has waited longest without an open run.
func (l *Lane) makeWay() bool {
	var old *conn
	var since time.Time
	for c := range l.open {
		if at, waits := c.waits(); waits && (old == nil || at.Before(since)) {
			old, since = c, at
		}
	}
	if old == nil || time.Since(since) < respite {
		return false
	}
	delete(l.open, old)
	old.cut()
	return true
}

func (l *Lane) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}
