package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// TestPolicyOfALivePlane imports, activates and rolls back policies of a process that
// trains, kills it, and changes a file behind its back.
func TestPolicyOfALivePlane(t *testing.T) {
	p := startPlane(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	key := at("ada.key")
	esper(t, exitOK, "key", "new", "--name", "ada", key)
	esper(t, exitOK, "key", "enroll", "--kinds", "POLICY", "--admin", datadir.AdminKeyPath(p.data), "-o", at("ada.enrol"), key+".pub")
	to := "unix:" + p.socket
	esper(t, exitOK, "command", "send", at("ada.enrol"), "--to", to)
	for _, version := range []string{"1", "2"} {
		file := at("careful-" + version)
		esper(t, exitOK, "policy", "export", "settings", "--data", p.data, "-o", file)
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, append(b, "# version "+version+"\n"...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		esper(t, exitOK, "policy", "manifest", file, "--id", "careful", "--version", version)
	}
	esper(t, exitLocked, "policy", "import", at("careful-1"), "--data", p.data) // a plane has it open
	if out := esper(t, exitOK, "policy", "import", at("careful-1"), "--data", p.data, "--to", to); !strings.HasPrefix(out, "recorded as record ") {
		t.Errorf("imported: %s", out)
	}
	esper(t, exitOK, "policy", "import", at("careful-2"), "--data", p.data, "--to", to, "--key", key)

	steer := func(want int, args ...string) string {
		t.Helper()
		return esper(t, want, append([]string{"policy"}, append(args, "--reason", "test", "--key", key, "--to", to)...)...)
	}
	steer(exitOK, "activate", "careful@1")
	steer(exitRefused, "activate", "careful@1") // it decides already
	steer(exitOK, "activate", "careful@2", "--all")
	steer(exitUsage, "activate", "careful@3")
	steer(exitUsage, "activate", "careful@2", "--all", "--run", "run-1")
	steer(exitRefused, "activate", "careful@2", "--digest", strings.Repeat("0f", 32))
	steer(exitOK, "activate", "careful@2")
	decides(t, p, "run-1", "careful@2", true)

	// A signed activation that was handed in before changes nothing.
	old := at("old.json")
	steer(exitOK, "activate", "careful@1", "--out", old)
	steer(exitOK, "rollback")
	esper(t, exitRefused, "command", "send", old, "--to", to)
	decides(t, p, "run-1", "careful@2", true)

	p.crash()
	p.begin()
	decides(t, p, "run-1", "careful@2", true)
	p.crash()
	var doc admin.PoliciesDoc
	if err := json.Unmarshal([]byte(esper(t, exitOK, "policy", "list", "--data", p.data, "--json")), &doc); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(datadir.PoliciesPath(p.data), doc.Policies[1].SHA256.String()+".toml")
	if err := os.Truncate(file, 100); err != nil {
		t.Fatal(err)
	}
	p.begin()
	if x := decides(t, p, "run-1", "careful@2", false); x.Fault != leyline.PolicyFileDigest {
		t.Errorf("a file that was cut off: %+v", x)
	}
	esper(t, exitRefused, "policy", "verify", "--data", p.data)
	esper(t, exitOK, "policy", "import", at("careful-2"), "--data", p.data, "--to", to) // puts it back
	esper(t, exitOK, "policy", "verify", "--data", p.data)
	steer(exitOK, "activate", "careful@2")
	decides(t, p, "run-1", "careful@2", true)
	steer(exitOK, "rollback")
	decides(t, p, "run-1", "careful@1", true)
	p.stop()
	esper(t, exitOK, "replay", p.data)
	esper(t, exitOK, "audit", "recompute", p.data)
}

// decides waits until the plane has made up its mind about a scope, and says what
// decides there.
func decides(t *testing.T, p *planeAt, run leyline.RunID, want string, usable bool) admin.ScopeDoc {
	t.Helper()
	r, err := (&remoteFlags{to: "unix:" + p.socket}).open()
	if err != nil {
		t.Fatal(err)
	}
	for {
		var d admin.PoliciesDoc
		if err := r.get(t.Context(), "/v1/policies", &d); err != nil {
			t.Fatal(err)
		}
		x := scopeOf(d, run)
		if !x.Usable && x.Fault == leyline.PolicyFaultNone { // it is being read
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if x.Policy != want || x.Usable != usable {
			t.Errorf("%s decides, usable %v; want %s, %v: %+v", x.Policy, x.Usable, want, usable, x)
		}
		return x
	}
}
