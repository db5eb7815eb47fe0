package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
)

// stub stands where a plane would be: real sockets, and answers that a test chooses.
type stub struct {
	t      *testing.T
	dir    string
	socket string
	http   *http.Server
	lane   net.Listener

	mu    sync.Mutex
	conns []net.Conn // of the lane
	seen  []seen     // requests in the order in which they came
	// answer is asked for every request, n counting from 1. No status: the connection is
	// closed without an answer.
	answer func(n int, s seen) (status int, v any)
}

// seen is a request as it came.
type seen struct {
	path string // of HTTP, or the op of the lane
	body string
}

func newStub(t *testing.T, answer func(n int, s seen) (int, any)) *stub {
	t.Helper()
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{t: t, dir: dir, socket: filepath.Join(dir, "s"), answer: answer}
	t.Cleanup(func() { s.stop(); os.RemoveAll(dir) })
	return s
}

// start listens; framed says whether at the lane too.
func (s *stub) start(framed bool) *stub {
	s.t.Helper()
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve)}
	go s.http.Serve(l)
	if !framed {
		return s
	}
	if s.lane, err = net.Listen("unix", s.socket+".fast"); err != nil {
		s.t.Fatal(err)
	}
	go s.accept(s.lane)
	return s
}

// stop goes away as a killed process does, but for the paths of its sockets.
func (s *stub) stop() {
	if s.http != nil {
		s.http.Close()
	}
	if s.lane != nil {
		s.lane.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

func (s *stub) next(what seen) (int, []byte) {
	s.mu.Lock()
	s.seen = append(s.seen, what)
	n := len(s.seen)
	s.mu.Unlock()
	status, v := s.answer(n, what)
	if status == 0 || v == nil {
		return status, nil
	}
	b, err := protocol.AppendAnswer(nil, protocol.MediaMsgpack, v)
	if err != nil {
		s.t.Error(err)
	}
	return status, b
}

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	status, body := s.next(seen{r.Method + " " + r.URL.RequestURI(), string(b)})
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	w.Write(body)
}

func (s *stub) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		go s.frames(c)
	}
}

func (s *stub) frames(c net.Conn) {
	defer c.Close()
	in, out := frame.NewReader(c), frame.NewWriter(c)
	hello, err := in.Next()
	if err == nil {
		err = errors.Join(out.Payload(hello, nil), out.Flush())
	}
	for err == nil {
		var p []byte
		if p, err = in.Next(); err != nil {
			return
		}
		op, body, perr := frame.ParseRequest(p)
		if perr != nil {
			s.t.Error(perr)
		}
		status, answer := s.next(seen{op.String(), string(bytes.Clone(body))})
		if status == 0 {
			return
		}
		err = errors.Join(out.Answer(uint16(status), answer), out.Flush())
	}
}

// requests are those that came so far.
func (s *stub) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.seen...)
}

// client of the stub.
func (s *stub) client(change func(*Options)) *Client {
	s.t.Helper()
	o := Options{Address: "unix:" + s.socket, Away: leyline.AwayWait, AwayFor: 20 * time.Second}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Disconnect)
	return c
}

// opened is the answer to an open.
func opened() *protocol.OpenAnswer {
	a := &protocol.OpenAnswer{Protocol: protocol.Version, Places: protocol.Places{Kernels: "/k"}}
	a.Run, a.Incarnation, a.Seq = "run-1", 1, 7
	return a
}

// problemOf is what a plane says of a refusal.
func problemOf(r *leyline.Refusal) *protocol.Problem {
	p := server.ProblemOf(r)
	return &protocol.Problem{Type: p.Type, Title: p.Title, Status: uint32(p.Status), Detail: p.Detail, Kind: p.Kind, Field: p.Field, Hint: p.Hint}
}
