package projections

import "github.com/esper-plane/esper/leyline"

// Revocation is when and why a key became invalid.
type Revocation struct {
	Key    leyline.KeyID
	Seq    leyline.Seq // of the record; the key was good up to and including it
	At     leyline.Instant
	Reason string
}

func revokedKey(r *Revocation) leyline.KeyID { return r.Key }

// Revocation returns how a key was revoked, or nil.
func (p *Plane) Revocation(id leyline.KeyID) *Revocation { return get(p.Revoked, id, revokedKey) }

// ValidKeys counts the keys that were enrolled and not revoked.
func (p *Plane) ValidKeys() int { return len(p.Keys) - len(p.Revoked) }
