// Package verify is the command verifier: pure, from an envelope and what the
// log says about keys and spent nonces to a verdict.
//
// The order of checks is fixed (DESIGN.md section 7): size, structure, key,
// signature, permission, audience, timestamp present, not in the future, not
// stale, sequence and nonce unseen, room in the ledger. The first that fails is
// the reason. Only a command that passed all of them spends its nonce, so a
// stale or forged command burns nothing. The payload is decoded from the very
// bytes that the signature covers.
package verify

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// Facts is what the verifier knows. All of it is derived from the log.
type Facts struct {
	Origin    string
	Now       leyline.Instant
	Freshness leyline.Freshness
	NonceCap  int
	Plane     *projections.Plane
	Ledger    *projections.Kasmina
}

// Verdict is what the verifier found. Command is set as far as it could be
// read; a reason other than RejectNone means that it must not be trusted.
type Verdict struct {
	Reason    leyline.RejectReason
	Detail    string
	Command   leyline.Command
	Digest    leyline.Digest  // SHA-256 of the payload bytes
	KeepUntil leyline.Instant // the nonce cannot be replayed after this
}

// Command verifies one envelope.
func Command(f Facts, env leyline.Envelope) Verdict {
	v := Verdict{Digest: sha256.Sum256(env.Payload)}
	if v.decode(env) && v.authenticate(f, env) && v.addressed(f) && v.fresh(f) {
		v.unseen(f, env.KeyID)
	}
	return v
}

func (v *Verdict) reject(why leyline.RejectReason, format string, args ...any) bool {
	v.Reason, v.Detail = why, fmt.Sprintf(format, args...)
	return false
}

func (v *Verdict) decode(env leyline.Envelope) bool {
	if len(env.Payload) > leyline.MaxCommandBytes {
		return v.reject(leyline.RejectTooLarge, "the payload has %d bytes, at most %d are allowed", len(env.Payload), leyline.MaxCommandBytes)
	}
	if env.PayloadType != leyline.PayloadCommand {
		return v.reject(leyline.RejectMalformed, "the payload type is not %s", leyline.PayloadCommand)
	}
	c, err := wire.DecodeCommand(env.Payload)
	if err != nil {
		return v.reject(leyline.RejectMalformed, "%v", err)
	}
	if err := c.Metadata.Validate(); err != nil {
		return v.reject(leyline.RejectMalformed, "%v", err)
	}
	if err := c.CheckArguments(); err != nil {
		return v.reject(leyline.RejectMalformed, "%v", err)
	}
	v.Command = c
	return true
}

func (v *Verdict) authenticate(f Facts, env leyline.Envelope) bool {
	key := f.Plane.Key(env.KeyID)
	if key == nil {
		return v.reject(leyline.RejectUnknownKey, "no key %s is enrolled", short(env.KeyID))
	}
	if len(env.Signature) == 0 {
		return v.reject(leyline.RejectMissingSignature, "the envelope carries no signature")
	}
	if err := sign.Verify(key.Public, env); err != nil {
		return v.reject(leyline.RejectInvalidSignature, "%v", err)
	}
	if v.Command.Issuer != key.Issuer {
		return v.reject(leyline.RejectNotPermitted, "the key speaks for another issuer")
	}
	if !slices.Contains(key.Kinds, v.Command.Kind) {
		return v.reject(leyline.RejectNotPermitted, "the key may not issue %s commands", v.Command.Kind)
	}
	return true
}

func (v *Verdict) addressed(f Facts) bool {
	if got := v.Command.Audience.Origin; got != f.Origin {
		return v.reject(leyline.RejectWrongAudience, "the command is for the log %q, this is %q", got, f.Origin)
	}
	if err := leyline.CheckID(v.Command.ID); err != nil {
		return v.reject(leyline.RejectMissingCommandID, "the command id %v", err)
	}
	return true
}

func (v *Verdict) fresh(f Facts) bool {
	issued := v.Command.IssuedAt
	switch {
	case issued <= 0:
		return v.reject(leyline.RejectMissingTimestamp, "the command carries no time of issue")
	case issued > f.Now.Add(f.Freshness.Skew):
		return v.reject(leyline.RejectFuture, "issued %v ahead, at most %v are allowed", issued.Sub(f.Now), f.Freshness.Skew)
	case f.Now > issued.Add(f.Freshness.Window):
		return v.reject(leyline.RejectStale, "issued %v ago, at most %v are allowed", f.Now.Sub(issued), f.Freshness.Window)
	case v.Command.NotAfter != 0 && f.Now > v.Command.NotAfter:
		return v.reject(leyline.RejectStale, "it was not to be carried out after %s", v.Command.NotAfter)
	}
	v.KeepUntil = issued.Add(f.Freshness.Window + f.Freshness.Skew)
	return true
}

func (v *Verdict) unseen(f Facts, key leyline.KeyID) {
	switch {
	case f.Ledger.Spent(v.Command.ID):
		v.reject(leyline.RejectNonceReplayed, "the command id was used before")
	case v.Command.Sequence <= f.Ledger.High(key):
		v.reject(leyline.RejectSequenceReplayed, "sequence %d is not above %d", v.Command.Sequence, f.Ledger.High(key))
	case f.Ledger.Live(f.Now) >= f.NonceCap:
		v.reject(leyline.RejectLedgerFull, "%d command ids are still replayable, the ledger is full", f.NonceCap)
	}
}

func short(id leyline.KeyID) string {
	if len(id) > 32 {
		id = id[:32]
	}
	return fmt.Sprintf("%q", string(id))
}
