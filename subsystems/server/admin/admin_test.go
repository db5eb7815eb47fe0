package admin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/admin"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

func key(n byte) sign.Signer {
	s, err := sign.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		panic(err)
	}
	return s
}

// planeLog is a log in memory as a plane takes it.
type planeLog struct{ *memlog.Log }

func (l planeLog) Append(ctx context.Context, next leyline.Seq, es []plane.Entry) error {
	out := make([]eventlog.Entry, len(es))
	for i, e := range es {
		out[i] = eventlog.Entry{Seq: uint64(e.Seq), At: int64(e.At), Kind: eventlog.KindTransition, Payload: e.Payload}
	}
	return l.Log.Append(ctx, uint64(next), out)
}

func (l planeLog) All(from leyline.Seq) iter.Seq2[plane.Entry, error] {
	return func(yield func(plane.Entry, error) bool) {
		for e, err := range l.Log.All(uint64(from)) {
			if e.Kind == eventlog.KindTransition && !yield(plane.Entry{Seq: leyline.Seq(e.Seq), At: leyline.Instant(e.At), Payload: e.Payload}, err) {
				return
			}
		}
	}
}

func (l planeLog) Next() leyline.Seq      { return leyline.Seq(l.Log.Next()) }
func (l planeLog) Claim(leyline.Seq) bool { return false }
func (l planeLog) Leaf(s leyline.Seq) (leyline.Digest, error) {
	d, err := l.Log.Leaf(uint64(s))
	return d, err
}

type noSignal struct{}

