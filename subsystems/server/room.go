package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// room is a listener with its connections, of which there are at most so many. A
// peer is idle until it has sent the header of a request, and again from its answer
// on. When all places are taken, the one that has been idle for longest makes way
// for the next; when none has been idle for the respite, the next one waits.
type room struct {
	net.Listener
	most int

	mu     sync.Mutex
	freed  sync.Cond // a connection has gone or got idle, or the room was closed
	open   map[*guest]struct{}
	closed bool
}

// guest is one connection of a room.
type guest struct {
	net.Conn
	room *room
	idle time.Time // since when; zero: it is not. Guarded by room.mu
}

// respite is how long a peer may be idle before it has to make way: one that has just
// come gets to send its request.
const respite = 100 * time.Millisecond

func newRoom(l net.Listener, most int) *room {
	r := &room{Listener: l, most: most, open: map[*guest]struct{}{}}
	r.freed.L = &r.mu
	return r
}

// Accept implements net.Listener.
func (r *room) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guest{Conn: c, room: r}
	if !r.admit(g) {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	return g, nil
}

// admit finds a place; false when the room was closed meanwhile.
func (r *room) admit(g *guest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed && len(r.open) >= r.most {
		r.makeWay()
	}
	if r.closed {
		return false
	}
	r.open[g] = struct{}{}
	g.idle = time.Now()
	return true
}

// makeWay closes the connection that has been idle for longest, or waits until
// something changes.
func (r *room) makeWay() {
	old := r.longestIdle()
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

func (r *room) longestIdle() *guest {
	var old *guest
	for g := range r.open {
		if !g.idle.IsZero() && (old == nil || g.idle.Before(old.idle)) {
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

// guestOf returns the connection of a request; nil for one that came through none of
// this server's.
func guestOf(ctx context.Context) *guest {
	g, _ := ctx.Value(guestKey{}).(*guest)
	return g
}
