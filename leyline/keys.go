package leyline

import "slices"

// KeyRevocation is the payload of a key.revoked envelope, signed by the admin key.
// From its record on the key is refused for ever: it cannot be enrolled again.
type KeyRevocation struct {
	Key    KeyID
	Reason string // for people
	// Successor takes the key's place from the same record on: another key for the
	// same issuer. The zero Key: none does.
	Successor Key
}

// KeyRevoked withdraws a verification key. The admin key signed it.
type KeyRevoked struct {
	Envelope Envelope // PayloadRevocation
}

// InputKind implements Input.
func (KeyRevoked) InputKind() InputKind { return InputKeyRevoked }

// Validate implements Input.
func (x KeyRevoked) Validate() error {
	var c check
	x.Envelope.check(&c, "envelope", PayloadRevocation)
	return c.result()
}

// KeyWithdrawn makes a verification key invalid from the next record on. What it
// spent stays spent.
type KeyWithdrawn struct {
	Key    KeyID
	Issuer string
	Reason string
	By     KeyID // the key that vouched for it
	Next   KeyID // the key that is enrolled in its place in this very record; empty: none
}

// EventKind implements Event.
func (KeyWithdrawn) EventKind() EventKind { return EventKeyWithdrawn }

// Validate implements Event.
func (x KeyWithdrawn) Validate() error {
	var c check
	needID(&c, "key", x.Key)
	needText(&c, "issuer", x.Issuer)
	needText(&c, "reason", x.Reason)
	needID(&c, "by", x.By)
	mayID(&c, "next", x.Next)
	return c.result()
}

// Validate checks the form of a revocation. It returns a *Refusal that names the
// field.
func (r KeyRevocation) Validate() error {
	var c check
	needID(&c, "key", r.Key)
	needText(&c, "reason", r.Reason)
	if r.Successor.ID != "" {
		c.part("successor", r.Successor.Validate())
	}
	return c.result()
}

// Permits reports whether the key may issue a command of a kind for a run.
func (k *Key) Permits(kind CommandKind, run RunID) bool {
	return slices.Contains(k.Kinds, kind) && (len(k.Runs) == 0 || slices.Contains(k.Runs, run))
}