func (noSignal) Set(leyline.EmergencyLevel, string) error { return nil }
func (noSignal) Get() (leyline.EmergencyLevel, string, error) {
	return leyline.EmergencyNotice, "", nil
}

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
	log := memlog.New(eventlog.Origin{Name: "esper-test", LogKey: key(3).Public(), AdminKey: key(1).Public()}, time.Now().UnixNano())
	c := leyline.DefaultConfig()
	c.Tolaria.Stall = 1 // nobody trains, and commands do not wait for a silent trainer
	p, err := plane.Start(t.Context(), plane.Options{
		Log: planeLog{log}, Origin: "esper-test", AdminKey: key(1).Public(), Boot: "boot-1", Build: leyline.Build{Version: "test"}, Signer: key(2),
		Signal: noSignal{}, Snapshots: snapstore.NewDir(t.TempDir(), true), Kernels: testdata.Kernels(), Process: c.Plane, Logger: hclog.NewNullLogger(),
		Bootstrap: func(*projections.State) ([]leyline.Input, error) {
			body, err := wire.EncodeConfig(c)
			kernel, kerr := testdata.Kernel("residual-mlp-16")
			if err != nil || kerr != nil {
				return nil, fmt.Errorf("%v, %v", err, kerr)
			}
			return []leyline.Input{
				leyline.ConfigApplied{Envelope: key(1).Sign(leyline.PayloadConfig, body)},
				leyline.BlueprintRegistered{
					Blueprint: "residual-mlp-16", Kernel: "residual-mlp-16.safetensors", Digest: sha256.Sum256(kernel), Bytes: uint64(len(kernel)), Risk: 0.1,
				},
			}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Open(t.Context(), leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a"}, Seeds: []leyline.SeedID{"seed-a"}, Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"},
		Parameters: 10, Seed: 7, Steps: 100, HostParameters: []leyline.Parameter{{Name: "trunk.weight", Size: 10}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, plane: p, ada: key(4)}
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
	s, err := server.New(server.Options{
		Listen: []string{at}, Token: token, Logger: hclog.NewNullLogger(),
		Routes: admin.Routes(admin.Options{Plane: func() admin.Plane { return d.plane }, Locked: token != ""}),
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
		ID: d.ada.KeyID(), Public: d.ada.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandRegistry, leyline.CommandEmergency},
	})
	if err != nil {
		d.Fatal(err)
	}
	if a := d.post("/v1/keys", key(1).Sign(leyline.PayloadKey, body)); a.status != http.StatusOK || a.Record == 0 {
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

// TestCommands hands in commands of every fate, in both media.
func TestCommands(t *testing.T) {
	d := start(t, false, "")
	if a := d.post("/v1/commands", d.signed(nil)); a.status != http.StatusForbidden || a.Kind != "unknown_key" || a.Reason != "unknown_key" {
		t.Errorf("before its key is enrolled: %d %s", a.status, a.body)
	}
	if a := d.ask("GET", "/v1/keys/"+string(d.ada.KeyID()), "", nil, ""); a.status != http.StatusNotFound || a.Kind != "unknown_key" {
		t.Errorf("an unknown key: %d %s", a.status, a.body)
	}
	d.enroll()
	env := d.signed(nil)
	a := d.post("/v1/commands", env)
	if a.status != http.StatusAccepted || !strings.Contains(a.body, `"verdict":"accepted"`) || !a.Done || a.Record == 0 {
		t.Fatalf("a reset: %d %s", a.status, a.body)
	}
	again := d.post("/v1/commands", env)
	if again.status != http.StatusConflict || again.Kind != "nonce_replayed" || again.Record <= a.Record || !strings.Contains(again.body, `"verdict":"rejected"`) {
		t.Errorf("the same again: %d %s", again.status, again.body)
	}
	for want, change := range map[string]func(*leyline.Command){
		"404 unknown_run": func(c *leyline.Command) { c.Audience.Run = "run-9" },
		"404 unknown_teacher": func(c *leyline.Command) {
			c.Registry = leyline.RegistryCommand{Action: leyline.RegistryForget, Teacher: leyline.Teacher{ID: "t"}, Reason: "x"}
		},
		"422 wrong_audience":     func(c *leyline.Command) { c.Audience.Origin = "another" },
		"422 stale_command":      func(c *leyline.Command) { c.IssuedAt = 1 },
		"422 issued_in_future":   func(c *leyline.Command) { c.IssuedAt *= 2 },
		"400 missing_timestamp":  func(c *leyline.Command) { c.IssuedAt = 0 },
		"400 missing_command_id": func(c *leyline.Command) { c.ID = "" },
		"400 malformed":          func(c *leyline.Command) { c.Registry.Action = 0 },
		"403 not_permitted":      func(c *leyline.Command) { c.Issuer = "bob" },
		"409 sequence_replayed":  func(c *leyline.Command) { c.Sequence = 1 },
		"409 wrong_level": func(c *leyline.Command) {
			c.Kind, c.Emergency = leyline.CommandEmergency, leyline.EmergencyCommand{Action: leyline.EmergencyClear, Level: leyline.EmergencyHalt, Reason: "x"}
		},
		"409 wrong_stage": func(c *leyline.Command) {
			c.Kind, c.Seed = leyline.CommandSeed, leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a"}
		},
		"404 unknown_seed": func(c *leyline.Command) {
			c.Kind, c.Seed = leyline.CommandSeed, leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-z"}
		},
	} {
		a := d.post("/v1/commands", d.signed(change))
		if got := fmt.Sprintf("%d %s", a.status, a.Kind); got != want {
			t.Errorf("%s, want %s: %s", got, want, a.body)
		}
	}
	env = d.signed(nil)
	packed, err := wire.EncodeEnvelope(env)
	if err != nil {
		t.Fatal(err)
	}
	if a := d.ask("POST", "/v1/commands", admin.MediaMsgpack, packed, ""); a.status != http.StatusAccepted {
		t.Errorf("as msgpack: %d %s", a.status, a.body)
	}
	if a := d.ask("GET", "/v1/keys/"+string(d.ada.KeyID()), "", nil, ""); a.status != http.StatusOK || a.Seq != d.n || a.Issuer != "ada" {
		t.Errorf("the key: %d %s", a.status, a.body)
	}
}

// TestResetRoute takes a reset of its own run and nothing else.
func TestResetRoute(t *testing.T) {
	d := start(t, false, "")
	d.enroll()
	const path = "/v1/runs/run-1/registry/reset"
	for _, change := range []func(*leyline.Command){
		func(c *leyline.Command) { c.Audience.Run = "run-2" },
		func(c *leyline.Command) {
			c.Registry = leyline.RegistryCommand{Action: leyline.RegistryForget, Teacher: leyline.Teacher{ID: "t"}, Reason: "x"}
		},
		func(c *leyline.Command) { c.Kind = leyline.CommandPause },
	} {
		if a := d.post(path, d.signed(change)); a.status != http.StatusUnprocessableEntity || a.Kind != "wrong_command" || a.Record != 0 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := d.post(path, d.signed(nil)); a.status != http.StatusAccepted {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.post(path, d.ada.Sign(leyline.PayloadCommand, []byte("nonsense"))); a.status != http.StatusBadRequest || a.Kind != "malformed" || a.Record == 0 {
		t.Errorf("what cannot be read is the verifier's: %d %s", a.status, a.body)
	}
}

// TestStrictBodies names the field that is wrong.
func TestStrictBodies(t *testing.T) {
	d := start(t, false, "")
	for body, want := range map[string]string{
		`{"payloadType":"x","payload":"AA==","payload":"AA=="}`: "400 duplicate_field payload",
		`{"payloadType":"x","Payload":"AA=="}`:                  "400 unknown_field Payload",
		`{"payloadType":"x","payload":"AA==","signatures":[]}`:  "400 invalid_field signatures",
		`{"signatures":[{"keyid":"k","keyid":"k"}]}`:            "400 duplicate_field signatures[0].keyid",
		`{"payload":"!"}`:     "400 invalid_field ",
		`{"payload":7}`:       "400 invalid_field payload",
		`{`:                   "400 malformed ",
		`{"signatures":null}`: "400 invalid_field signatures",
	} {
		a := d.ask("POST", "/v1/commands", admin.MediaJSON+"; charset=utf-8", []byte(body), "")
		if got := fmt.Sprintf("%d %s %s", a.status, a.Kind, a.Field); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	if a := d.ask("POST", "/v1/commands", "text/plain", []byte("{}"), ""); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("another media type: %d %s", a.status, a.body)
	}
	if a := d.ask("POST", "/v1/commands", "", []byte("{}"), ""); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("no media type: %d %s", a.status, a.body)
	}
	if a := d.ask("POST", "/v1/commands", admin.MediaMsgpack, []byte{0x94, 0xa1}, ""); a.status != http.StatusBadRequest || a.Kind != "malformed" {
		t.Errorf("bad msgpack: %d %s", a.status, a.body)
	}
	huge := []byte(`{"payload":"` + strings.Repeat("A", 3*leyline.MaxCommandBytes) + `"}`)
	if a := d.ask("POST", "/v1/commands", admin.MediaJSON, huge, ""); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body: %d %s", a.status, a.body)
	}
}

func TestKeysNeedTheAdminKey(t *testing.T) {
	d := start(t, false, "")
	body, err := wire.EncodeKey(leyline.Key{ID: d.ada.KeyID(), Public: d.ada.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed}})
	if err != nil {
		t.Fatal(err)
	}
	if a := d.post("/v1/keys", d.ada.Sign(leyline.PayloadKey, body)); a.status != http.StatusForbidden || a.Kind != "invalid_signature" {
		t.Errorf("signed by itself: %d %s", a.status, a.body)
	}
	if a := d.post("/v1/keys", key(1).Sign(leyline.PayloadCommand, body)); a.status != http.StatusBadRequest || a.Field != "envelope.payload_type" {
		t.Errorf("of another type: %d %s", a.status, a.body)
	}
}

const teacher = `{"id":"t1","parameters":[{"name":"t.w","size":"12"},{"name":"t.b","size":4}],"bytes":64,"digest":"` +
	"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" + `"}`

func TestTeacherRoutes(t *testing.T) {
	d := start(t, false, "")
	const path = "/v1/runs/run-1/teacher"
	if a := d.ask("POST", path, admin.MediaJSON, []byte(teacher), ""); a.status != http.StatusOK || a.Record == 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := d.ask("GET", "/v1/plane", "", nil, ""); a.Origin != "esper-test" || len(a.Runs) != 1 || a.Runs[0].Teacher != "t1" || len(a.Runs[0].Seeds) != 1 || a.Runs[0].Status != leyline.RunStatusOpen {
		t.Errorf("the plane: %s", a.body)
	}
	for body, want := range map[string]string{
		strings.Replace(teacher, "t.w", "trunk.weight", 1):      "409 parameter_owned teacher.parameters",
		strings.Replace(teacher, "t.w", "t.b", 1):               "400 invalid_field teacher.parameters[1].name",
		strings.Replace(teacher, `"bytes":64`, `"bytes":-1`, 1): "400 invalid_field ",
		strings.Replace(teacher, `"id":"t1",`, ``, 1):           "400 missing_field teacher.id",
		strings.Replace(teacher, `"id"`, `"ID"`, 1):             "400 unknown_field ID",
	} {
		a := d.ask("POST", path, admin.MediaJSON, []byte(body), "")
		if got := fmt.Sprintf("%d %s %s", a.status, a.Kind, a.Field); got != want {
			t.Errorf("%s, want %s: %s", got, want, a.body)
		}
	}
	if a := d.ask("POST", "/v1/runs/run-9/teacher", admin.MediaJSON, []byte(teacher), ""); a.status != http.StatusNotFound || a.Kind != "unknown_run" {
		t.Errorf("of an unknown run: %d %s", a.status, a.body)
	}
	if a := d.ask("DELETE", path, "", nil, ""); a.status != http.StatusBadRequest || a.Field != "id" {
		t.Errorf("nobody: %d %s", a.status, a.body)
	}
	if a := d.ask("DELETE", path+"?id=t2", "", nil, ""); a.status != http.StatusNotFound || a.Kind != "unknown_teacher" {
		t.Errorf("another: %d %s", a.status, a.body)
	}
	if a := d.ask("DELETE", path+"?id=t1", "", nil, ""); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestWhoSpeaksForTheTrainer: at a TCP address without a token nobody does; commands
// carry their own authority.
func TestWhoSpeaksForTheTrainer(t *testing.T) {
	d := start(t, true, "")
	if a := d.ask("POST", "/v1/runs/run-1/teacher", admin.MediaJSON, []byte(teacher), ""); a.status != http.StatusForbidden || a.Kind != "not_authorized" {
		t.Errorf("%d %s", a.status, a.body)
	}
	d.enroll()
	if a := d.post("/v1/commands", d.signed(nil)); a.status != http.StatusAccepted {
		t.Errorf("%d %s", a.status, a.body)
	}
	const token = "0123456789abcdef"
	d = start(t, true, token)
	if a := d.ask("POST", "/v1/runs/run-1/teacher", admin.MediaJSON, []byte(teacher), ""); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.ask("POST", "/v1/runs/run-1/teacher", admin.MediaJSON, []byte(teacher), token); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// FuzzEnvelope: an envelope that is read says the same when it is written and read again.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"payloadType":"x","payload":"AA==","signatures":[{"keyid":"k","sig":"AQI="}]}`))
	f.Add([]byte(`{"payload":"A\nA=="}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		env, err := admin.ParseEnvelope(b)
		if err != nil || env.Payload == nil || env.Signature == nil {
			return
		}
		doc, err := json.Marshal(admin.DocOf(env))
		if err != nil {
			t.Fatal(err)
		}
		again, err := admin.ParseEnvelope(doc)
		if err != nil || again.PayloadType != env.PayloadType || again.KeyID != env.KeyID || !bytes.Equal(again.Payload, env.Payload) || !bytes.Equal(again.Signature, env.Signature) {
			t.Fatalf("%s: %+v, %+v, %v", b, env, again, err)
		}
	})
}

// FuzzTeacher: a teacher that is read has its parameters in order.
func FuzzTeacher(f *testing.F) {
	f.Add([]byte(teacher))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := admin.ParseTeacher(b)
		if err == nil && !slices.IsSortedFunc(x.Parameters, func(a, b leyline.Parameter) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("%s: %+v", b, x)
		}
	})
}
