package server

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// room is a listener with its connections, of which there are at most so many. A
// peer is idle until it has sent the header of a request, and again from its answer
// on. When all places are taken, the one that has been idle for longest makes way
// for the next; when none has been idle for the respite, the next one waits.
//
// One process, or one address, has at most its share of the places. For one more of
// it, one of its own makes way, or the new one is closed: it must not wait at the door
// in front of others.
type room struct {
	net.Listener
	most  int
	share int // of one peer
	log   hclog.Logger

	mu     sync.Mutex
	freed  sync.Cond // a connection has gone or got idle, or the room was closed
	open   map[*guest]struct{}
	closed bool
}

// guest is one connection of a room.
type guest struct {
	net.Conn
	room *room
	from string      // which process or address: what a share is counted by
	peer *SocketPeer // nil: it came over TCP
	idle time.Time   // since when; zero: it is not. Guarded by room.mu
}

// respite is how long a peer may be idle before it has to make way: one that has just
// come gets to send its request.
const respite = 100 * time.Millisecond

func newRoom(l net.Listener, most, share int, log hclog.Logger) *room {
	r := &room{Listener: l, most: most, share: share, log: log, open: map[*guest]struct{}{}}
	r.freed.L = &r.mu
	return r
}

// Accept implements net.Listener. Who may not come in is closed, and the next one is
// waited for.
func (r *room) Accept() (net.Conn, error) {
	for {
		c, err := r.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g, err := r.guestOf(c)
		if err != nil {
			r.log.Warn("a connection was refused", "reason", err)
			_ = c.Close() // nobody is there to be told
			continue
		}
		in, open := r.admit(g)
		if in {
			return g, nil
		}
		_ = c.Close() // it has sent nothing yet that could be lost
		if !open {
			return nil, net.ErrClosed
		}
	}
}

// guestOf finds out who has connected.
func (r *room) guestOf(c net.Conn) (*guest, error) {
	g := &guest{Conn: c, room: r}
	if u, ok := c.(*net.UnixConn); ok {
		peer, err := PeerOfSocket(u)
		g.peer, g.from = &peer, strconv.Itoa(int(peer.PID))
		return g, err
	}
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	g.from = host
	return g, err
}

// admit finds a place: in is false when the peer has its share already, or when the
// room was closed meanwhile, which open tells.
func (r *room) admit(g *guest) (in, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.withinShare(g.from) {
		return false, !r.closed
	}
	for !r.closed && len(r.open) >= r.most {
		r.makeWay()
	}
	if r.closed {
		return false, false
	}
	r.open[g] = struct{}{}
	g.idle = time.Now()
	return true, true
}

// withinShare reports whether a peer may have one more. One of its own that is idle for
// the respite makes way for it. A share of all places is none.
func (r *room) withinShare(from string) bool {
	if r.share >= r.most {
		return true
	}
	n := 0
	for g := range r.open {
		if g.from == from {
			n++
		}
	}
	if n < r.share {
		return true
	}
	old := r.longestIdle(func(g *guest) bool { return g.from == from })
	if old == nil || time.Since(old.idle) < respite {
		return false
	}
	r.dismiss(old)
	return true
}

// makeWay closes the connection that has been idle for longest, or waits until
// something changes.
func (r *room) makeWay() {
	old := r.longestIdle(func(*guest) bool { return true })
	if old == nil {
		r.freed.Wait()
		return
	}
	early := respite - time.Since(old.idle)
	if early <= 0 {
		r.dismiss(old)
		return
	}
	t := time.AfterFunc(early, r.freed.Broadcast)
	defer t.Stop()
	r.freed.Wait()
}

func (r *room) longestIdle(of func(*guest) bool) *guest {
	var old *guest
	for g := range r.open {
		if of(g) && !g.idle.IsZero() && (old == nil || g.idle.Before(old.idle)) {
			old = g
		}
	}
	return old
}

// dismiss closes a connection that nobody answers at the moment.
func (r *room) dismiss(g *guest) {
	delete(r.open, g)
	_ = g.Conn.Close() // it is gone either way; net/http, which reads from it, ends with it
}

// Close lets nobody in any more and closes all connections that are idle, now or
// later.
func (r *room) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for g := range r.open {
		if !g.idle.IsZero() {
			r.dismiss(g)
		}
	}
	r.freed.Broadcast()
	return r.Listener.Close()
}

// count returns how many connections are open.
func (r *room) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// begin says that a request has come; false when its connection was closed before.
func (g *guest) begin() bool {
	g.room.mu.Lock()
	defer g.room.mu.Unlock()
	g.idle = time.Time{}
	_, open := g.room.open[g]
	return open
}

// rest says that a request was answered.
func (g *guest) rest() {
	r := g.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, open := r.open[g]; !open {
		return
	}
	g.idle = time.Now()
	if r.closed {
		r.dismiss(g)
	}
	r.freed.Broadcast()
}

// Close implements net.Conn.
func (g *guest) Close() error {
	r := g.room
	r.mu.Lock()
	delete(r.open, g)
	r.freed.Broadcast()
	r.mu.Unlock()
	return g.Conn.Close()
}

type guestKey struct{}

// guestIn returns the connection below TLS; nil for one of another server.
func guestIn(c net.Conn) *guest {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	g, _ := c.(*guest)
	return g
}

// guestOf returns the connection of a request; nil for one that came through none of
// this server's.
func guestOf(ctx context.Context) *guest {
	g, _ := ctx.Value(guestKey{}).(*guest)
	return g
}
