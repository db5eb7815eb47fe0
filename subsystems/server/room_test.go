package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIdleConnectionsMakeWay: a listener that is full of peers who send nothing
// answers the next one, and another listener does not notice.
func TestIdleConnectionsMakeWay(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	o := options()
	o.Listen, o.MaxConnections = append(o.Listen, "unix:"+path), 2
	o.HeaderTimeout, o.IdleTimeout = time.Hour, time.Hour
	s := start(t, o)
	var idle []net.Conn
	for _, sent := range []string{"", "GET /healthz HTTP/1.1\r\nHost:", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", ""} {
		c, err := net.Dial("tcp", s.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, sent)
		idle = append(idle, c)
	}
	resp, err := overUnix(path).Get("http://esper/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if a := read(t, resp); a.status != 200 {
		t.Errorf("the socket: %d", a.status)
	}
	if a := ask(t, "GET", url(s, "/healthz"), nil, func(r *http.Request) { r.Close = true }); a.status != 200 {
		t.Errorf("tcp: %d", a.status)
	}
	if _, err := io.ReadAll(idle[0]); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if n := s.open[0].count(); n > 2 {
		t.Errorf("%d connections are open", n)
	}
}

// TestConnectionsAreBounded: where none is idle, one more waits until another is
// done; streams leave room for probes.
func TestConnectionsAreBounded(t *testing.T) {
	inside, leave := make(chan struct{}, 2), make(chan struct{})
	o := options(
		Route{Pattern: "GET /events", Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})},
		Route{Pattern: "GET /slow", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { inside <- struct{}{}; <-leave })})
	o.MaxConnections = 2
	s := start(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", url(s, "/events"), nil)
	if err != nil {
		t.Fatal(err)
	}
	events, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	ask(t, "GET", url(s, "/events"), nil, func(r *http.Request) { r.Close = true }).wants(t, 503, "too_many_streams")
	answers := make(chan answered, 2)
	for range 2 {
		go func() {
			a := answered{}
			defer func() { answers <- a }()
			a = ask(t, "GET", url(s, "/slow"), nil, func(r *http.Request) { r.Close = true })
		}()
	}
	<-inside
	select {
	case <-inside:
		t.Error("a third connection is served")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-inside // the stream has gone
	close(leave)
	for range 2 {
		if a := <-answers; a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestUnsentBodiesKeepNoConnection: a request that announces a body which nobody
// reads is answered, and its connection is closed soon.
func TestUnsentBodiesKeepNoConnection(t *testing.T) {
	o := options()
	o.ReadTimeout = time.Hour
	s := start(t, o)
	c, err := net.Dial("tcp", s.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 ") {
		t.Errorf("%q, %v", b, err)
	}
}
