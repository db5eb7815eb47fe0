package lane_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/lane"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// stub is a service that does what a test says.
type stub struct {
	admit  func(run leyline.RunID, peer trainer.Peer) *server.Problem
	submit func(ctx context.Context, c trainer.Call) func() trainer.Reply

	mu    sync.Mutex
	calls []trainer.Call
}

func (s *stub) Admit(run leyline.RunID, peer trainer.Peer) (trainer.Reply, bool) {
	if s.admit != nil {
		if p := s.admit(run, peer); p != nil {
			return trainer.ProblemReply(*p, protocol.MediaJSON), false
		}
	}
	return trainer.Reply{}, true
}

func (s *stub) Submit(ctx context.Context, c trainer.Call) func() trainer.Reply {
	s.mu.Lock()
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	if s.submit != nil {
		return s.submit(ctx, c)
	}
	return func() trainer.Reply { return trainer.Reply{Status: 200, Media: c.Media, Body: c.Body} }
}

func (s *stub) seen() []trainer.Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]trainer.Call(nil), s.calls...)
}

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

// bench is a lane that listens.
type bench struct {
	*testing.T
	*lane.Lane
	path string
	said *output
}

// begin makes a lane that has not been opened yet.
func begin(t *testing.T, s lane.Service, change func(*lane.Options)) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, path: filepath.Join(dir, "own", "s.fast"), said: &output{}}
	o := lane.Options{Path: b.path, Service: s, Logger: hclog.New(&hclog.LoggerOptions{Output: b.said})}
	if change != nil {
		change(&o)
	}
	if b.Lane, err = lane.New(o); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err := b.Stop(ctx)
		if err = errors.Join(err, b.Err(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return b
}

func start(t *testing.T, s lane.Service, change func(*lane.Options)) *bench {
	t.Helper()
	b := begin(t, s, change)
	b.Open()
	return b
}

// dial connects, with a deadline that only a test that has failed reaches.
func (b *bench) dial() *net.UnixConn {
	b.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: b.path, Net: "unix"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		b.Fatal(err)
	}
	return c
}

func hello(media string) frame.Hello {
	return frame.Hello{Protocol: frame.Version, Run: "run-1", Media: media}
}

// peer is a trainer that has been welcomed.
type peer struct {
	*testing.T
	*frame.Client
	net *net.UnixConn
}

func (b *bench) connect() peer {
	b.Helper()
	c := b.dial()
	f, err := frame.Open(c, hello(protocol.MediaJSON))
	if err != nil {
		b.Fatal(err)
	}
	return peer{b.T, f, c}
}

// wants demands the next answer.
func (p peer) wants(status int, body string) {
	p.Helper()
	got, b, err := p.Receive()
	if err != nil || got != status || string(b) != body {
		p.Fatalf("%d %s, %v; want %d %s", got, b, err, status, body)
	}
}

// problem demands that the next answer is one.
func (p peer) problem(status int, kind string) {
	p.Helper()
	got, b, err := p.Receive()
	if err != nil {
		p.Fatalf("%v, want %d %s", err, status, kind)
	}
	var doc struct{ Kind string }
	if err := json.Unmarshal(b, &doc); err != nil || got != status || doc.Kind != kind {
		p.Fatalf("%d %s, %v; want %d %s", got, b, err, status, kind)
	}
}

// ends demands that the other side has closed.
func (p peer) ends() {
	p.Helper()
	if status, b, err := p.Receive(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		p.Fatalf("it goes on: %d %s, %v", status, b, err)
	}
}

// until waits for a condition, for as long as the test may take.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for i := 0; !holds(); i++ {
		if i > 10_000 {
			t.Fatalf("it never comes to pass: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// refusal opens a connection that is to be refused, and returns the problem.
func (b *bench) refusal(h frame.Hello) (status int, doc map[string]any) {
	b.Helper()
	_, err := frame.Open(b.dial(), h)
	no := (*frame.RefusedError)(nil)
	if !errors.As(err, &no) {
		b.Fatalf("%+v: %v, which is no problem", h, err)
	}
	if err := json.Unmarshal(no.Document, &doc); err != nil {
		b.Fatal(err)
	}
	return no.Status, doc
}

func readAll(c io.Reader) string {
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "it is not closed"
	}
	return string(b)
}
