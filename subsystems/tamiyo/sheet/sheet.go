// Package sheet judges safety sheets: pure, from an envelope and what the log says
// about keys and blueprints to the facts that count, or to why they do not.
//
// The order of checks is fixed: form, key known, key not revoked, permission,
// signature, blueprint, kernel, serial. The first that fails is the fault. The payload
// is decoded from the very bytes that the signature covers.
package sheet

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// Verdict is what came of a sheet.
type Verdict struct {
	Fault  leyline.SheetFault // none: Facts count
	Detail string             // what is wrong, in words
	Facts  leyline.BlueprintFacts
	Digest leyline.Digest // SHA-256 of the sheet's bytes
}

// Judge holds an envelope against what is known of keys and of the blueprint that it
// was asked for.
func Judge(p *projections.Plane, want leyline.BlueprintID, env leyline.Envelope) Verdict {
	v := Verdict{Digest: sha256.Sum256(env.Payload)}
	s, err := decode(env)
	if err != nil {
		return v.bad(leyline.SheetMalformed, err.Error())
	}
	public, fault, detail := signer(p, env.KeyID)
	if fault != leyline.SheetFine {
		return v.bad(fault, detail)
	}
	if err := sign.Verify(public, env); err != nil {
		return v.bad(leyline.SheetInvalidSignature, err.Error())
	}
	return v.hold(p, want, &s, env.KeyID)
}

func (v Verdict) bad(f leyline.SheetFault, detail string) Verdict {
	v.Fault, v.Detail = f, detail
	return v
}

func decode(env leyline.Envelope) (leyline.SafetySheet, error) {
	if env.PayloadType != leyline.PayloadSheet {
		return leyline.SafetySheet{}, fmt.Errorf("the payload is no %s", leyline.PayloadSheet)
	}
	s, err := wire.DecodeSheet(env.Payload)
	if err == nil {
		err = s.Validate()
	}
	return s, err
}

// signer finds the key that an envelope names, and whether it may sign sheets.
func signer(p *projections.Plane, id leyline.KeyID) (public []byte, fault leyline.SheetFault, detail string) {
	if len(p.AdminKey) > 0 && sign.KeyIDOf(p.AdminKey) == id {
		return p.AdminKey, leyline.SheetFine, ""
	}
	key := p.Key(id)
	switch {
	case key == nil:
		return nil, leyline.SheetUnknownKey, "the key that is named was never enrolled"
	case p.Revocation(id) != nil:
		return nil, leyline.SheetKeyRevoked, fmt.Sprintf("the key was revoked in record %d", p.Revocation(id).Seq)
	case !key.Sheets:
		return nil, leyline.SheetNotPermitted, "the key may not sign safety sheets"
	}
	return key.Public, leyline.SheetFine, ""
}

// hold holds an authentic sheet against the registration and the newest sheet.
func (v Verdict) hold(p *projections.Plane, want leyline.BlueprintID, s *leyline.SafetySheet, by leyline.KeyID) Verdict {
	bp, old := p.Blueprint(want), p.Counting(want)
	switch {
	case s.Blueprint != want || bp == nil:
		return v.bad(leyline.SheetWrongBlueprint, fmt.Sprintf("it is about blueprint %q, not %q", s.Blueprint, want))
	case s.Kernel != bp.Digest:
		return v.bad(leyline.SheetWrongKernel, fmt.Sprintf("it is about a kernel that hashes to %s, not %s", s.Kernel.Short(), bp.Digest.Short()))
	case old != nil && s.Serial < old.Facts.Serial:
		return v.bad(leyline.SheetStale, fmt.Sprintf("its serial is %d, and %d is known", s.Serial, old.Facts.Serial))
	case old != nil && s.Serial == old.Facts.Serial && !bytes.Equal(v.Digest[:], old.Digest[:]):
		return v.bad(leyline.SheetContradicted, fmt.Sprintf("another sheet of serial %d is known", s.Serial))
	}
	v.Facts = s.Facts(by)
	return v
}
