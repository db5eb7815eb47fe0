package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRoutes: what is mounted answers, and everything else is a problem document.
func TestRoutes(t *testing.T) {
	s := start(t, options(
		Route{Pattern: "GET /v1/runs/{run}", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.PathValue("run")) })},
		Route{Pattern: "POST /v1/runs", Handler: says("made")},
	))
	if a := ask(t, "GET", url(s, "/v1/runs/run-7"), nil, nil); a.status != 200 || a.body != "run-7" {
		t.Errorf("%d %q", a.status, a.body)
	}
	if a := ask(t, "POST", url(s, "/v1/runs"), nil, nil); a.status != 200 || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", a.status, a.header)
	}
	ask(t, "GET", url(s, "/v1/nothing"), nil, nil).wants(t, 404, "not_found")
	ask(t, "OPTIONS", url(s, "/v1/nothing"), nil, nil).wants(t, 404, "not_found")
	a := ask(t, "DELETE", url(s, "/v1/runs/run-7"), nil, nil)
	a.wants(t, 405, "method_not_allowed")
	if allow := a.header.Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow %q", allow)
	}
}

func TestBadOptions(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"nowhere to listen":             func(o *Options) { o.Listen = nil },
		"no logger":                     func(o *Options) { o.Logger = nil },
		"a negative bound":              func(o *Options) { o.MaxBody = -1 },
		"a negative timeout":            func(o *Options) { o.ReadTimeout = -1 },
		"it has 3 bytes":                func(o *Options) { o.Tokens = []Token{{"a", "abc"}} },
		"no printable ASCII":            func(o *Options) { o.Tokens = []Token{{"a", "0123456789 abcdef"}} },
		"is no name for a token":        func(o *Options) { o.Tokens = []Token{{"", token}} },
		"both a certificate and":        func(o *Options) { o.TLS = &TLSOptions{CertFile: "x"} },
		"can be reached from elsewhere": func(o *Options) { o.Listen = []string{"0.0.0.0:0"} },
		"is no address":                 func(o *Options) { o.Listen = []string{"localhost"} },
		"has no port":                   func(o *Options) { o.Listen = []string{"localhost:http"} },
		"names no method":               func(o *Options) { o.Routes = []Route{{Pattern: "/x", Handler: says("")}} },
		"has no handler":                func(o *Options) { o.Routes = []Route{{Pattern: "GET /x"}} },
		"conflicts with pattern":        func(o *Options) { o.Routes = []Route{{Pattern: "GET /healthz", Handler: says("")}} },
	} {
		o := options()
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestLife: probes answer before Open and after Drain; routes do not. A request
// under way is waited for, a stream goes on until its source ends.
func TestLife(t *testing.T) {
	inside, leave, source := make(chan struct{}), make(chan struct{}), make(chan struct{})
	o := options(
		Route{Pattern: "GET /slow", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { close(inside); <-leave; io.WriteString(w, "done") })},
		Route{Pattern: "GET /events", Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hello\n")
			w.(http.Flusher).Flush()
			select {
			case <-source:
				io.WriteString(w, "end\n")
			case <-r.Context().Done():
			}
		})},
	)
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(t, "GET", url(s, "/slow"), nil, nil).wants(t, 503, "starting")
	s.Open()
	events, err := http.Get(url(s, "/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	slow := make(chan answered, 1)
	go func() { slow <- ask(t, "GET", url(s, "/slow"), nil, nil) }()
	<-inside
	drained := make(chan int, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	for s.gate.allows() {
		time.Sleep(time.Millisecond)
	}
	ask(t, "GET", url(s, "/events"), nil, nil).wants(t, 503, "stopping")
	s.Open()
	ask(t, "GET", url(s, "/events"), nil, nil).wants(t, 503, "stopping")
	if a := ask(t, "GET", url(s, "/readyz"), nil, nil); a.status != 200 {
		t.Errorf("the probe: %d", a.status)
	}
	close(leave)
	if cut := <-drained; cut > 0 {
		t.Errorf("%d requests were cut", cut)
	}
	if a := <-slow; a.body != "done" {
		t.Errorf("the request under way got %q", a.body)
	}
	close(source)
	if cut := s.EndStreams(t.Context()); cut > 0 {
		t.Errorf("%d streams were cut", cut)
	}
	if b, err := io.ReadAll(events.Body); err != nil || string(b) != "hello\nend\n" {
		t.Errorf("the stream has %q, %v", b, err)
	}
	at := s.Addresses()[0].String()
	for range 2 {
		if cut, err := s.Stop(t.Context()); cut > 0 || err != nil {
			t.Errorf("%d cut, %v", cut, err)
		}
	}
	<-s.Done()
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("it still listens")
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("it starts twice")
	}
}

// TestStreamsOutliveTheTimeouts of ordinary requests, but not a reader that does
// not read.
func TestStreamsOutliveTheTimeouts(t *testing.T) {
	const bound = 250 * time.Millisecond
	failed, kept := make(chan error, 1), make(chan time.Duration, 1)
	o := options(
		Route{Pattern: "GET /events", Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range 3 {
				select {
				case <-time.After(bound):
				case <-r.Context().Done():
					return
				}
				fmt.Fprintln(w, i)
				w.(http.Flusher).Flush()
			}
		})},
		Route{Pattern: "GET /flood", Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { failed <- flood(w) })},
		Route{Pattern: "GET /own", Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			kept <- w.(*answer).within
		})},
	)
	o.ReadTimeout, o.WriteTimeout = bound, 2*bound
	s := start(t, o)
	if a := ask(t, "GET", url(s, "/events"), nil, nil); a.body != "0\n1\n2\n" {
		t.Errorf("%q", a.body)
	}
	resp, err := http.Get(url(s, "/flood"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := <-failed; err == nil {
		t.Error("no error")
	}
	ask(t, "GET", url(s, "/own"), nil, nil)
	if within := <-kept; within != 0 {
		t.Errorf("each write of a handler with deadlines of its own gets %v", within)
	}
}

// TestAllowIsOfTheMux guards what route relies on.
func TestAllowIsOfTheMux(t *testing.T) {
	m := http.NewServeMux()
	m.Handle("GET /x", says(""))
	r, err := http.NewRequest("POST", "http://localhost/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	h, pattern := m.Handler(r)
	said := &overheard{header: http.Header{}}
	h.ServeHTTP(said, r)
	if allow := strings.Split(said.header.Get("Allow"), ", "); pattern != "" || said.status != 405 || !slices.Contains(allow, "GET") {
		t.Errorf("%q %d %v", pattern, said.status, said.header)
	}
}
