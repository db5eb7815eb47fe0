// Package verify is the command verifier: pure, from an envelope and what the
// log says about keys and spent nonces to a verdict.
//
// The order of checks is fixed (DESIGN.md section 7): size, structure, key known,
// key not revoked, signature, permission, audience, timestamp present, not in the
// future, not stale, sequence and nonce unseen, rate, room in the ledger. The first
// that fails is the reason. Only a command that passed all of them spends its nonce,
// so a stale or forged command burns nothing. The payload is decoded from the very
// bytes that the signature covers.
//
// # The replay ledger
//
// A nonce is kept until its command is too old to be fresh: issued + freshness +
// skew. Plane time never goes back, not even over a restart, so nothing is added for
// a clock that was set back. Beside the nonces the highest sequence of every key is
// kept for ever, so that a longer freshness, set later, revives nothing. A full
// ledger refuses; it forgets nothing that could be replayed.
//
// No key may fill the ledger: it may hold Facts.KeyCap nonces, or its equal part of
// Facts.NonceCap where that is less. All keys together then never hold more than
// there is room for, unless a key was enrolled within the last minute.
package verify

import (
	"crypto/sha256"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/verify/detail"
)

// Facts is what the verifier knows. All of it is derived from the log.
type Facts struct {
	Origin    string
	Now       leyline.Instant
	Freshness leyline.Freshness
	NonceCap  uint32 // nonces of all keys
	KeyCap    uint32 // nonces of one key
	Plane     *projections.Plane
	Ledger    *projections.Kasmina
	// Proven reports whether a signature was found good before, in this process. It
	// only saves time: nil, or an answer of false, and the signature is checked here.
	Proven func(public []byte, env leyline.Envelope) bool
}

// Of collects the facts of a record.
func Of(t *projections.Turn) Facts {
	c := &t.Config().Kasmina
	return Facts{
		Origin: t.State.Plane.Origin, Now: t.Meta.At,
		Freshness: leyline.Freshness{Window: c.Freshness.Duration(), Skew: c.Skew.Duration()},
		NonceCap:  c.NonceCap, KeyCap: c.NonceKeyCap(), Plane: &t.State.Plane, Ledger: &t.State.Kasmina, Proven: t.Proven,
	}
}

// Verdict is what the verifier found. Command is set as far as it could be
// read; a reason other than RejectNone means that it must not be trusted.
type Verdict struct {
	Reason    leyline.RejectReason
	Detail    string
	Command   leyline.Command
	Digest    leyline.Digest     // SHA-256 of the payload bytes
	KeepUntil leyline.Instant    // the nonce cannot be replayed after this
	Ledger    leyline.LedgerFill // if the nonce is not spent
}

// Command verifies one envelope.
func Command(f Facts, env leyline.Envelope) Verdict {
	v := Verdict{Digest: sha256.Sum256(env.Payload)}
	expired := f.Ledger.Expired(f.Now)
	v.Ledger = leyline.LedgerFill{
		Live: uint32(len(f.Ledger.Nonces) - expired), OfKey: ofKey(f.Ledger, env.KeyID, expired), Expired: uint32(expired),
	}
	if v.signed(f.Plane, f.prove, env) && v.permitted(f, env.KeyID) && v.addressed(f) && v.fresh(f) {
		v.unseen(f, env.KeyID)
	}
	return v
}

// ofKey counts the nonces of a key that can still be replayed: those in the ledger
// without the expired first ones.
func ofKey(k *projections.Kasmina, key leyline.KeyID, expired int) uint32 {
	n := k.Window(key).Live
	for i := range expired {
		if k.Nonces[i].Key == key {
			n--
		}
	}
	return n
}

// Spending is the fill of the ledger if the command spends its nonce.
func (v *Verdict) Spending() leyline.LedgerFill {
	f := v.Ledger
	f.Live, f.OfKey = f.Live+1, f.OfKey+1
	return f
}

// Signed checks what needs no more than the keys: size, structure, key and
// signature, the last by prove, which is as strict as sign.Verify. It is what a door can
// do before anything is recorded.
func Signed(p *projections.Plane, env leyline.Envelope, prove func(public []byte, env leyline.Envelope) error) Verdict {
	v := Verdict{Digest: sha256.Sum256(env.Payload)}
	v.signed(p, prove, env)
	return v
}

// prove checks a signature that was not found good before.
func (f *Facts) prove(public []byte, env leyline.Envelope) error {
	if f.Proven != nil && f.Proven(public, env) {
		return nil
	}
	return sign.Verify(public, env)
}

