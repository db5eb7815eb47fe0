package attack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/admin"
	"github.com/esper-plane/esper/subsystems/server/lane"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// The tokens of two neighbours.
const (
	adas = "0123456789abcdef-ada"
	bobs = "0123456789abcdef-bob"
)

// fort is a plane behind all its doors: a socket, TCP with tokens, TCP without, and the
// framed lane.
type fort struct {
	*testing.T
	log    planetest.Log
	plane  *plane.Plane
	dir    string // of snapshots, in one of its own
	server *server.Server
	bare   *server.Server // at a TCP address that demands nothing
	lane   *lane.Lane
	socket string
	routes []server.Route
	step   leyline.Step // the latest of ada's run
}

// build builds a fort in which ada's run-1 is open.
func build(t *testing.T, change func(*server.Options)) *fort {
	t.Helper()
	f := &fort{T: t, dir: filepath.Join(t.TempDir(), "snapshots")}
	f.startPlane()
	svc, err := trainer.New(trainer.Options{Plane: func() trainer.Plane { return f.plane }, PeerOf: server.PeerOf, Version: "test", Poll: time.Minute, Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		t.Fatal(err)
	}
	f.socket = filepath.Join(dir, "own", "s")
	f.routes = append(svc.Routes(), admin.Routes(admin.Options{Plane: func() admin.Plane { return f.plane }})...)
	f.server = f.serve(server.Options{Listen: []string{"unix:" + f.socket, "127.0.0.1:0"}, Tokens: []server.Token{{Name: "ada", Secret: adas}, {Name: "bob", Secret: bobs}}}, change)
	f.bare = f.serve(server.Options{Listen: []string{"127.0.0.1:0"}}, change)
	if f.lane, err = lane.New(lane.Options{Path: f.socket + ".fast", Service: svc, Logger: hclog.NewNullLogger()}); err == nil {
		err = f.lane.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	f.lane.Open()
	t.Cleanup(func() {
		_, err := f.lane.Stop(context.Background())
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	if a := f.as(adas).send("POST", "/v1/runs", openText(f, "run-1")); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return f
}

func (f *fort) serve(o server.Options, change func(*server.Options)) *server.Server {
	f.Helper()
	o.Logger, o.Routes = hclog.NewNullLogger(), f.routes
	if change != nil {
		change(&o)
	}
	s, err := server.New(o)
	if err == nil {
		err = s.Start(f.Context())
	}
	if err != nil {
		f.Fatal(err)
	}
	s.Open()
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := s.Stop(ctx); err != nil {
			f.Error(err)
		}
	})
	return s
}

// tcp is the address that demands tokens.
func (f *fort) tcp() string { return f.server.Addresses()[1].String() }

// caller sends requests as somebody.
type caller struct {
	*fort
	at     net.Addr
	header http.Header
}

// as sends with a token, at the address that demands one.
func (f *fort) as(token string) caller {
	c := caller{f, f.server.Addresses()[1], http.Header{"Content-Type": {protocol.MediaJSON}}}
	if token != "" {
		c.header.Set("Authorization", "Bearer "+token)
	}
	return c
}

// atSocket sends as the user of this process.
func (f *fort) atSocket() caller {
	return caller{f, f.server.Addresses()[0], http.Header{"Content-Type": {protocol.MediaJSON}}}
}

func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Set(name, value)
	return c
}

// said is an answer, with what a problem document says.
type said struct {
	status int
	body   string
	Kind   string `json:"kind"`
	Field  string `json:"field"`
}

func (c caller) send(method, path, body string) said {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, "http://localhost"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.Fatal(err)
	}
	r.Header = c.header
	if host := c.header.Get("Host"); host != "" {
		r.Host = host
	}
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, c.at.Network(), c.at.String())
	}}
	resp, err := (&http.Client{Timeout: 20 * time.Second, Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	out := said{status: resp.StatusCode, body: string(b)}
	if resp.StatusCode >= 400 {
		_ = json.Unmarshal(b, &out) // what is no problem document has no kind
	}
	return out
}

func openText(f *fort, run string) string {
	f.Helper()
	b := &protocol.OpenRequest{Protocol: protocol.Version}
	b.RunOpened = leyline.RunOpened{
		Run: leyline.RunID(run), Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a", "b"}, Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"},
		Parameters: 10, Seed: 7, Steps: 100, HostParameters: []leyline.Parameter{{Name: "trunk.weight", Size: 10}}, Away: leyline.AwayStop,
	}
	return f.text(protocol.MediaJSON, b)
}

func (f *fort) stepText(n leyline.Step, change func(*leyline.StepObserved)) string {
	f.Helper()
	b := &protocol.Step{}
	b.StepObserved = leyline.StepObserved{
		Incarnation: 1, Step: n, Losses: []float64{1, 2}, Gram: []float64{1, -0.25, -0.25, 2}, Seed: uint64(n), Samples: 8, LearnRate: 0.1,
		ForwardNs: 1e6, PreviousNs: 2e6,
	}
	if change != nil {
		change(&b.StepObserved)
	}
	return f.text(protocol.MediaJSON, b)
}

func (f *fort) text(media string, v any) string {
	f.Helper()
	b, err := protocol.AppendRequest(nil, media, v)
	if err != nil {
		f.Fatal(err)
	}
	return string(b)
}

const steps = "/v1/runs/run-1/steps"

// stands demands that since a place in the log nothing was recorded, and that the plane
// answers probes and ada's next step.
func (f *fort) stands(since leyline.Seq) {
	f.Helper()
	if next := f.log.Next(); next != since {
		f.Errorf("the attack left %d records", next-since)
	}
	f.step++
	if a := f.as(adas).send("POST", steps, f.stepText(f.step, nil)); a.status != http.StatusOK {
		f.Errorf("afterwards ada's step gets %d %s", a.status, a.body)
	}
	if a := f.as(adas).send("GET", "/healthz", ""); a.status != http.StatusOK {
		f.Errorf("afterwards the probe gets %d %s", a.status, a.body)
	}
}

// raw sends bytes to the address that demands tokens, and returns all that comes back.
func (f *fort) raw(text string) string {
	f.Helper()
	c, err := net.Dial("tcp", f.tcp())
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		f.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		f.Logf("it was cut while it sent: %v", err)
	}
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.Errorf("%.80q holds its connection", text)
	}
	return string(b)
}

// request is a POST of a step as bytes, with lines of a header before its body.
func request(lines, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n%s", steps, adas, lines, body)
}
