package server

import (
	"context"
	"crypto/tls"
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
	certs  *certificates // nil: TCP is plain
	ended  chan struct{}

	mu      sync.Mutex
	started bool
	stopped bool
	open    []*room
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
	if o.TLS != nil {
		if s.certs, err = newCertificates(*o.TLS, len(o.Tokens) > 0, s.log); err != nil {
			return nil, fmt.Errorf("server options: %w", err)
		}
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
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, guestKey{}, guestIn(c))
		},
		ConnState: resting,
		ErrorLog:  s.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}),
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
		ctx, cancel := context.WithCancel(q.Context())
		defer cancel()
		a := w.(*answer) // the guard made it
		p := &pass{stream: r.Stream, cut: func() { cancel(); a.cut() }}
		if no := s.gate.enter(p); no != nil {
			no.Write(w)
			return
		}
		defer s.gate.leave(p)
		if r.Stream {
			if err := a.endless(s.opts.WriteTimeout); err != nil {
				WriteError(w, err)
				return
			}
		}
		r.Handler.ServeHTTP(w, q.WithContext(ctx))
	})
}

// handler is everything a request passes.
func (s *Server) handler() http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		NewProblem(http.StatusForbidden, "cross_origin", "a page of another origin may not send this", "").Write(w)
	}))
	g := &guard{
		next: origin.Handler(http.HandlerFunc(s.route)), keys: newKeyring(s.opts.Tokens), certs: s.opts.TLS != nil && s.opts.TLS.ClientCAFile != "",
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
	for _, at := range s.opts.Listen {
		l, err := s.listen(at)
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
		s.serving.Go(func() { s.serve(s.secured(l)) })
	}
	go func() {
		s.serving.Wait()
		close(s.ended)
	}()
	return nil
}

func (s *Server) listen(at string) (*room, error) {
	a, err := parseAddress(at, s.opts.Guarded())
	if err != nil {
		return nil, err
	}
	l, err := a.listen()
	if err != nil {
		return nil, err
	}
	return newRoom(l, s.opts.MaxConnections, s.opts.MaxPerPeer, s.log), nil
}

// secured returns the listener of a room with TLS, which is not for sockets.
func (s *Server) secured(r *room) net.Listener {
	if s.certs == nil || r.Addr().Network() == "unix" {
		return r
	}
	return tls.NewListener(r, s.certs.listenerConfig())
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

// Drain lets no request to the routes in any more and waits for those under way that
// are no streams. When ctx ends it cuts the others, and returns how many it cut.
// Streams and probes go on.
func (s *Server) Drain(ctx context.Context) (cut int) { return s.gate.drain(ctx, false) }

// EndStreams lets no request to the routes in any more and waits for the streams,
// whose source has ended, to tell their clients. When ctx ends it cuts the others, and
// returns how many it cut. Afterwards no stream uses its source, unless its handler
// ignores the end of its context.
func (s *Server) EndStreams(ctx context.Context) (cut int) { return s.gate.drain(ctx, true) }

// Done is closed when the server has ended after a Start that succeeded; Err says
// why.
func (s *Server) Done() <-chan struct{} { return s.ended }

// Err returns why the server ended by itself: nil after Stop.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop closes the listeners and every connection that is idle, waits for requests,
// streams and probes under way, no longer than ctx, and then closes every connection.
// It returns how many it cut. Its error is that of the listeners.
func (s *Server) Stop(ctx context.Context) (cut int, err error) {
	s.mu.Lock()
	s.stopped = true
	rooms := s.open
	s.mu.Unlock()
	if len(rooms) == 0 {
		return 0, nil
	}
	cut = s.Drain(ctx) + s.EndStreams(ctx)
	if err = s.http.Shutdown(ctx); err != nil && ctx.Err() != nil {
		left := 0
		for _, r := range rooms {
			left += r.count()
		}
		cut, err = max(cut, left), s.http.Close()
	}
	<-s.ended
	return cut, err
}

// resting tells a connection that its request was answered.
func resting(c net.Conn, state http.ConnState) {
	if g := guestIn(c); g != nil && state == http.StateIdle {
		g.rest()
	}
}
