package admin_test

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
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/admin"
	"github.com/esper-plane/esper/testdata"
)

// desk is a real plane with an open run, served over HTTP.
type desk struct {
	*testing.T
	plane  *plane.Plane
	client *http.Client
	url    string
	ada    sign.Signer
	n      uint64
}

// start serves a plane at a unix socket, or at a TCP address.
func start(t *testing.T, tcp bool, token string) *desk {
	t.Helper()
	c := leyline.DefaultConfig()
	c.Tolaria.Stall = 1 // nobody trains, and commands do not wait for a silent trainer
	o := planetest.Options(planetest.NewLog(), t.TempDir())
	o.Bootstrap = func(*projections.State) ([]leyline.Input, error) {
		configured, err := planetest.Configured(c)
		kernel, kerr := testdata.Kernel("residual-mlp-16")
		return []leyline.Input{configured, leylinetest.Blueprint("residual-mlp-16", kernel)}, errors.Join(err, kerr)
	}
	p, err := plane.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Open(t.Context(), leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a"}, Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"},
		Parameters: 10, Seed: 7, Steps: 100, HostParameters: []leyline.Parameter{{Name: "trunk.weight", Size: 10}},
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, plane: p, ada: planetest.Key(4)}
	d.serve(tcp, token)
	return d
}

func (d *desk) serve(tcp bool, token string) {
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		d.Fatal(err)
	}
	at := "unix:" + filepath.Join(dir, "own", "s")
	if tcp {
		at = "127.0.0.1:0"
	}
	var tokens []server.Token
	if token != "" {
		tokens = append(tokens, server.Token{Name: "ada", Secret: token})
	}
	s, err := server.New(server.Options{
		Listen: []string{at}, Tokens: tokens, Logger: hclog.NewNullLogger(),
		Routes: admin.Routes(admin.Options{Plane: func() admin.Plane { return d.plane }}),
	})
	if err == nil {
		err = s.Start(d.Context())
	}
	if err != nil {
		d.Fatal(err)
	}
	s.Open()
	addr := s.Addresses()[0]
	d.url = "http://" + addr.String()
	if !tcp {
		d.url = "http://esper"
	}
	d.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, addr.Network(), addr.String())
	}}}
	d.Cleanup(func() {
		ctx := context.Background()
		_, err := s.Stop(ctx)
		if serr := d.plane.Shutdown(ctx); err != nil || serr != nil {
			d.Error(err, serr)
		}
		os.RemoveAll(dir)
	})
}

// said is an answer, with the members of a problem document and of the verdicts.
type said struct {
	status int
	body   string
	Kind   string `json:"kind"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
	Record uint64 `json:"record"`
	Seq    uint64 `json:"sequence"`
	Issuer string `json:"issuer"`
	Done   bool   `json:"settled"`
	Origin string `json:"origin"`
	Runs   []admin.RunDoc
}

func (d *desk) ask(method, path, media string, body []byte, token string) said {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), method, d.url+path, bytes.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := d.client.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.Fatal(err)
	}
	out := said{status: resp.StatusCode, body: string(b)}
	if err := json.Unmarshal(b, &out); err != nil {
		d.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
	return out
}

func (d *desk) post(path string, env leyline.Envelope) said {
	d.Helper()
	b, err := json.Marshal(admin.DocOf(env))
	if err != nil {
		d.Fatal(err)
	}
	return d.ask("POST", path, admin.MediaJSON, b, "")
}

// enroll makes the operator's key known.
func (d *desk) enroll() {
	d.Helper()
	body, err := wire.EncodeKey(leyline.Key{
		ID: d.ada.KeyID(), Public: d.ada.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandRegistry, leyline.CommandEmergency, leyline.CommandPolicy},
	})
	if err != nil {
		d.Fatal(err)
	}
	if a := d.post("/v1/keys", planetest.Key(1).Sign(leyline.PayloadKey, body)); a.status != http.StatusOK || a.Record == 0 {
		d.Fatalf("enrolled: %d %s", a.status, a.body)
	}
}

// signed is the operator's next command, after change.
func (d *desk) signed(change func(*leyline.Command)) leyline.Envelope {
	d.Helper()
	d.n++
	c := leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: leyline.CommandID(fmt.Sprintf("op-%d", d.n)), Sequence: d.n,
		IssuedAt: leyline.Instant(time.Now().UnixNano()), Kind: leyline.CommandRegistry,
		Registry: leyline.RegistryCommand{Action: leyline.RegistryResetAll, Reason: "by hand"},
	}
	if change != nil {
		change(&c)
	}
	body, err := wire.EncodeCommand(c)
	if err != nil {
		d.Fatal(err)
	}
	return d.ada.Sign(leyline.PayloadCommand, body)
}
