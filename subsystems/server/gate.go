package server

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// gate lets requests to the routes in between Open and Drain, and knows who is
// inside.
type gate struct {
	mu      sync.Mutex
	open    bool
	drained bool // set by the first drain and never cleared
	inside  map[*pass]struct{}
	streams int // of those inside
	most    int // streams at a time
}

// pass is one request that was let in.
type pass struct {
	stream bool
	cut    func()        // ends its context and lets no byte through any more
	done   chan struct{} // closed when it is out
}

// cutWait is how long a request that was cut may take to notice.
const cutWait = time.Second

func newGate(streams int) *gate {
	return &gate{most: streams, inside: map[*pass]struct{}{}}
}

// enter lets a request in; a problem says why it may not come in.
func (g *gate) enter(p *pass) *Problem {
	g.mu.Lock()
	defer g.mu.Unlock()
	var no Problem
	switch {
	case g.drained:
		no = NewProblem(http.StatusServiceUnavailable, "stopping", "the plane is stopping", "ask again when it has started again")
	case !g.open:
		no = NewProblem(http.StatusServiceUnavailable, "starting", "the plane has not started yet", "ask again; GET /readyz says what it waits for")
	case p.stream && g.streams >= g.most:
		no = NewProblem(http.StatusServiceUnavailable, "too_many_streams", "as many streams are open as there may be", "close one, or ask again later")
	default:
		p.done = make(chan struct{})
		g.inside[p] = struct{}{}
		if p.stream {
			g.streams++
		}
		return nil
	}
	return &no
}

func (g *gate) leave(p *pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.inside, p)
	if p.stream {
		g.streams--
	}
	close(p.done)
}

func (g *gate) allow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = !g.drained
}

// allows reports whether requests are let in.
func (g *gate) allows() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// drain lets nobody in any more and waits until all streams, or all other requests,
// are out. When ctx ends it cuts those that are not, and returns how many it cut.
func (g *gate) drain(ctx context.Context, streams bool) (cut int) {
	left := g.refuse(streams)
	for len(left) > 0 && ctx.Err() == nil {
		select {
		case <-left[0].done:
			left = left[1:]
		case <-ctx.Done():
		}
	}
	late := time.NewTimer(cutWait)
	defer late.Stop()
	for _, p := range left {
		select {
		case <-p.done:
			continue
		default:
		}
		p.cut()
		cut++
	}
	for _, p := range left {
		select {
		case <-p.done:
		case <-late.C:
			return cut
		}
	}
	return cut
}

// refuse lets nobody in any more and returns who is inside.
func (g *gate) refuse(streams bool) []*pass {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drained, g.open = true, false
	var left []*pass
	for p := range g.inside {
		if p.stream == streams {
			left = append(left, p)
		}
	}
	return left
}
