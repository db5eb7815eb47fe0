package plane

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
)

// Vouch hands in what the admin key has signed: a key, the revocation of one, or the
// import of a policy, which a key that may issue POLICY commands may sign too. peer is
// who hands it in, for the process's own log. It returns the record that holds it; an envelope that the plane
// does not admit is a *leyline.Refusal.
func (p *Plane) Vouch(ctx context.Context, env leyline.Envelope, peer string) (leyline.Seq, error) {
	var seq leyline.Seq
	var err error
	switch env.PayloadType {
	case leyline.PayloadKey:
		seq, err = p.Enroll(ctx, leyline.KeyAdded{Envelope: env}, peer)
	case leyline.PayloadRevocation:
		seq, err = p.Revoke(ctx, leyline.KeyRevoked{Envelope: env}, peer)
	case leyline.PayloadPolicy:
		seq, err = p.Import(ctx, leyline.PolicyImported{Envelope: env, Peer: leyline.PeerOperator, PeerName: peer})
	default:
		return 0, leyline.Invalid("envelope.payload_type", fmt.Sprintf("is %.100q; keys are signed as %s, revocations as %s, policies as %s",
			env.PayloadType, leyline.PayloadKey, leyline.PayloadRevocation, leyline.PayloadPolicy))
	}
	p.log.Info("a signed word was handed in", "payload_type", env.PayloadType, "peer", peer, "record", seq, "err", err)
	return seq, err
}

// Import makes the file of a policy known. It may lie in the policy store later. What
// neither the admin key nor an enrolled one has signed is only counted.
func (p *Plane) Import(ctx context.Context, in leyline.PolicyImported) (leyline.Seq, error) {
	if bad := leyline.PeerNamed(in.Peer, in.PeerName); bad != nil {
		return 0, bad
	}
	if err := in.Validate(); err != nil {
		return 0, err
	}
	if why, detail := p.signed(in.Envelope); why != leyline.RejectNone {
		p.refusals.note(in.Peer, in.PeerName, why, sha256.Sum256(in.Envelope.Payload))
		return 0, leyline.Reject(why, in.Envelope.KeyID, detail)
	}
	a, err := p.submit(ctx, in)
	return a.Seq, err
}

// signed checks that the admin key or an enrolled one has signed an envelope.
func (p *Plane) signed(env leyline.Envelope) (leyline.RejectReason, string) {
	keys, public := p.keys.Load(), p.opts.AdminKey
	if env.KeyID != sign.KeyIDOf(p.opts.AdminKey) {
		key := keys.Key(env.KeyID)
		switch {
		case key == nil:
			return leyline.RejectUnknownKey, "the key was never enrolled"
		case keys.Revocation(env.KeyID) != nil:
			return leyline.RejectKeyRevoked, fmt.Sprintf("the key was revoked in record %d", keys.Revocation(env.KeyID).Seq)
		}
		public = key.Public
	}
	if err := sign.Verify(public, env); err != nil {
		return leyline.RejectInvalidSignature, err.Error()
	}
	return leyline.RejectNone, ""
}

// Teach makes the teacher of a run known, in place of the one there is.
func (p *Plane) Teach(ctx context.Context, in leyline.TeacherRegistered) (leyline.Seq, error) {
	a, err := p.submit(ctx, in)
	return a.Seq, err
}

// Forget says that a run has no teacher any more.
func (p *Plane) Forget(ctx context.Context, in leyline.TeacherDeregistered) (leyline.Seq, error) {
	a, err := p.submit(ctx, in)
	return a.Seq, err
}
