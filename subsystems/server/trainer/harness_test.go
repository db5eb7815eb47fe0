package trainer_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/trainer"
	"github.com/esper-plane/esper/testdata"
)

// desk is a real plane, served at a unix socket, and a client of it.
type desk struct {
	*testing.T
	log     planetest.Log
	plane   *plane.Plane
	slow    trainer.Plane // stands before the plane; nil: nothing does
	service *trainer.Service
	server  *server.Server
	client  *http.Client
	dir     string // of snapshots
	boots   int
	peer    string       // principal as which the client speaks
	anyone  atomic.Value // a string: that of requests which name none
	socket  string
	accept  string
	ada     sign.Signer
	n       uint64
}

func start(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, dir: t.TempDir(), peer: "uid:1000", ada: planetest.Key(4)}
	d.log = planetest.NewLog()
	d.boot()
	d.serve()
	return d
}

// boot starts a plane on the log, or another one after it.
func (d *desk) boot() {
	d.Helper()
	d.boots++
	c := leyline.DefaultConfig()
	c.Posture.Frameworks = append(c.Posture.Frameworks, "shell")
	o := planetest.Options(d.log, d.dir)
	o.Boot = fmt.Sprintf("boot-%d", d.boots)
	o.Bootstrap = func(s *projections.State) ([]leyline.Input, error) {
		if s.Plane.Configured {
			return nil, nil
		}
		return founding(d.ada, c)
	}
	p, err := plane.Start(d.Context(), o)
	if err != nil {
		d.Fatal(err)
	}
	d.plane = p
}

// founding is what the first plane of a log records.
func founding(ada sign.Signer, c leyline.ExecutionConfig) ([]leyline.Input, error) {
	configured, err := planetest.Configured(c)
	kernel, kerr := testdata.Kernel("residual-mlp-16")
	operator, oerr := wire.EncodeKey(leyline.Key{ID: ada.KeyID(), Public: ada.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandEmergency}})
	if err != nil || kerr != nil || oerr != nil {
		return nil, fmt.Errorf("%v, %v, %v", err, kerr, oerr)
	}
	return []leyline.Input{
		configured,
		leyline.KeyAdded{Envelope: planetest.Key(1).Sign(leyline.PayloadKey, operator)},
		leylinetest.Blueprint("residual-mlp-16", kernel),
	}, nil
}

// nameless is the principal of requests which name none.
func (d *desk) nameless() string {
	name, _ := d.anyone.Load().(string)
	return name
}

func (d *desk) serve() {
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		d.Fatal(err)
	}
	svc, err := trainer.New(trainer.Options{
		Plane: func() trainer.Plane {
			if d.slow != nil {
				return d.slow
			}
			return d.plane
		},
		PeerOf: func(r *http.Request) (leyline.PeerKind, string) {
			return leyline.PeerTrainer, cmp.Or(r.Header.Get("Test-Peer"), d.nameless())
		},
		Places: func(run leyline.RunID) protocol.Places {
			return protocol.Places{Snapshots: filepath.Join(d.dir, string(run))}
		},
		Version: "test", Poll: 200 * time.Millisecond, Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		d.Fatal(err)
	}
	d.service = svc
	d.socket = filepath.Join(dir, "own", "esper.sock")
	d.server, err = server.New(server.Options{
		Listen: []string{"unix:" + d.socket}, Logger: hclog.NewNullLogger(), Routes: svc.Routes(), MaxBody: 1 << 20,
	})
	if err == nil {
		err = d.server.Start(d.Context())
	}
	if err != nil {
		d.Fatal(err)
	}
	d.server.Open()
	d.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.socket)
	}}}
	d.Cleanup(func() {
		ctx := context.Background()
		d.client.CloseIdleConnections()
		_, err := d.server.Stop(ctx)
		if serr := d.plane.Shutdown(ctx); err != nil || serr != nil {
			d.Error(err, serr)
		}
		os.RemoveAll(dir)
	})
}

// said is an answer of the server.
type said struct {
	status int
	media  string
	body   []byte
	protocol.Problem
}

func (d *desk) send(method, path, media string, body []byte) said {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), method, "http://esper"+path, bytes.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	if d.accept != "" {
		r.Header.Set("Accept", d.accept)
	}
	r.Header.Set("Test-Peer", d.peer)
	resp, err := d.client.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.Fatal(err)
	}
	out := said{status: resp.StatusCode, media: resp.Header.Get("Content-Type"), body: b}
	if resp.StatusCode >= http.StatusBadRequest {
		form := protocol.MediaJSON
		if out.media == trainer.ProblemMsgpack {
			form = protocol.MediaMsgpack
		}
		if err := protocol.Decode(form, bytes.TrimSpace(b), &out.Problem); err != nil {
			d.Fatalf("%s %s: a problem that is none: %v in %s", method, path, err, b)
		}
	}
	return out
}

// post sends a body as JSON.
func (d *desk) post(path string, body any) said {
	d.Helper()
	return d.postAs(protocol.MediaJSON, path, body)
}

func (d *desk) postAs(media, path string, body any) said {
	d.Helper()
	b, err := protocol.AppendRequest(nil, media, body)
	if err != nil {
		d.Fatal(err)
	}
	return d.send("POST", path, media, b)
}

// must demands a status and reads an answer of it.
func must[T any](d *desk, a said) T {
	d.Helper()
	var v T
	if a.status != http.StatusOK {
		d.Fatalf("%d %s", a.status, a.body)
	}
	if err := protocol.Decode(a.media, a.body, &v); err != nil {
		d.Fatalf("%v in %s", err, a.body)
	}
	return v
}

func openBody() *protocol.OpenRequest {
	b := &protocol.OpenRequest{Protocol: protocol.Version}
	b.RunOpened = leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a", "b"}, Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"},
		Parameters: 10, Seed: 7, Steps: 100, HostParameters: []leyline.Parameter{{Name: "trunk.weight", Size: 10}}, Away: leyline.AwayStop,
	}
	return b
}

func stepBody(n leyline.Step) *protocol.Step {
	b := &protocol.Step{}
	b.StepObserved = leyline.StepObserved{
		Incarnation: 1, Step: n, Losses: []float64{1, 2}, Gram: []float64{1, -0.25, -0.25, 2}, Seed: uint64(n), Samples: 8, LearnRate: 0.1,
		ForwardNs: 1e6, PreviousNs: 2e6,
	}
	return b
}

// signed is the operator's next command.
func (d *desk) signed(change func(*leyline.Command)) leyline.Envelope {
	d.Helper()
	d.n++
	c := leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: planetest.Origin, Run: "run-1"}, ID: leyline.CommandID(fmt.Sprintf("op-%d", d.n)), Sequence: d.n,
		IssuedAt: leyline.Instant(time.Now().UnixNano()),
	}
	change(&c)
	body, err := wire.EncodeCommand(c)
	if err != nil {
		d.Fatal(err)
	}
	return d.ada.Sign(leyline.PayloadCommand, body)
}
