package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// webFlags are the flags about the HTTP side of a plane.
type webFlags struct {
	listen    []string
	hosts     []string
	tokenFile string
	tokens    []server.Token // read from the file by preflight
	tls       tlsFlags
}

// flags adds the flags; what says in words what is served at an address.
func (f *webFlags) flags(s *pflag.FlagSet, what string) {
	s.StringArrayVar(&f.listen, "http", nil, "serve "+what+" at `ADDR`, unix:PATH or HOST:PORT; may be repeated")
	s.StringVar(&f.tokenFile, "http-token-file", "", "demand a bearer token of `FILE` of every request over TCP: one token, or lines NAME TOKEN; needed beyond loopback")
	f.tls.flags(s)
	s.StringArrayVar(&f.hosts, "http-host", nil, "answer to this `NAME` as well, beside localhost and the address itself; may be repeated")
}

// readToken reads the file of the token.
func (f *webFlags) readToken() error {
	if f.tokenFile == "" {
		return nil
	}
	text, err := readSecret("--http-token-file", f.tokenFile, fmt.Sprintf("%d random bytes or more, for example with `openssl rand -hex 32`", server.MinToken))
	if err != nil {
		return err
	}
	if f.tokens, err = server.ParseTokens(text); err != nil {
		return usagef("--http-token-file: %s: %w", f.tokenFile, err)
	}
	return nil
}

// readSecret reads a file that only its owner may read, without the white space
// around what it holds. want says what to write into it.
func readSecret(setting, path, want string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", usagef("%s: %w", setting, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", usagef("%s: %s is %s; it must be a file that only its owner can read: chmod 600 %s", setting, path, info.Mode(), path)
	}
	b, err := readFile(path)
	if err != nil {
		return "", usagef("%s: %w", setting, err)
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" {
		return "", usagef("%s: %s is empty; write %s into it", setting, path, want)
	}
	return secret, nil
}

// web is the HTTP side of a run. A nil *web is a run that has none.
type web struct {
	server *server.Server
	tls    bool // TCP speaks TLS
	notice func(string, ...any)
	sink   atomic.Pointer[error] // why the emergency stream failed
}

// How long clients may hold up a stop. Both leave time of quickBudget for what else
// is stopped with them.
const (
	requestPatience = 2 * time.Second // for requests under way
	streamPatience  = 2 * time.Second // for streams to take their last events
)

// connections is how many a listener takes at a time: half of them may be streams,
// and each that the configuration allows must find a place.
func connections(subscribers uint32) int {
	return max(server.DefaultMaxConnections, 2*int(subscribers))
}

// newWeb puts probes, and routes for the time in which the plane runs, behind the
// addresses of the flags. components says why not all parts of the process run.
func newWeb(p *served, log hclog.Logger, components func() error) (*web, error) {
	f, running := p.at.web, p.running.Load
	w := &web{notice: p.app.notice, tls: f.tls.options() != nil}
	ready := append(server.PlaneReady(running),
		server.Check{Name: "telemetry", Look: func(context.Context) error {
			if err := w.sink.Load(); err != nil {
				return *err
			}
			return nil
		}},
		server.Check{Name: "components", Look: func(context.Context) error { return components() }})
	var err error
	w.server, err = server.New(server.Options{
		Listen: f.listen, Tokens: f.tokens, TLS: f.tls.options(), BehindProxy: f.tls.behindProxy, Hosts: f.hosts, Routes: slices.Concat(p.outlets.routes(), p.operators(), p.routes), Logger: log, Live: server.PlaneLive(running), Ready: ready,
		MaxConnections: connections(p.config.Telemetry.Subscribers),
	})
	if err != nil {
		return nil, usageError{err}
	}
	return w, nil
}

// operators are the routes by which an operator reaches the plane.
func (p *served) operators() []server.Route {
	return admin.Routes(admin.Options{Plane: func() admin.Plane { return p.running.Load() }})
}

// sinkFailed keeps why the emergency stream failed; it says so once.
func (w *web) sinkFailed(err error) {
	if w != nil {
		w.sink.Store(&err)
	}
}

// probes is the server as the first component: it can be asked how the others are.
func (w *web) probes(a *app) supervise.Component {
	return supervise.Component{
		Name: "http server", StartBudget: startBudget, StopBudget: quickBudget,
		Start: func(ctx context.Context) error {
			if err := w.server.Start(ctx); err != nil {
				return err
			}
			for _, at := range w.server.Addresses() {
				a.notice("/healthz, /readyz, /metrics and /v1/telemetry at %s", w.place(at))
				a.notice("operators command it with `esper command ... --to %[1]s`; `esper command send FILE --to %[1]s` hands in a key that the admin key has signed", w.place(at))
			}
			return nil
		},
		Stop: w.stop, Done: w.server.Done, Err: w.server.Err,
	}
}

