package sse

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	l "github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// plane is a log and a hub that grow together, and a server in front of them.
type plane struct {
	mu      sync.Mutex
	records []l.Record
	hub     *telemetry.Hub
	server  *httptest.Server
}

func serve(t *testing.T, hub telemetry.HubOptions, o Options) *plane {
	t.Helper()
	h, err := telemetry.NewHub(hub)
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{hub: h}
	o.Hub, o.Log = h, p
	mux := http.NewServeMux()
	mux.Handle("/v1/telemetry", NewHandler(o))
	p.server = httptest.NewUnstartedServer(mux)
	p.server.Config.ReadTimeout = 300 * time.Millisecond // the stream outlives it
	p.server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			_ = c.(*net.TCPConn).SetWriteBuffer(4096) // so that little is enough to fill it
		}
	}
	p.server.Start()
	t.Cleanup(func() {
		h.Close()
		p.server.Close()
	})
	return p
}

// Records implements telemetry.Log.
func (p *plane) Records(from l.Seq) iter.Seq2[l.Record, error] {
	p.mu.Lock()
	records := p.records
	p.mu.Unlock()
	return func(yield func(l.Record, error) bool) {
		for _, r := range records {
			if r.Seq >= from && !yield(r, nil) {
				return
			}
		}
	}
}

// say makes a record of one event durable and publishes it.
func (p *plane) say(run l.RunID, e l.Event) {
	p.mu.Lock()
	seq := l.Seq(len(p.records) + 2)
	r := l.Record{Seq: seq, At: l.Instant(seq) * 1e9, Run: run, Events: []l.Event{e}}
	p.records = append(p.records, r)
	p.mu.Unlock()
	p.hub.Publish(r)
}

func (p *plane) info(run l.RunID)     { p.say(run, l.RunEnded{Run: run}) }
func (p *plane) warning(run l.RunID)  { p.say(run, l.TrainerStalled{Run: run}) }
func (p *plane) critical(run l.RunID) { p.say(run, l.RunHalted{Run: run}) }

// client is one connection.
type client struct {
	t      *testing.T
	lines  *bufio.Scanner
	cancel context.CancelFunc
	body   io.Closer
}

func (p *plane) connect(t *testing.T, query, lastID string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.server.URL+"/v1/telemetry"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", resp.Status, body)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store, no-transform" {
		t.Errorf("cache control %q", got)
	}
	c := follow(t, resp)
	c.cancel = cancel
	return c
}

// follow reads the beginning of a stream.
func follow(t *testing.T, resp *http.Response) *client {
	t.Helper()
	c := &client{t, bufio.NewScanner(resp.Body), func() {}, resp.Body}
	c.lines.Buffer(nil, 1<<20)
	t.Cleanup(func() { c.close() })
	if e, _ := c.next(); e.retry != "2000" {
		t.Errorf("the stream begins with %+v", e)
	}
	return c
}

func (c *client) close() {
	c.cancel()
	_ = c.body.Close()
}

// event is one block of the stream.
type event struct{ id, name, data, comment, retry string }

// next reads one block; false at the end of the stream.
func (c *client) next() (event, bool) {
	var e event
	for c.lines.Scan() {
		field, value, _ := strings.Cut(c.lines.Text(), ": ")
		switch field {
		case "":
			if value != "" {
				e.comment = value
				continue
			}
			return e, true
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "retry":
			e.retry = value
		default:
			c.t.Errorf("unknown field in %q", c.lines.Text())
		}
	}
	return e, false
}

// seq returns the record of an event's packet.
func (e event) seq(t *testing.T) int {
	t.Helper()
	var p struct{ Seq int }
	if err := json.Unmarshal([]byte(e.data), &p); err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return p.Seq
}

// read reads n events and returns them short: name and record.
func (c *client) read(n int) (out []string, last string) {
	c.t.Helper()
	for range n {
		e, ok := c.next()
		if !ok {
			c.t.Fatalf("the stream ends after %v: %v", out, c.lines.Err())
		}
		out = append(out, fmt.Sprintf("%s %d", e.name, e.seq(c.t)))
		last = e.id
	}
	return out, last
}

func (c *client) want(want ...string) (last string) {
	c.t.Helper()
	got, last := c.read(len(want))
	if !slices.Equal(got, want) {
		c.t.Errorf("got %q, want %q", got, want)
	}
	return last
}

