package sse

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	l "github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// behind serves a plane's streams behind the server that planes have, with its
// defaults.
func behind(t *testing.T, hub telemetry.HubOptions, o Options) (*plane, *server.Server) {
	t.Helper()
	h, err := telemetry.NewHub(hub)
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{hub: h}
	o.Hub, o.Log = h, p
	s, err := server.New(server.Options{
		Listen: []string{"127.0.0.1:0"}, Logger: hclog.NewNullLogger(),
		Routes: []server.Route{{Pattern: "GET /v1/telemetry", Handler: NewHandler(o), Stream: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Open()
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return p, s
}

func open(t *testing.T, s *server.Server) *http.Response {
	t.Helper()
	resp, err := http.Get("http://" + s.Addresses()[0].String() + "/v1/telemetry")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	return resp
}

// TestTheStreamOwnsItsDeadline: the server does not give a client more time than the
// stream does.
func TestTheStreamOwnsItsDeadline(t *testing.T) {
	p, s := behind(t, telemetry.HubOptions{Lanes: telemetry.Limits{Critical: 1 << 20}}, Options{Write: 50 * time.Millisecond})
	open(t, s)
	for range 1 << 16 { // more than the buffers of a connection hold
		p.critical(l.RunID(strings.Repeat("r", 120)))
	}
	for began := time.Now(); p.hub.Stats().Subscribers > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > server.DefaultWriteTimeout/2 {
			t.Fatal("a client that does not read keeps its place")
		}
	}
	if n := p.hub.Stats().Cut; n > 0 {
		t.Error("the hub has cut it off: the test shows nothing")
	}
}

// TestLastWords: a drained server lets nobody in, and those who follow the stream get
// what is said until the hub is closed, and then its end.
func TestLastWords(t *testing.T) {
	p, s := behind(t, telemetry.HubOptions{}, Options{})
	c := follow(t, open(t, s))
	if cut := s.Drain(t.Context()); cut > 0 {
		t.Errorf("%d requests were cut", cut)
	}
	resp, err := http.Get("http://" + s.Addresses()[0].String() + "/v1/telemetry")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after the drain: %s", resp.Status)
	}
	p.say("", l.DiskLow{Free: 1, Total: 2, Threshold: 3})
	c.want("CRITICAL 2")
	p.hub.Close()
	if e, _ := c.next(); e.name != "end" {
		t.Errorf("then comes %+v", e)
	}
	if cut := s.EndStreams(t.Context()); cut > 0 {
		t.Errorf("%d streams were cut", cut)
	}
}

// TestEndIsBounded: who does not read does not hold up the end.
func TestEndIsBounded(t *testing.T) {
	p, s := behind(t, telemetry.HubOptions{Lanes: telemetry.Limits{Critical: 1 << 16}}, Options{Write: time.Hour})
	open(t, s)
	for range 1 << 16 {
		p.critical("r1")
	}
	p.hub.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if cut := s.EndStreams(ctx); cut != 1 {
		t.Errorf("%d streams were cut", cut)
	}
	if cut := s.EndStreams(t.Context()); cut != 0 {
		t.Errorf("%d streams are still there", cut)
	}
}

// TestHead: what the mux and the refusal of other methods promise.
func TestHead(t *testing.T) {
	p := serve(t, telemetry.HubOptions{}, Options{})
	resp, err := http.Head(p.server.URL + "/v1/telemetry")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || p.hub.Stats().Subscribers != 0 {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
}

// TestDurableBeforePublished: a client may have read a record from the log that is
// not published yet.
func TestDurableBeforePublished(t *testing.T) {
	p := serve(t, telemetry.HubOptions{After: 1}, Options{})
	p.mu.Lock()
	p.records = append(p.records, l.Record{Seq: 2, At: 2e9, Run: "r1", Events: []l.Event{l.RunEnded{Run: "r1"}}})
	p.mu.Unlock()
	p.connect(t, "?after=2", "")
	p.refused(t, "GET", "?after=3", "", 404, server.Problem{Kind: "unknown_cursor", Field: "after"})
}
