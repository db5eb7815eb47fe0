package decider

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// admitPolicy judges the import of a policy. Handed in a second time it is refused, so
// an old envelope restores nothing.
func admitPolicy(s *projections.State, x leyline.PolicyImported) *leyline.Refusal {
	if r := mayImport(s, x.Envelope); r != nil {
		return r
	}
	a, err := wire.DecodePolicy(x.Envelope.Payload)
	if err != nil {
		return refuse(leyline.RefusalArtifact, "envelope.payload", "", err.Error(), "encode the manifest as the contract says: `esper policy import`")
	}
	if r, bad := leyline.AsRefusal(a.Validate()); bad {
		return refuse(leyline.RefusalArtifact, "policy."+r.Field, string(a.ID), r.Reason, "say all of it in the manifest")
	}
	old := s.Tamiyo.Artifact(a.ID, a.Version)
	switch {
	case old != nil && old.Facts.Digest != a.Digest:
		return refuse(leyline.RefusalPolicyExists, "policy.version", a.Name(),
			fmt.Sprintf("was imported in record %d with the digest %s, this one has %s", old.Seq, old.Facts.Digest.Short(), a.Digest.Short()),
			"a changed policy gets another version")
	case old != nil:
		return refuse(leyline.RefusalPolicyExists, "policy.version", a.Name(), fmt.Sprintf("was imported before, in record %d", old.Seq), "nothing is to be done")
	case len(s.Tamiyo.Artifacts) >= leyline.MaxPolicies:
		return refuse(leyline.RefusalArtifact, "policy", a.Name(), fmt.Sprintf("would be more than %d policies", leyline.MaxPolicies), "begin a new log")
	}
	return nil
}

// mayImport refuses an envelope that neither the admin key signed nor a valid key that
// may issue POLICY commands for all runs.
func mayImport(s *projections.State, env leyline.Envelope) *leyline.Refusal {
	key := s.Plane.Key(env.KeyID)
	if key == nil || len(s.Plane.AdminKey) > 0 && env.KeyID == sign.KeyIDOf(s.Plane.AdminKey) {
		return vouched(s, env)
	}
	switch {
	case s.Plane.Revocation(key.ID) != nil:
		return refuse(leyline.RefusalNotAuthorized, "envelope.key_id", string(key.ID),
			fmt.Sprintf("was revoked in record %d", s.Plane.Revocation(key.ID).Seq), "sign it with a valid key")
	case leyline.PartyOf(key.Issuer) == leyline.PartyPolicy, !key.Permits(leyline.CommandPolicy, ""):
		return refuse(leyline.RefusalNotAuthorized, "envelope.key_id", string(key.ID), "may not issue POLICY commands for all runs",
			"sign it with the admin key, or enroll the key for POLICY: `esper key enroll --kinds POLICY`")
	}
	if err := sign.Verify(key.Public, env); err != nil {
		return refuse(leyline.RefusalInvalidSignature, "envelope.signature", string(env.KeyID), err.Error(), "sign the bytes that are sent")
	}
	return nil
}
