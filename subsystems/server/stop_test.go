package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestStopIsBounded: who does not read, does not finish a request or does not end is
// cut, which is no error; who is idle is not waited for.
func TestStopIsBounded(t *testing.T) {
	inside, leave, wrote := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s, err := New(options(
		Route{Pattern: "GET /x", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(inside); <-leave })},
		Route{Pattern: "GET /flood", Stream: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { wrote <- flood(w) })},
	))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Open()
	cut := make(chan error, 1)
	go func() {
		resp, err := http.Get(url(s, "/x"))
		if err == nil {
			resp.Body.Close()
		}
		cut <- err
	}()
	<-inside
	resp, err := http.Get(url(s, "/flood"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, sent := range []string{"", "GET /healthz HTTP/1.1\r\nHost:"} {
		c, err := net.Dial("tcp", s.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, sent)
	}
	for s.open[0].count() < 4 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if n, err := s.Stop(ctx); n != 2 || err != nil {
		t.Errorf("stop: %d cut, %v", n, err)
	}
	if err := <-cut; err == nil {
		t.Error("the request was answered")
	}
	if err := <-wrote; err == nil {
		t.Error("everything was written")
	}
	close(leave)
}

// flood writes until that fails.
func flood(w io.Writer) error {
	for {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
}

// TestIdleConnectionsDoNotDelayAStop: neither one that has sent nothing, nor half a
// request, nor one that has its answer.
func TestIdleConnectionsDoNotDelayAStop(t *testing.T) {
	s, err := New(options())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, sent := range []string{"", "GET /healthz HTTP/1.1\r\nHost:", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		c, err := net.Dial("tcp", s.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, sent)
	}
	for s.open[0].count() < 3 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // net/http alone waits 5 s for the first
	defer cancel()
	if n, err := s.Stop(ctx); n > 0 || err != nil || ctx.Err() != nil {
		t.Errorf("stop: %d cut, %v, %v", n, err, ctx.Err())
	}
}
