package lane_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// TestReports: what arrives is handed over with the run and the principal, and answered.
func TestReports(t *testing.T) {
	s := &stub{}
	b := start(t, s, nil)
	if info, err := os.Lstat(b.path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	p := b.connect()
	for op := frame.OpStep; op <= frame.OpClose; op++ {
		body := fmt.Sprintf(`{"n":%d}`, op)
		if err := p.Send(op, []byte(body)); err != nil {
			t.Fatal(err)
		}
		p.wants(200, body)
	}
	calls := s.seen()
	if len(calls) != 9 {
		t.Fatalf("%d calls", len(calls))
	}
	for i, c := range calls {
		want := trainer.Call{Op: frame.Op(i + 1), Run: "run-1", Media: protocol.MediaJSON, Peer: trainer.Peer{Kind: leyline.PeerTrainer, Name: fmt.Sprintf("uid:%d", os.Geteuid())}}
		got := c
		got.Body = nil
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestAnswersKeepTheirOrder: as many as Window are handed over before the first is
// durable, one more is not, and answers come in order whichever is done first.
func TestAnswersKeepTheirOrder(t *testing.T) {
	taken, durable := make(chan struct{}, 2*lane.Window), make(chan struct{})
	s := &stub{submit: func(_ context.Context, c trainer.Call) func() trainer.Reply {
		taken <- struct{}{}
		return func() trainer.Reply {
			if strings.HasPrefix(string(c.Body), "0") { // the others are done at once
				<-durable
			}
			return trainer.Reply{Status: 200, Body: c.Body}
		}
	}}
	p := start(t, s, nil).connect()
	for i := range lane.Window + 1 {
		if err := p.Send(frame.OpStep, fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for range lane.Window {
		<-taken
	}
	time.Sleep(20 * time.Millisecond)
	if n := len(s.seen()); n != lane.Window {
		t.Errorf("%d are handed over before one is answered, want %d", n, lane.Window)
	}
	close(durable)
	for i := range lane.Window + 1 {
		p.wants(200, fmt.Sprint(i))
	}
}

// TestHellos: what is wrong with one is a problem that names the field.
func TestHellos(t *testing.T) {
	s := &stub{admit: func(run leyline.RunID, _ trainer.Peer) *server.Problem {
		switch run {
		case "theirs":
			p := server.NewProblem(403, "not_authorized", "it is theirs", "")
			return &p
		case "wild":
			panic("oh")
		}
		return nil
	}}
	b := start(t, s, nil)
	for _, c := range []struct {
		hello       frame.Hello
		status      int
		kind, field string
	}{
		{frame.Hello{Protocol: 2, Run: "run-1", Media: protocol.MediaJSON}, 400, "invalid_field", "protocol"},
		{frame.Hello{Protocol: 1, Run: "run-1", Media: "text/plain"}, 400, "invalid_field", "media"},
		{frame.Hello{Protocol: 1, Run: "theirs", Media: protocol.MediaJSON}, 403, "not_authorized", ""},
		{frame.Hello{Protocol: 1, Run: "wild", Media: protocol.MediaJSON}, 500, "internal", ""},
	} {
		status, doc := b.refusal(c.hello)
		field, _ := doc["field"].(string)
		if status != c.status || doc["kind"] != c.kind || field != c.field {
			t.Errorf("%+v: %d %v", c.hello, status, doc)
		}
	}
	for text, want := range map[string]string{
		`{"protocol":1,"run":"r","media":"application/json","x":1}`: "unknown_field",
		`{"protocol":1,"run":"r","run":"s","media":"text"}`:         "duplicate_field",
		`{"protocol":1,"Run":"r","media":"application/json"}`:       "unknown_field",
		`{"protocol":null,"run":"r","media":"application/json"}`:    "invalid_field",
		`{"protocol":1,"run":"r","media":"application/json"} {}`:    "malformed",
		"{\"protocol\":1,\"run\":\"\xff\",\"media\":\"text\"}":      "malformed",
		strings.Repeat("[", 1000):                                   "malformed",
		`GET / HTTP/1.1`:                                            "malformed",
		`{"protocol":1,"run":"` + strings.Repeat("x", 9000) + `"}`:  "body_too_large",
	} {
		c := b.dial()
		w := frame.NewWriter(c)
		if err := errors.Join(w.Payload([]byte(text), nil), w.Flush()); err != nil {
			t.Fatal(err)
		}
		if said := readAll(c); !strings.Contains(said, `"kind":"`+want+`"`) {
			t.Errorf("%.60s: %q, want %s", text, said, want)
		}
	}
	if len(s.seen()) > 0 {
		t.Error("something was handed over")
	}
	if !strings.Contains(b.said.String(), "panic=oh") {
		t.Error("the log does not say that the service panicked")
	}
	b.connect()
}

// TestLife: before Open nobody is let in; a drain answers what was taken, says goodbye to
// everybody and lets nobody in.
func TestLife(t *testing.T) {
	taken, durable := make(chan struct{}), make(chan struct{})
	s := &stub{submit: func(_ context.Context, c trainer.Call) func() trainer.Reply {
		close(taken)
		return func() trainer.Reply { <-durable; return trainer.Reply{Status: 200, Body: c.Body} }
	}}
	b := begin(t, s, nil)
	if status, doc := b.refusal(hello(protocol.MediaJSON)); status != 503 || doc["kind"] != "starting" {
		t.Errorf("before: %d %v", status, doc)
	}
	b.Open()
	idle, silent, busy := b.connect(), b.dial(), b.connect()
	if err := busy.Send(frame.OpStep, []byte("x")); err != nil {
		t.Fatal(err)
	}
	<-taken
	drained := make(chan int, 1)
	go func() { drained <- b.Drain(t.Context()) }()
	idle.problem(503, "stopping")
	idle.ends()
	if said := readAll(silent); !strings.Contains(said, `"kind":"stopping"`) {
		t.Errorf("whoever said nothing gets %q", said)
	}
	if status, doc := b.refusal(hello(protocol.MediaJSON)); status != 503 || doc["kind"] != "stopping" {
		t.Errorf("while it drains: %d %v", status, doc)
	}
	close(durable)
	busy.wants(200, "x")
	busy.problem(503, "stopping")
	busy.ends()
	if cut := <-drained; cut != 0 {
		t.Errorf("%d were cut", cut)
	}
	b.Open()
	if status, _ := b.refusal(hello(protocol.MediaJSON)); status != 503 {
		t.Errorf("opened after the drain: %d", status)
	}
	for range 2 {
		if cut, err := b.Stop(t.Context()); cut != 0 || err != nil {
			t.Errorf("stop: %d, %v", cut, err)
		}
	}
	<-b.Done()
	if _, err := os.Lstat(b.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := b.Start(t.Context()); err == nil {
		t.Error("it starts twice")
	}
}

// TestADrainCuts who does not end in time, and says how many.
func TestADrainCuts(t *testing.T) {
	taken := make(chan struct{})
	s := &stub{submit: func(ctx context.Context, _ trainer.Call) func() trainer.Reply {
		close(taken)
		return func() trainer.Reply { <-ctx.Done(); return trainer.Reply{Status: 503} }
	}}
	b := start(t, s, nil)
	p := b.connect()
	if err := p.Send(frame.OpStep, nil); err != nil {
		t.Fatal(err)
	}
	<-taken
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if cut := b.Drain(ctx); cut != 1 {
		t.Errorf("%d were cut", cut)
	}
	p.ends()
}

// TestPanics are one answer each; the connection goes on.
func TestPanics(t *testing.T) {
	n := 0
	s := &stub{submit: func(_ context.Context, c trainer.Call) func() trainer.Reply {
		switch n++; n {
		case 1:
			panic("a secret")
		case 2:
			return func() trainer.Reply { panic("a secret") }
		case 3:
			return func() trainer.Reply { return trainer.Reply{Status: 200, Body: make([]byte, frame.MaxFrame)} }
		}
		return func() trainer.Reply { return trainer.Reply{Status: 200, Body: c.Body} }
	}}
	b := start(t, s, nil)
	p := b.connect()
	for range 3 {
		if err := p.Send(frame.OpStep, []byte("x")); err != nil {
			t.Fatal(err)
		}
		p.problem(500, "internal")
	}
	if err := p.Send(frame.OpStep, []byte("x")); err != nil {
		t.Fatal(err)
	}
	p.wants(200, "x")
	if said := b.said.String(); strings.Count(said, "a report panicked") != 2 || !strings.Contains(said, "TestPanics") {
		t.Errorf("the log says %s", said)
	}
}

// TestBadOptions: each is refused with what is wrong.
func TestBadOptions(t *testing.T) {
	for want, change := range map[string]func(*lane.Options){
		"no path":            func(o *lane.Options) { o.Path = "" },
		"no service":         func(o *lane.Options) { o.Service = nil },
		"no logger":          func(o *lane.Options) { o.Logger = nil },
		"a negative bound":   func(o *lane.Options) { o.MaxPerPeer = -1 },
		"a negative timeout": func(o *lane.Options) { o.IdleTimeout = -time.Second },
		"5 of 4 connections": func(o *lane.Options) { o.MaxConnections, o.MaxPerPeer = 4, 5 },
	} {
		o := lane.Options{Path: "s", Service: &stub{}, Logger: hclog.NewNullLogger()}
		change(&o)
		if _, err := lane.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestPlaces: where the lane does not listen, and that nothing there is touched.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	open, file, link := filepath.Join(dir, "open"), filepath.Join(dir, "private", "file"), filepath.Join(dir, "private", "link")
	for _, err := range []error{os.Mkdir(open, 0o755), os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("text"), 0o600), os.Symlink(file, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(open, "s"): "others can enter it",
		file:                     "is no socket",
		link:                     "is no socket",
		"@abstract":              "is no place for a socket",
		"\x00abstract":           "is no place for a socket",
		filepath.Join(dir, "no", "such", "dir", "s"): "make",
		"/" + strings.Repeat("x", 200):               "is no place for a socket",
	} {
		l, err := lane.New(lane.Options{Path: path, Service: &stub{}, Logger: hclog.NewNullLogger()})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "text" {
		t.Errorf("the file holds %q, %v", b, err)
	}
}
