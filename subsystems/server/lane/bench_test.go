package lane_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/lane"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// BenchmarkRoundTrip is what a transport costs beside the plane: a request and an answer
// of about a kilobyte, with a service that does nothing.
//
//	over=lane       one at a time
//	over=lane8      as a trainer that is eight steps ahead
//	over=http       HTTP on a unix socket through everything package server does
//	over=nullhttp   the same through net/http alone
func BenchmarkRoundTrip(b *testing.B) {
	body := []byte(`{"losses":[` + strings.Repeat("0.123456789012345,", 55) + `0]}`)
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	b.Run("over=lane", func(b *testing.B) { benchLane(b, filepath.Join(dir, "own", "l"), body, 1) })
	b.Run("over=lane8", func(b *testing.B) { benchLane(b, filepath.Join(dir, "own", "m"), body, 8) })
	b.Run("over=http", func(b *testing.B) { benchServer(b, filepath.Join(dir, "own", "h"), body) })
	b.Run("over=nullhttp", func(b *testing.B) { benchNull(b, filepath.Join(dir, "own", "n"), body) })
}

// null answers at once with what it was sent.
type null struct{ stub }

func (*null) Submit(_ context.Context, c trainer.Call) func() trainer.Reply {
	return func() trainer.Reply { return trainer.Reply{Status: 200, Media: c.Media, Body: c.Body} }
}

func benchLane(b *testing.B, path string, body []byte, ahead int) {
	l, err := lane.New(lane.Options{Path: path, Service: &null{}, Logger: hclog.NewNullLogger()})
	if err == nil {
		err = l.Start(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	l.Open()
	defer l.Stop(context.Background())
	conn, err := net.Dial("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	c, err := frame.Open(conn, hello(protocol.MediaJSON))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	out := 0
	for b.Loop() {
		if err := c.Send(frame.OpStep, body); err != nil {
			b.Fatal(err)
		}
		if out++; out < ahead {
			continue
		}
		receive(b, c, body)
		out--
	}
	for range out {
		receive(b, c, body)
	}
}

func receive(b *testing.B, c *frame.Client, body []byte) {
	if status, got, err := c.Receive(); err != nil || status != 200 || len(got) != len(body) {
		b.Fatal(status, len(got), err)
	}
}

// echo answers with the body.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		server.WriteError(w, err)
		return
	}
	w.Header().Set("Content-Type", protocol.MediaJSON)
	w.Write(b)
}

func benchServer(b *testing.B, path string, body []byte) {
	s, err := server.New(server.Options{
		Listen: []string{"unix:" + path}, Logger: hclog.NewNullLogger(),
		Routes: []server.Route{{Pattern: "POST /v1/runs/{run}/steps", Handler: http.HandlerFunc(echo)}},
	})
	if err == nil {
		err = s.Start(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	s.Open()
	defer s.Stop(context.Background())
	overHTTP(b, path, body)
}

func benchNull(b *testing.B, path string, body []byte) {
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(echo)}
	go s.Serve(l)
	defer s.Close()
	overHTTP(b, path, body)
}

func overHTTP(b *testing.B, path string, body []byte) {
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	defer c.CloseIdleConnections()
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), "POST", "http://esper/v1/runs/run-1/steps", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", protocol.MediaJSON)
		resp, err := c.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != 200 || len(got) != len(body) {
			b.Fatal(resp.StatusCode, len(got), err)
		}
	}
}
