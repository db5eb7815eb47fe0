package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// guard stands in front of every handler; the package comment has the order.
type guard struct {
	next      http.Handler
	token     [sha256.Size]byte // of the token
	locked    bool              // there is one
	hosts     []string
	maxHeader int
	maxBody   int64
	log       hclog.Logger
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{ResponseWriter: w}
	defer g.recovered(a, r)
	h := a.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if p := g.refuse(a, r); p != nil {
		p.Write(a)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, g.maxBody) // w, not a: net/http closes the connection behind too large a body
	g.next.ServeHTTP(a, r)
}

// refuse says why a request goes no further.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request) *Problem {
	var p Problem
	switch {
	case headerSize(r) > g.maxHeader:
		p = NewProblem(http.StatusRequestHeaderFieldsTooLarge, "header_too_large", "request line and header are too long", "send fewer or shorter fields")
	case !g.knows(r):
		p = NewProblem(http.StatusMisdirectedRequest, "unknown_host", "this server does not answer to the name "+clip(r.Host), "ask for localhost or for the address, or add the name where the server is configured")
		p.Field = "Host"
	case !g.admits(r):
		w.Header().Set("WWW-Authenticate", `Bearer realm="esper"`)
		p = NewProblem(http.StatusUnauthorized, "unauthorized", "the request carries no valid token", "send the header Authorization: Bearer TOKEN")
		p.Field = "Authorization"
	default:
		return nil
	}
	return &p
}

// clip keeps a stranger's text short.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "?") }

// headerSize is about what a request's line and header took on the wire.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// knows checks the Host of a request that came over TCP. The address that was
// connected to is safe: a page that rebinds a name sends the name.
func (g *guard) knows(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || at.Network() == "unix" {
		return ok
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	local, _, err := net.SplitHostPort(at.String())
	return host == "localhost" || err == nil && host == local || slices.Contains(g.hosts, host)
}

// admits compares the hashes of the tokens: neither content nor length of the
// right one can be timed.
func (g *guard) admits(r *http.Request) bool {
	if !g.locked {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 && strings.EqualFold(scheme, "bearer")
}

// recovered answers a panic of a handler. What was begun cannot be taken back: the
// connection is cut, so that half an answer does not pass for a whole one.
func (g *guard) recovered(a *answer, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	g.log.Error("a handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	if a.begun {
		panic(http.ErrAbortHandler)
	}
	NewProblem(http.StatusInternalServerError, "internal", "the handler failed; the log of the program has the details", "").Write(a)
}

// answer is a response that knows whether it was begun. Each write of a stream
// gets its own time.
type answer struct {
	http.ResponseWriter
	begun  bool
	within time.Duration // of one write; 0: the server's bound on the whole answer
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.begun = a.begun || status >= http.StatusOK
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	if err := a.extend(); err != nil {
		return 0, err
	}
	return a.ResponseWriter.Write(b)
}

// FlushError serves http.ResponseController.
func (a *answer) FlushError() error {
	a.begun = true
	if err := a.extend(); err != nil {
		return err
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Flush implements http.Flusher. What goes wrong shows in the next write.
func (a *answer) Flush() { _ = a.FlushError() }

func (a *answer) extend() error {
	if a.within == 0 {
		return nil
	}
	return http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(a.within))
}

// stream lifts the bounds on the time of a whole request and ends its context when
// the server drains.
func stream(a *answer, r *http.Request, within time.Duration, ending <-chan struct{}) (*http.Request, func(), error) {
	a.within = within
	if err := http.NewResponseController(a.ResponseWriter).SetReadDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		select {
		case <-ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	return r.WithContext(ctx), cancel, nil
}
