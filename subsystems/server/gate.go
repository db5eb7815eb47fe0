package server

import (
	"context"
	"net/http"
	"sync"
)

// gate lets requests to the routes in between Open and Drain, and knows when the
// last one is out again.
type gate struct {
	mu      sync.Mutex
	open    bool
	drained bool // set by the first drain and never cleared
	inside  int
	streams int
	most    int           // streams at a time
	empty   chan struct{} // closed when drained and nobody is inside
	ending  chan struct{} // closed by the first drain
}

func newGate(streams int) *gate {
	return &gate{most: streams, empty: make(chan struct{}), ending: make(chan struct{})}
}

// enter counts a request in; a problem says why it may not come in.
func (g *gate) enter(stream bool) *Problem {
	g.mu.Lock()
	defer g.mu.Unlock()
	var p Problem
	switch {
	case g.drained:
		p = NewProblem(http.StatusServiceUnavailable, "stopping", "the plane is stopping", "ask again when it has started again")
	case !g.open:
		p = NewProblem(http.StatusServiceUnavailable, "starting", "the plane has not started yet", "ask again; GET /readyz says what it waits for")
	case stream && g.streams >= g.most:
		p = NewProblem(http.StatusServiceUnavailable, "too_many_streams", "as many streams are open as there may be", "close one, or ask again later")
	default:
		g.inside++
		if stream {
			g.streams++
		}
		return nil
	}
	return &p
}

func (g *gate) leave(stream bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if stream {
		g.streams--
	}
	g.settle()
}

func (g *gate) settle() {
	if g.drained && g.inside == 0 {
		select {
		case <-g.empty:
		default:
			close(g.empty)
		}
	}
}

func (g *gate) allow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = !g.drained
}

// drain lets nobody in any more, ends the streams and waits until all are out. It
// returns how many were not when ctx ended.
func (g *gate) drain(ctx context.Context) (left int) {
	g.mu.Lock()
	if !g.drained {
		g.drained, g.open = true, false
		close(g.ending)
	}
	g.settle()
	g.mu.Unlock()
	select {
	case <-g.empty:
		return 0
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}
