package admin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

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
	if a := d.post(path, d.ada.Sign(leyline.PayloadCommand, []byte("nonsense"))); a.status != http.StatusBadRequest || a.Kind != "malformed" {
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
	if a := d.post("/v1/keys", planetest.Key(1).Sign(leyline.PayloadCommand, body)); a.status != http.StatusBadRequest || a.Field != "envelope.payload_type" {
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