func (v *Verdict) signed(p *projections.Plane, prove func([]byte, leyline.Envelope) error, env leyline.Envelope) bool {
	if !v.decode(env) {
		return false
	}
	key := p.Key(env.KeyID)
	switch {
	case key == nil:
		return v.reject(leyline.RejectUnknownKey, detail.UnknownKey(env.KeyID))
	case p.Revocation(env.KeyID) != nil:
		return v.reject(leyline.RejectKeyRevoked, detail.KeyRevoked(env.KeyID, p.Revocation(env.KeyID).Seq))
	case len(env.Signature) == 0:
		return v.reject(leyline.RejectMissingSignature, detail.MissingSignature())
	}
	if err := prove(key.Public, env); err != nil {
		return v.reject(leyline.RejectInvalidSignature, err.Error())
	}
	return true
}

func (v *Verdict) reject(why leyline.RejectReason, text string) bool {
	v.Reason, v.Detail = why, text
	return false
}

func (v *Verdict) decode(env leyline.Envelope) bool {
	if len(env.Payload) > leyline.MaxCommandBytes {
		return v.reject(leyline.RejectTooLarge, detail.TooLarge(len(env.Payload)))
	}
	if env.PayloadType != leyline.PayloadCommand {
		return v.reject(leyline.RejectMalformed, detail.PayloadType())
	}
	c, err := wire.DecodeCommand(env.Payload)
	if err != nil {
		return v.reject(leyline.RejectMalformed, err.Error())
	}
	if err := c.Validate(); err != nil {
		return v.reject(leyline.RejectMalformed, err.Error())
	}
	v.Command = c
	return true
}

func (v *Verdict) permitted(f Facts, id leyline.KeyID) bool {
	key, c := f.Plane.Key(id), &v.Command
	switch {
	case c.Issuer != key.Issuer:
		return v.reject(leyline.RejectNotPermitted, detail.OtherIssuer())
	case !key.Permits(c.Kind, c.Audience.Run):
		return v.reject(leyline.RejectNotPermitted, detail.NotPermitted(c.Kind, c.Audience.Run))
	}
	return true
}

func (v *Verdict) addressed(f Facts) bool {
	if got := v.Command.Audience.Origin; got != f.Origin {
		return v.reject(leyline.RejectWrongAudience, detail.WrongAudience(got, f.Origin))
	}
	if err := leyline.CheckID(v.Command.ID); err != nil {
		return v.reject(leyline.RejectMissingCommandID, detail.BadID(err))
	}
	return true
}

func (v *Verdict) fresh(f Facts) bool {
	issued := v.Command.IssuedAt
	switch {
	case issued <= 0:
		return v.reject(leyline.RejectMissingTimestamp, detail.Untimed())
	case issued > f.Now.Add(f.Freshness.Skew):
		return v.reject(leyline.RejectFuture, detail.Future(issued.Sub(f.Now), f.Freshness.Skew))
	case f.Now > issued.Add(f.Freshness.Window):
		return v.reject(leyline.RejectStale, detail.Stale(f.Now.Sub(issued), f.Freshness.Window))
	case v.Command.NotAfter != 0 && f.Now > v.Command.NotAfter:
		return v.reject(leyline.RejectStale, detail.TooLate(v.Command.NotAfter))
	}
	v.KeepUntil = issued.Add(f.Freshness.Window + f.Freshness.Skew)
	return true
}

func (v *Verdict) unseen(f Facts, id leyline.KeyID) {
	w, key := f.Ledger.Window(id), f.Plane.Key(id)
	quota := Quota(f.NonceCap, f.KeyCap, f.Plane.ValidKeys())
	switch {
	case f.Ledger.Spent(v.Command.ID):
		v.reject(leyline.RejectNonceReplayed, detail.Replayed())
	case v.Command.Sequence <= w.High:
		v.reject(leyline.RejectSequenceReplayed, detail.OldSequence(v.Command.Sequence, w.High))
	case key.Rate > 0 && w.InMinute(f.Now) >= key.Rate:
		v.reject(leyline.RejectRateLimited, detail.RateLimited(key.Rate))
	case v.Ledger.Live >= f.NonceCap:
		v.reject(leyline.RejectLedgerFull, detail.LedgerFull(f.NonceCap))
	case v.Ledger.OfKey >= quota:
		v.reject(leyline.RejectNonceQuota, detail.QuotaFull(quota))
	}
}

// Quota is how many nonces one of the valid keys may hold in the ledger: keyCap, or
// its equal part of the whole where that is less; at least 1.
func Quota(nonceCap, keyCap uint32, keys int) uint32 {
	return max(1, min(keyCap, nonceCap/uint32(max(1, keys))))
}
