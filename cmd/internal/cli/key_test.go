package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/replay/recheck"
)

// keyRowJSON is what the tests read of a listed key.
type keyRowJSON struct {
	Key, Issuer string
	Rate        uint32
	Serial      uint64
	Valid       bool
	RevokedIn   leyline.Seq `json:"revoked_in"`
}

func keysOf(t *testing.T, data string) map[string]keyRowJSON {
	t.Helper()
	var rows []keyRowJSON
	unmarshal(t, esper(t, exitOK, "key", "list", "--json", data), &rows)
	out := map[string]keyRowJSON{}
	for _, r := range rows {
		out[r.Key] = r
	}
	return out
}

// newKeyFile makes a key and returns its id.
func newKeyFile(t *testing.T, path, name string) string {
	t.Helper()
	var doc struct{ Key string }
	unmarshal(t, esper(t, exitOK, "key", "new", "--json", "--name", name, path), &doc)
	return doc.Key
}

// TestKeysOnAStoppedPlane enrolls, changes, replaces and revokes keys on a data
// directory between two parts of a run.
func TestKeysOnAStoppedPlane(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	esper(t, exitOK, "run", "--data", data, "--steps", "60")
	ada, next := filepath.Join(dir, "ada"), filepath.Join(dir, "next")
	id, nextID := newKeyFile(t, ada, "ada"), newKeyFile(t, next, "ada")
	if info, err := os.Stat(ada); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v, %v", info, err)
	}
	esper(t, exitUsage, "key", "new", "--name", "ada", ada) // never replaces a key
	esper(t, exitUsage, "key", "enroll", "--kinds", "SEED", "--data", data, ada)
	esper(t, exitUsage, "key", "enroll", "--data", data, ada+".pub")
	esper(t, exitUsage, "key", "enroll", "--kinds", "SEED", ada+".pub")

	esper(t, exitOK, "key", "enroll", "--kinds", "SEED", "--data", data, ada+".pub")
	esper(t, exitOK, "key", "enroll", "--kinds", "EMERGENCY", "--rate", "9", "--data", data, ada+".pub")
	if k := keysOf(t, data)[id]; !k.Valid || k.Rate != 9 || k.Serial != 1 || k.Issuer != "ada" {
		t.Errorf("after a change: %+v", k)
	}
	esper(t, exitOK, "key", "rotate", "--reason", "yearly", "--kinds", "SEED", "--to", next+".pub", "--data", data, id)
	keys := keysOf(t, data)
	if keys[id].Valid || keys[id].RevokedIn == 0 || !keys[nextID].Valid {
		t.Errorf("after a rotation: %+v", keys)
	}
	esper(t, exitRefused, "key", "enroll", "--kinds", "SEED", "--data", data, ada+".pub")
	esper(t, exitRefused, "key", "revoke", "--reason", "again", "--data", data, id)
	esper(t, exitOK, "key", "revoke", "--reason", "gone", "--data", data, nextID)
	esper(t, exitOK, "run", "--data", data, "--steps", "90")
	esper(t, exitOK, "replay", data)
	var rep recheck.Report
	unmarshal(t, esper(t, exitOK, "audit", "recompute", "--json", data), &rep)
	if rep.Differences != 0 || rep.Revocations != 3 || rep.Keys != 4 {
		t.Errorf("recomputed: %+v", rep)
	}
}

// TestTamiyosKeyCanBeReplaced revokes the plane's own key: no run goes on with it, and
// one goes on with another in its place.
func TestTamiyosKeyCanBeReplaced(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	esper(t, exitOK, "run", "--data", data, "--steps", "60")
	own := filepath.Join(data, "keys", "tamiyo.key")
	var doc struct{ Key string }
	unmarshal(t, esper(t, exitOK, "key", "show", "--json", own), &doc)
	esper(t, exitOK, "key", "revoke", "--reason", "copied", "--data", data, doc.Key)
	esper(t, exitRefused, "run", "--data", data, "--steps", "120")
	fresh := filepath.Join(dir, "tamiyo")
	id := newKeyFile(t, fresh, "tamiyo")
	if err := os.Rename(fresh, own); err != nil {
		t.Fatal(err)
	}
	esper(t, exitOK, "run", "--data", data, "--steps", "120")
	if k := keysOf(t, data); !k[id].Valid || k[doc.Key].Valid {
		t.Errorf("keys: %+v", k)
	}
	esper(t, exitOK, "audit", "recompute", data)
}

// TestEnvelopeForARunningPlane signs for a plane that runs elsewhere.
func TestEnvelopeForARunningPlane(t *testing.T) {
	dir := t.TempDir()
	ada, admin, out := filepath.Join(dir, "ada"), filepath.Join(dir, "admin"), filepath.Join(dir, "env")
	id := newKeyFile(t, ada, "ada")
	newKeyFile(t, admin, "admin")
	esper(t, exitUsage, "key", "enroll", "--kinds", "SEED", "-o", out, ada+".pub")
	esper(t, exitOK, "key", "enroll", "--kinds", "SEED", "--admin", admin, "-o", out, ada+".pub")
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	env, err := sign.ParseEnvelope(file)
	if err != nil || env.PayloadType != leyline.PayloadKey {
		t.Fatalf("%+v, %v", env, err)
	}
	private, err := os.ReadFile(admin)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.ParsePrivate(private)
	if err != nil {
		t.Fatal(err)
	}
	if err := sign.Verify(key.Public(), env); err != nil {
		t.Error(err)
	}
	esper(t, exitUsage, "key", "revoke", "--reason", "x", "--admin", admin, "-o", out, id) // the file exists
	esper(t, exitOK, "key", "revoke", "--reason", "x", "--admin", admin, "-o", out+"2", id)
	if text := esper(t, exitOK, "key", "show", admin+".pub"); !strings.Contains(text, "admin+") {
		t.Errorf("shown as %s", text)
	}
}
