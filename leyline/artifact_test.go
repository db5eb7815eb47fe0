package leyline_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestRegistryDigest holds the digest against the vector of SPEC.md 8.3: relu has the
// index 1 and gelu 2.
func TestRegistryDigest(t *testing.T) {
	const want = "46b20b9b6c9ac71600b6274b44e2fdc1a6c275ca3eb9622c886e8808f82c0984"
	if got := leyline.RegistryDigest([]string{"relu", "gelu"}).String(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if got := leyline.RegistryDigest([]string{"gelu", "relu"}).String(); got == want {
		t.Error("other indices have the same digest")
	}
	a := leyline.BlueprintRegistry([]leyline.BlueprintID{"b", "a"})
	if b := leyline.BlueprintRegistry([]leyline.BlueprintID{"a", "b"}); a != b || a.Size != 2 {
		t.Errorf("the order in which blueprints are listed counts: %+v, %+v", a, b)
	}
}

// TestEveryPolicyReasonHasItsNameInTheSpecification: SPEC.md 3.12 is mapped whole, and
// nothing of a policy is left without a name there.
func TestEveryPolicyReasonHasItsNameInTheSpecification(t *testing.T) {
	found := map[string]bool{}
	for r := leyline.RejectPolicyUnknown; r <= leyline.RejectPolicyRegistry; r++ {
		found[leyline.UpdateRejected(r)] = true
	}
	for _, f := range leyline.PolicyFaultNone.Members() {
		found[leyline.UpdateRefused(f)] = true
	}
	for _, name := range []string{"version_mismatch", "stale_update", "invalid_payload", "registry_mismatch", "shape_mismatch", "incompatible_update"} {
		if !found[name] {
			t.Errorf("nothing is refused as %s", name)
		}
		delete(found, name)
	}
	if len(found) > 0 {
		t.Errorf("beside the names of the specification: %v", found)
	}
	if leyline.UpdateRejected(leyline.RejectStale) != "" || leyline.UpdateRefused(leyline.PolicyFaultNone) != "" {
		t.Error("what is not about a policy has a name there")
	}
}

// TestPolicyCommandIsAddressedToItsScope: what is for all is addressed to no run, and
// never by an oversight.
func TestPolicyCommandIsAddressedToItsScope(t *testing.T) {
	ref := leyline.PolicyRef{ID: "p", Version: "1", Digest: leyline.Digest{1}}
	for _, c := range []struct {
		scope leyline.PolicyScope
		run   leyline.RunID
		field string
	}{
		{leyline.PolicyOfRun, "r", ""}, {leyline.PolicyOfAll, "", ""}, {leyline.PolicyOfRun, "", "scope"}, {leyline.PolicyOfAll, "r", "scope"},
	} {
		x := leyline.Command{
			Kind: leyline.CommandPolicy, Audience: leyline.Audience{Run: c.run},
			Policy: leyline.PolicyCommand{Action: leyline.PolicyActivate, Scope: c.scope, Policy: ref, Reason: "test"},
		}
		r, bad := leyline.AsRefusal(x.Validate())
		if bad != (c.field != "") || bad && r.Field != c.field {
			t.Errorf("%s to %q: %v", c.scope, c.run, x.Validate())
		}
	}
}
