package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

const token = "0123456789abcdef"

// output is what a logger wrote.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func options(routes ...Route) Options {
	return Options{Listen: []string{"127.0.0.1:0"}, Routes: routes, Logger: hclog.NewNullLogger()}
}

// start serves until the test ends.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Open()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if cut, err := s.Stop(ctx); cut > 0 || err != nil {
			t.Errorf("stop: %d cut, %v", cut, err)
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func url(s *Server, path string) string { return "http://" + s.Addresses()[0].String() + path }

// answered is an answer that was read.
type answered struct {
	status int
	header http.Header
	body   string
	doc    Problem
}

// ask sends a request; change may alter it.
func ask(t *testing.T, method, url string, body io.Reader, change func(*http.Request)) answered {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) answered {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answered{status: resp.StatusCode, header: resp.Header, body: string(b)}
	if resp.StatusCode >= 400 && resp.Request.Method != http.MethodHead {
		if err := json.Unmarshal(b, &a.doc); err != nil || resp.Header.Get("Content-Type") != ProblemType || a.doc.Status != resp.StatusCode {
			t.Fatalf("%d %s is no problem document: %v", resp.StatusCode, b, err)
		}
	}
	return a
}

// wants demands a problem of a status and a kind.
func (a answered) wants(t *testing.T, status int, kind string) {
	t.Helper()
	if a.status != status || a.doc.Kind != kind {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, kind)
	}
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

// overUnix is a client of a socket.
func overUnix(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}