func TestStreamFollows(t *testing.T) {
	p := serve(t, telemetry.HubOptions{}, Options{})
	all, urgent, mine, normal := p.connect(t, "", ""), p.connect(t, "?priority=HIGH", ""), p.connect(t, "?run=r2", ""), p.connect(t, "?stream=normal", "")
	p.info("r1")
	all.want("NORMAL 2")
	p.warning("r1")
	all.want("HIGH 3")
	time.Sleep(400 * time.Millisecond) // longer than the server's read timeout
	p.critical("r2")
	p.info("r2")
	all.want("CRITICAL 4", "NORMAL 5")
	urgent.want("HIGH 3", "CRITICAL 4")
	mine.want("CRITICAL 4", "NORMAL 5")
	normal.want("NORMAL 2", "NORMAL 5")
}

// TestEventInFull looks at one as it is written.
func TestEventInFull(t *testing.T) {
	p := serve(t, telemetry.HubOptions{}, Options{})
	c := p.connect(t, "", "")
	p.warning("r1")
	got, _ := c.next()
	want := event{id: "2", name: "HIGH", data: `{"seq":2,"source":"tolaria","at":"1970-01-01T00:00:02.000000Z","run":"r1","priority":"HIGH",` +
		`"events":[{"name":"tolaria.trainer.stalled","level":"WARNING","attrs":{"run":"r1","step":"0","age_ms":"0"}}],"metrics":[]}`}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestResume goes away after every event and comes back with its id.
func TestResume(t *testing.T) {
	p := serve(t, telemetry.HubOptions{}, Options{})
	for range 10 {
		p.info("r1")
		p.warning("r1")
		p.critical("r1")
	}
	id := "0"
	for seq := 2; seq < 32; seq++ {
		c := p.connect(t, "?after=7", id) // the header wins
		got, last := c.read(1)
		if !strings.HasSuffix(got[0], fmt.Sprintf(" %d", seq)) {
			t.Fatalf("after %s comes %q, want record %d", id, got, seq)
		}
		id = last
		c.close()
	}
	c := p.connect(t, "?after=29", "")
	c.want("HIGH 30", "CRITICAL 31")
	p.info("r1") // and goes on live
	c.want("NORMAL 32")
}

// TestHeartbeat: a quiet stream has comments.
func TestHeartbeat(t *testing.T) {
	p := serve(t, telemetry.HubOptions{}, Options{Heartbeat: 10 * time.Millisecond})
	c := p.connect(t, "", "")
	for range 3 {
		if e, ok := c.next(); !ok || e.comment != "10ms" {
			t.Fatalf("got %+v, %v", e, ok)
		}
	}
	p.info("r1")
	for {
		if e, ok := c.next(); !ok || e.comment == "" {
			if e.seq(t) != 2 {
				t.Errorf("got %+v", e)
			}
			return
		}
	}
}

// stuck fills a client that reads nothing until the condition holds.
func (p *plane) stuck(t *testing.T, until func(telemetry.HubStats) bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !until(p.hub.Stats()) {
		if time.Now().After(deadline) {
			t.Fatal("nothing happens to a client that does not read")
		}
		p.critical(l.RunID(strings.Repeat("r", 120)))
	}
}

// collect reads to the end of a stream and checks that records come one by one.
func (c *client) collect(from int) (next int, last event) {
	c.t.Helper()
	for {
		e, ok := c.next()
		if !ok {
			return from, last
		}
		if last = e; e.name != "CRITICAL" {
			continue
		}
		if got := e.seq(c.t); got != from {
			c.t.Fatalf("record %d comes, want %d", got, from)
		}
		from++
	}
}

// TestSlowClientIsCutOffAndTold: it did not read while CRITICAL packets came. It
// gets what waits, is told, and comes back for the rest.
func TestSlowClientIsCutOffAndTold(t *testing.T) {
	p := serve(t, telemetry.HubOptions{Lanes: telemetry.Limits{Critical: 8}}, Options{})
	c := p.connect(t, "", "")
	p.stuck(t, func(s telemetry.HubStats) bool { return s.Cut == 1 })
	next, last := c.collect(2)
	if last.name != "cut" || last.id != fmt.Sprint(next-1) || !strings.Contains(last.data, "too slow") {
		t.Fatalf("after record %d the stream ends with %+v", next-1, last)
	}
	back := p.connect(t, "", last.id)
	p.hub.Close()
	next, last = back.collect(next)
	if last.name != "end" || next != len(p.records)+2 {
		t.Errorf("up to record %d of %d, then %+v", next-1, len(p.records)+1, last)
	}
}

// TestStuckClientIsDisconnected: a client that takes nothing for longer than the
// deadline holds no place.
func TestStuckClientIsDisconnected(t *testing.T) {
	p := serve(t, telemetry.HubOptions{Lanes: telemetry.Limits{Critical: 1 << 16}}, Options{Clients: 1, Write: 50 * time.Millisecond})
	c := p.connect(t, "", "")
	p.stuck(t, func(s telemetry.HubStats) bool { return s.Subscribers == 0 })
	var e event
	for ok := true; ok; {
		if seen, more := c.next(); more {
			e = seen
		} else {
			ok = false
		}
	}
	back := p.connect(t, "", e.id)
	p.hub.Close()
	if next, last := back.collect(e.seq(t) + 1); next != len(p.records)+2 || last.name != "end" {
		t.Errorf("up to record %d of %d, then %+v", next-1, len(p.records)+1, last)
	}
}

// TestStreamEnds says how.
func TestStreamEnds(t *testing.T) {
	p := serve(t, telemetry.HubOptions{After: 1}, Options{})
	p.info("r1")
	c := p.connect(t, "?after=2", "")
	p.hub.Close()
	if e, _ := c.next(); e.name != "end" {
		t.Errorf("at the end: %+v", e)
	}
}

func TestRefusals(t *testing.T) {
	p := serve(t, telemetry.HubOptions{Subscribers: 2}, Options{Clients: 1})
	for _, c := range []struct {
		method, query, id string
		status            int
		want              server.Problem
	}{
		{"POST", "", "", 405, server.Problem{Kind: "method_not_allowed", Hint: "use GET, HEAD"}},
		{"GET", "?stream=emergency;priority=HIGH", "", 400, server.Problem{Kind: "invalid_field", Field: "query"}},
		{"GET", "?run=%zz", "", 400, server.Problem{Kind: "invalid_field", Field: "query"}},
		{"GET", "?after=1", "", 404, server.Problem{Kind: "unknown_cursor", Field: "after"}},
		{"GET", "", "0,99,0", 404, server.Problem{Kind: "unknown_cursor", Field: "after"}},
		{"GET", "?stream=fast", "", 400, server.Problem{Kind: "invalid_field", Field: "stream"}},
		{"GET", "?stream=unspecified", "", 400, server.Problem{Kind: "invalid_field", Field: "stream"}},
		{"GET", "?priority=URGENT", "", 400, server.Problem{Kind: "invalid_field", Field: "priority"}},
		{"GET", "?run=a/b", "", 400, server.Problem{Kind: "invalid_field", Field: "run"}},
		{"GET", "?after=x", "", 400, server.Problem{Kind: "invalid_field", Field: "after"}},
		{"GET", "?after=1&after=2", "", 400, server.Problem{Kind: "invalid_field", Field: "after"}},
		{"GET", "?since=1", "", 400, server.Problem{Kind: "invalid_field", Field: "since"}},
		{"GET", "", "x", 400, server.Problem{Kind: "invalid_field", Field: "Last-Event-ID"}},
	} {
		p.refused(t, c.method, c.query, c.id, c.status, c.want)
	}
	first := p.connect(t, "", "")
	p.refused(t, "GET", "", "", 503, server.Problem{Kind: "too_many_clients"})
	first.close()
	p.wait(t, 0)
	for range 2 {
		if _, err := p.hub.Subscribe(telemetry.Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	p.refused(t, "GET", "", "", 503, server.Problem{Kind: "too_many_clients"})
	p.hub.Close()
	p.refused(t, "GET", "", "", 503, server.Problem{Kind: "stopping"})
}

// wait waits until the hub has so many subscribers.
func (p *plane) wait(t *testing.T, n int) {
	t.Helper()
	for range 10_000 {
		if p.hub.Stats().Subscribers == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d subscribers, want %d", p.hub.Stats().Subscribers, n)
}

func (p *plane) refused(t *testing.T, method, query, id string, status int, want server.Problem) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.server.URL+"/v1/telemetry"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", id)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got server.Problem
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/problem+json" ||
		strings.Contains(got.Detail, got.Hint) && got.Hint != "" || want.Hint != "" && got.Hint != want.Hint ||
		got.Status != status || got.Kind != want.Kind || got.Field != want.Field || got.Detail == "" || got.Title == "" {
		t.Errorf("%s %s: %s %+v", method, query, resp.Status, got)
	}
	if after := resp.Header.Get("Retry-After"); (after != "") != (status == 503) {
		t.Errorf("%s %s: Retry-After %q", method, query, after)
	}
}

// TestServerWithoutDeadlines: what cannot cut off a stuck client does not stream.
func TestServerWithoutDeadlines(t *testing.T) {
	h, err := telemetry.NewHub(telemetry.HubOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	NewHandler(Options{Hub: h}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/telemetry", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "no_deadlines") || h.Stats().Subscribers != 0 {
		t.Errorf("%d %s, %+v", w.Code, w.Body, h.Stats())
	}
}
