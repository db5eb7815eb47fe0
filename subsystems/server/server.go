package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// Server serves probes and routes. Its methods may be called by any number of
// goroutines.
type Server struct {
	opts   Options
	log    hclog.Logger
	http   *http.Server
	routes *http.ServeMux
	gate   *gate
	ended  chan struct{}

	mu      sync.Mutex
	started bool
	stopped bool
	open    []net.Listener
	serving sync.WaitGroup
	err     error // why it ended by itself
}

// New checks options and patterns. Nothing is opened.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, log: o.Logger.Named("http"), routes: http.NewServeMux(),
		gate: newGate(max(o.MaxConnections/2, 1)), ended: make(chan struct{}),
	}
	live := lookers(o.Live)
	all := append(live[:len(live):len(live)], lookers(o.Ready)...)
	s.routes.Handle("GET /healthz", newProber("alive", "not_alive", o.CheckTimeout, live))
	s.routes.Handle("GET /readyz", newProber("ready", "not_ready", o.CheckTimeout, all))
	for _, r := range o.Routes {
		if err := s.mount(r); err != nil {
			return nil, fmt.Errorf("server options: %w", err)
		}
	}
	s.http = &http.Server{
		Handler: s.handler(), DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:    4 * o.MaxHeader, // beyond, net/http answers in its own words
		ReadHeaderTimeout: o.HeaderTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, IdleTimeout: o.IdleTimeout,
		ErrorLog: s.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}),
	}
	return s, nil
}

// mount adds a route; a pattern that the mux does not take is an error here.
func (s *Server) mount(r Route) (err error) {
	if method, _, ok := strings.Cut(r.Pattern, " "); !ok || method == "" {
		return fmt.Errorf("route %q names no method", r.Pattern)
	}
	if r.Handler == nil {
		return fmt.Errorf("route %q has no handler", r.Pattern)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("route %q: %v", r.Pattern, p)
		}
	}()
	s.routes.Handle(r.Pattern, s.gated(r))
	return nil
}

// gated lets a request to a route in while the routes are open.
func (s *Server) gated(r Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if p := s.gate.enter(r.Stream); p != nil {
			p.Write(w)
			return
		}
		defer s.gate.leave(r.Stream)
		if r.Stream {
			longer, cancel, err := stream(w.(*answer), q, s.opts.WriteTimeout, s.gate.ending) // the guard made it
			if err != nil {
				WriteError(w, err)
				return
			}
			defer cancel()
			q = longer
		}
		r.Handler.ServeHTTP(w, q)
	})
}

// handler is everything a request passes.
func (s *Server) handler() http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		NewProblem(http.StatusForbidden, "cross_origin", "a page of another origin may not send this", "").Write(w)
	}))
	g := &guard{
		next: origin.Handler(http.HandlerFunc(s.route)), locked: s.opts.Token != "", token: sha256.Sum256([]byte(s.opts.Token)),
		maxHeader: s.opts.MaxHeader, maxBody: s.opts.MaxBody, log: s.log,
	}
	for _, h := range s.opts.Hosts {
		g.hosts = append(g.hosts, strings.ToLower(h))
	}
	return g
}

// route finds the handler of a request. What the mux would answer itself becomes a
// problem document.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := s.routes.Handler(r)
	if pattern != "" {
		s.routes.ServeHTTP(w, r)
		return
	}
	said := &overheard{header: http.Header{}}
	h.ServeHTTP(said, r)
	if allow := said.header.Get("Allow"); said.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allow)
		NewProblem(said.status, "method_not_allowed", r.Method+" is not possible here", "use "+allow).Write(w)
		return
	}
	NewProblem(http.StatusNotFound, "not_found", "there is nothing at "+clip(r.URL.Path), "").Write(w)
}

// overheard takes an answer that is not sent.
type overheard struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (o *overheard) Header() http.Header { return o.header }

// Write implements http.ResponseWriter.
func (o *overheard) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (o *overheard) WriteHeader(status int) { o.status = status }

// Start listens at every address, or at none, and begins to serve. A server is
// started once.
func (s *Server) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.stopped {
		return errors.New("the server was started before")
	}
	s.started = true
	room := make(chan struct{}, s.opts.MaxConnections)
	for _, at := range s.opts.Listen {
		l, err := s.listen(at, room)
		if err != nil {
			for _, l := range s.open {
				err = errors.Join(err, l.Close())
			}
			s.open = nil
			return err
		}
		s.open = append(s.open, l)
	}
	for _, l := range s.open {
		s.serving.Go(func() { s.serve(l) })
	}
	go func() {
		s.serving.Wait()
		close(s.ended)
	}()
	return nil
}

func (s *Server) listen(at string, room chan struct{}) (net.Listener, error) {
	a, err := parseAddress(at, s.opts.Token != "")
	if err != nil {
		return nil, err
	}
	l, err := a.listen()
	if err != nil {
		return nil, err
	}
	return &limited{Listener: l, room: room, closed: make(chan struct{})}, nil
}

// serve accepts on one listener. If that ends by itself, all end.
func (s *Server) serve(l net.Listener) {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return
	}
	s.mu.Lock()
	s.err = errors.Join(s.err, fmt.Errorf("cannot serve on %s: %w", l.Addr(), err))
	s.mu.Unlock()
	s.http.Close() // the error is why
}

// Addresses returns where it listens, in the order of Options.Listen; a port 0 has
// become the real one.
func (s *Server) Addresses() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []net.Addr
	for _, l := range s.open {
		out = append(out, l.Addr())
	}
	return out
}

// Open lets requests to the routes in, unless Drain was called.
func (s *Server) Open() { s.gate.allow() }

// Drain lets no request to the routes in any more, ends the contexts of streams and
// waits for the requests under way, no longer than ctx. Probes go on.
func (s *Server) Drain(ctx context.Context) error {
	if n := s.gate.drain(ctx); n > 0 {
		return fmt.Errorf("%d requests were still under way when their time was over", n)
	}
	return nil
}

// Done is closed when the server has ended after a Start that succeeded; Err says
// why.
func (s *Server) Done() <-chan struct{} { return s.ended }

// Err returns why the server ended by itself: nil after Stop.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop drains, closes the listeners and waits for the probes under way, no longer
// than ctx; then it closes every connection.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	running := len(s.open) > 0
	s.mu.Unlock()
	if !running {
		return nil
	}
	err := s.Drain(ctx)
	if stop := s.http.Shutdown(ctx); stop != nil {
		err = errors.Join(err, fmt.Errorf("connections were cut: %w", stop), s.http.Close())
	}
	<-s.ended
	return err
}