// place is an address as `esper command --to` takes it.
func (w *web) place(at net.Addr) string {
	switch {
	case at.Network() == "unix":
		return "unix:" + at.String()
	case w.tls:
		return "https://" + at.String()
	}
	return "http://" + at.String()
}

// requests is the time in which the plane takes requests.
func (w *web) requests() supervise.Component {
	return supervise.Component{
		Name: "requests", StartBudget: startBudget, StopBudget: quickBudget,
		Start: func(context.Context) error { w.server.Open(); return nil },
		Stop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, requestPatience)
			defer cancel()
			w.left(w.server.Drain(ctx), "requests were still under way")
			return nil
		},
	}
}

// endStreams waits for those who follow the telemetry, which has ended, to get the
// last of it.
func (w *web) endStreams(ctx context.Context) {
	if w == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, streamPatience)
	defer cancel()
	w.left(w.server.EndStreams(ctx), "telemetry streams had not taken their last events")
}

func (w *web) stop(ctx context.Context) error {
	cut, err := w.server.Stop(ctx)
	w.left(cut, "connections were still busy")
	return err
}

// left tells of clients who were not done: their matter, and no failure of the run.
func (w *web) left(cut int, what string) {
	if cut > 0 {
		w.notice("%s and were cut (%d): their clients did not read or did not end in time", what, cut)
	}
}

// probe reports everything that keeps the server from being started.
func (f *webFlags) probe(data string, r *supervise.Report) {
	err := f.readToken()
	if err != nil {
		r.FailWith("--http-token-file", err)
	}
	f.tls.probe(r)
	if len(f.listen) == 0 {
		if f.tokenFile != "" || len(f.hosts) > 0 || f.tls != (tlsFlags{}) {
			r.FailWith("--http", usagef("--http-token-file, --http-host, --http-behind-proxy and the flags of TLS need --http"))
		}
		return
	}
	there := slices.DeleteFunc(slices.Clone(f.listen), func(at string) bool { return toBeMade(data, at) })
	for _, err := range server.Probe(f.guarded() || err != nil, there...) {
		if err != nil {
			r.Fail(supervise.Problem{Field: "--http", What: "--http: " + err.Error(), Err: usageIfBad(fmt.Errorf("--http: %w", err))})
		}
	}
	f.probePlaces(data, r)
}

// toBeMade reports whether an address is the socket of a data directory whose path is
// missing. It is made, with what is above it, before anything is listened at.
func toBeMade(data, at string) bool {
	if at != "unix:"+datadir.SocketPath(data) {
		return false
	}
	_, err := os.Stat(filepath.Dir(data))
	return errors.Is(err, fs.ErrNotExist)
}

// guarded reports whether the flags allow addresses beyond loopback.
func (f *webFlags) guarded() bool {
	return server.Options{Tokens: f.tokens, TLS: f.tls.options(), BehindProxy: f.tls.behindProxy}.Guarded()
}

// probePlaces refuses sockets in the data directory: one that is made there before
// the log makes it look like somebody else's.
func (f *webFlags) probePlaces(data string, r *supervise.Report) {
	for _, at := range f.listen {
		if path, ok := strings.CutPrefix(at, "unix:"); ok && path != datadir.SocketPath(data) && inside(data, path) {
			r.FailWith("--http", usagef("--http: the socket %s is inside the data directory %s, which holds nothing but what esper keeps there; choose a directory of its own", path, data))
		}
	}
}

// inside reports whether a path is in a directory, which need not be there.
func inside(dir, path string) bool {
	if in, err := within(path, dir); err == nil && in {
		return true
	}
	at, err := filepath.Abs(dir)
	to, bad := filepath.Abs(path)
	if err != nil || bad != nil {
		return false // there is no working directory, which the other checks say
	}
	rel, err := filepath.Rel(at, to)
	return err == nil && filepath.IsLocal(rel)
}

// usageIfBad: an address that is taken is nobody's wrong usage.
func usageIfBad(err error) error {
	if sys := (*os.SyscallError)(nil); errors.As(err, &sys) || errors.Is(err, fs.ErrPermission) || errors.Is(err, server.ErrInUse) {
		return err
	}
	return usageError{err}
}
