package decider

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// admitKey judges the enrolment of a key, or a change of what an enrolled one may do.
func admitKey(s *projections.State, x leyline.KeyAdded) *leyline.Refusal {
	if r := vouched(s, x.Envelope); r != nil {
		return r
	}
	k, err := wire.DecodeKey(x.Envelope.Payload)
	if err != nil {
		return refuse(leyline.RefusalInvalidField, "envelope.payload", "", err.Error(), "encode the key as the contract says")
	}
	return enrollable(s, "key", k, 0)
}

// enrollable refuses a key that means nothing, that was revoked, that would change an
// enrolled one by an old envelope, or that there is no room for. field
// names the key; leaving keys make room.
func enrollable(s *projections.State, field string, k leyline.Key, leaving int) *leyline.Refusal {
	if r, bad := leyline.AsRefusal(k.Validate()); bad {
		return refuse(r.Kind, field+"."+r.Field, string(k.ID), r.Reason, "say whom the key speaks for and what it may issue")
	}
	old := s.Plane.Key(k.ID)
	switch {
	case sign.KeyIDOf(k.Public) != k.ID:
		return refuse(leyline.RefusalInvalidField, field+".id", string(k.ID), "is not the id of the public key", "derive the id from the key")
	case s.Plane.Revocation(k.ID) != nil:
		return refuse(leyline.RefusalNotAuthorized, field, string(k.ID),
			fmt.Sprintf("was revoked in record %d, which is for ever", s.Plane.Revocation(k.ID).Seq), "make a new key")
	case old != nil && k.Serial <= old.Serial:
		return refuse(leyline.RefusalInvalidField, field+".serial", string(k.ID),
			fmt.Sprintf("is %d, not above the %d with which it was enrolled: the envelope is an old one, or was handed in twice", k.Serial, old.Serial),
			"to change what a key may do, sign it with a higher serial")
	case old != nil:
		return sameIssuer(field, k, old.Issuer)
	case s.Plane.ValidKeys()-leaving >= leyline.MaxKeys:
		return refuse(leyline.RefusalInvalidField, field, string(k.ID), fmt.Sprintf("would be more than %d valid keys", leyline.MaxKeys), "revoke keys that are not used")
	case len(s.Plane.Keys) >= leyline.MaxKeysEver:
		return refuse(leyline.RefusalInvalidField, field, string(k.ID), fmt.Sprintf("would be more than %d keys, revoked ones included", leyline.MaxKeysEver), "begin a new log")
	}
	return nil
}

func sameIssuer(field string, k leyline.Key, issuer string) *leyline.Refusal {
	if k.Issuer == issuer {
		return nil
	}
	return refuse(leyline.RefusalInvalidField, field+".issuer", k.Issuer, fmt.Sprintf("is not %q, whom the key at hand speaks for", issuer), "enroll a key of its own for another issuer")
}

// admitRevocation judges the end of a key, and the key that takes its place.
func admitRevocation(s *projections.State, x leyline.KeyRevoked) *leyline.Refusal {
	if r := vouched(s, x.Envelope); r != nil {
		return r
	}
	v, err := wire.DecodeRevocation(x.Envelope.Payload)
	if err != nil {
		return refuse(leyline.RefusalInvalidField, "envelope.payload", "", err.Error(), "encode the revocation as the contract says")
	}
	if r, bad := leyline.AsRefusal(v.Validate()); bad {
		return refuse(r.Kind, "revocation."+r.Field, string(v.Key), r.Reason, "say which key is revoked, and why")
	}
	old := s.Plane.Key(v.Key)
	switch {
	case old == nil:
		return refuse(leyline.RefusalUnknownKey, "revocation.key", string(v.Key), "was never enrolled", "name an enrolled key")
	case s.Plane.Revocation(v.Key) != nil:
		return refuse(leyline.RefusalNotAuthorized, "revocation.key", string(v.Key),
			fmt.Sprintf("was revoked before, in record %d", s.Plane.Revocation(v.Key).Seq), "nothing is to be done")
	case v.Successor.ID == "":
		return nil
	case s.Plane.Key(v.Successor.ID) != nil:
		return refuse(leyline.RefusalInvalidField, "revocation.successor", string(v.Successor.ID), "is enrolled already", "name a new key, or none")
	}
	return first(sameIssuer("revocation.successor", v.Successor, old.Issuer), enrollable(s, "revocation.successor", v.Successor, 1))
}

// revoke ends a key and enrolls its successor at the same position.
func revoke(t *projections.Turn, x leyline.KeyRevoked) {
	v, _ := wire.DecodeRevocation(x.Envelope.Payload) // Invariant: admitRevocation decoded the same bytes
	t.Emit(leyline.KeyWithdrawn{
		Key: v.Key, Issuer: t.State.Plane.Key(v.Key).Issuer, Reason: v.Reason, By: x.Envelope.KeyID, Next: v.Successor.ID,
	})
	if v.Successor.ID != "" {
		t.Emit(leyline.KeyEnrolled{Key: v.Successor, By: x.Envelope.KeyID})
	}
}
