package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// TestPolicies imports a policy over HTTP, refuses what may not be imported, and tells
// what becomes of a command whose file the plane does not have.
func TestPolicies(t *testing.T) {
	d := start(t, false, "")
	d.enroll()
	a := leyline.PolicyArtifact{
		ID: "careful", Version: "1", Architecture: leyline.RulesArchitecture, Format: leyline.PolicyTOML, Digest: leyline.Digest{7}, Bytes: 6,
		Origin: leyline.PolicyHandWritten, Created: "2026-11-26T21:00:00Z", Registries: leyline.FixedRegistries(),
	}
	body, err := wire.EncodePolicy(a)
	if err != nil {
		t.Fatal(err)
	}
	const path = "/v1/policies"
	if s := d.post(path, planetest.Key(1).Sign(leyline.PayloadKey, body)); s.status != http.StatusUnprocessableEntity || s.Field != "payloadType" {
		t.Errorf("a key: %d %s", s.status, s.body)
	}
	if s := d.post(path, planetest.Key(9).Sign(leyline.PayloadPolicy, body)); s.status != http.StatusForbidden || s.Kind != "unknown_key" {
		t.Errorf("a stranger's: %d %s", s.status, s.body)
	}
	if s := d.post(path, d.ada.Sign(leyline.PayloadPolicy, body)); s.status != http.StatusOK || s.Record == 0 {
		t.Fatalf("an operator's: %d %s", s.status, s.body)
	}
	if s := d.post("/v1/keys", planetest.Key(1).Sign(leyline.PayloadPolicy, body)); s.status != http.StatusConflict || s.Kind != "policy_exists" {
		t.Errorf("the same again, signed by another: %d %s", s.status, s.body)
	}
	activate := func(change func(*leyline.Command)) said {
		return d.post("/v1/commands", d.signed(func(c *leyline.Command) {
			c.Kind, c.Registry = leyline.CommandPolicy, leyline.RegistryCommand{}
			c.Policy = leyline.PolicyCommand{Action: leyline.PolicyActivate, Scope: leyline.PolicyOfRun, Policy: a.Ref(), Reason: "test"}
			change(c)
		}))
	}
	if s := activate(func(c *leyline.Command) { c.Policy.Policy.Version = "2" }); s.status != http.StatusNotFound || s.Kind != "policy_unknown" {
		t.Errorf("an unknown one: %d %s", s.status, s.body)
	}
	if s := activate(func(c *leyline.Command) { c.Policy.Policy.Digest[0]++ }); s.status != http.StatusConflict || s.Kind != "policy_digest_mismatch" {
		t.Errorf("another digest: %d %s", s.status, s.body)
	}
	if s := activate(func(*leyline.Command) {}); s.status != http.StatusAccepted || s.Done {
		t.Errorf("the one there is: %d %s", s.status, s.body)
	}
	for {
		s := d.ask("GET", path, "", nil, "")
		var doc admin.PoliciesDoc
		if err := json.Unmarshal([]byte(s.body), &doc); err != nil || s.status != http.StatusOK || len(doc.Policies) != 1 || len(doc.Scopes) != 1 {
			t.Fatalf("%d %s: %v", s.status, s.body, err)
		}
		if doc.Scopes[0].Loading != "" {
			time.Sleep(time.Millisecond)
			continue
		}
		if x := doc.Scopes[0]; x.Run != "run-1" || x.Policy != "settings" || !strings.Contains(s.body, `"id":"careful"`) {
			t.Errorf("without its file %+v decides", x)
		}
		return
	}
}
