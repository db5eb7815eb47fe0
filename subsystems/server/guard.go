package server

import (
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// bodyWait is how long the rest of a body that nobody has read may take to come.
const bodyWait = time.Second

// guard stands in front of every handler; the package comment has the order.
type guard struct {
	next      http.Handler
	keys      keyring
	certs     bool // clients may show certificates
	hosts     []string
	maxHeader int
	maxBody   int64
	log       hclog.Logger
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c := guestOf(r.Context()); c != nil && !c.begin() {
		panic(http.ErrAbortHandler) // it had to make way: nobody would get the answer
	}
	a := &answer{ResponseWriter: w}
	defer g.recovered(a, r)
	h := a.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	r, p := g.refuse(a, r)
	if p != nil {
		p.Write(a)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, g.maxBody) // w, not a: net/http closes the connection behind too large a body
	g.next.ServeHTTP(a, r)
	if r.ContentLength != 0 {
		// net/http reads what the handler has left of the body; a peer that does not send
		// it must not keep the connection. Where this fails there is none.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWait))
	}
}

// refuse says why a request goes no further; else it returns the request of a sender who
// is known.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request) (*http.Request, *Problem) {
	var p Problem
	name, admitted := "", false
	switch {
	case headerSize(r) > g.maxHeader:
		p = NewProblem(http.StatusRequestHeaderFieldsTooLarge, "header_too_large", "request line and header are too long", "send fewer or shorter fields")
	case !g.knows(r):
		p = NewProblem(http.StatusMisdirectedRequest, "unknown_host", "this server does not answer to the name "+clip(r.Host), "ask for localhost or for the address, or start the plane with --http-host and this name")
		p.Field = "Host"
	case len(r.TransferEncoding) > 0:
		w.Header().Set("Connection", "close") // two readers could disagree on where the request ends
		p = NewProblem(http.StatusLengthRequired, "length_required", "the body comes in chunks", "send its length in the header Content-Length")
		p.Field = "Content-Length"
	case encoded(r):
		p = NewProblem(http.StatusUnsupportedMediaType, "unsupported_encoding", "the body is compressed", "send it as it is, without Content-Encoding")
		p.Field = "Content-Encoding"
	default:
		if name, admitted = g.admits(r); admitted {
			return withPrincipal(r, name), nil
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="esper"`)
		p = NewProblem(http.StatusUnauthorized, "unauthorized", "the request carries no valid token", "send the header Authorization: Bearer TOKEN")
		p.Field = "Authorization"
	}
	return r, &p
}

// encoded reports whether the body is anything but what its type says.
func encoded(r *http.Request) bool {
	for _, v := range r.Header.Values("Content-Encoding") {
		if v != "" && !strings.EqualFold(v, "identity") {
			return true
		}
	}
	return false
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

// admits finds out who has sent a request; name is empty where anybody may. A token that
// is sent must be right, even where none is needed.
func (g *guard) admits(r *http.Request) (name string, ok bool) {
	header := r.Header.Get("Authorization")
	token, right := g.keys.nameOf(header)
	if len(g.keys.names) > 0 && header != "" && !right {
		return "", false
	}
	if c := guestOf(r.Context()); c != nil && c.peer != nil {
		return c.peer.Principal(), true
	}
	if cert := certPeer(r.TLS); cert != "" {
		return certPrincipal + cert, true
	}
	if right {
		return tokenPrincipal + token, true
	}
	return "", len(g.keys.names) == 0 && !g.certs
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

// answer is a response that knows whether it was begun. Each write of a stream gets
// its own time, unless its handler sets deadlines itself.
type answer struct {
	http.ResponseWriter
	begun bool

	mu     sync.Mutex
	within time.Duration // of one write; 0: the deadline is the handler's, or the server's on the whole answer
	dead   bool          // nothing gets through any more
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
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.dead:
		return os.ErrDeadlineExceeded
	case a.within == 0:
		return nil
	}
	return http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(a.within))
}

// SetWriteDeadline serves http.ResponseController. From then on the deadlines are
// the handler's.
func (a *answer) SetWriteDeadline(t time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.within = 0
	if a.dead {
		return os.ErrDeadlineExceeded
	}
	return http.NewResponseController(a.ResponseWriter).SetWriteDeadline(t)
}

// cut ends reads and writes that are under way, and those to come.
func (a *answer) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dead = true
	control, now := http.NewResponseController(a.ResponseWriter), time.Now()
	_ = control.SetWriteDeadline(now) // one that fails is of a connection that is gone
	_ = control.SetReadDeadline(now)
}

// endless lifts the bounds on the time of a whole request.
func (a *answer) endless(within time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.within = within
	return http.NewResponseController(a.ResponseWriter).SetReadDeadline(time.Time{})
}
