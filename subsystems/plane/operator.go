package plane

import (
	"context"
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Vouch hands in what the admin key has signed: a key, or the
// revocation of one. peer is who hands it in, for the
// process's own log. It returns the record that holds it; an envelope that the plane
// does not admit is a *leyline.Refusal.
func (p *Plane) Vouch(ctx context.Context, env leyline.Envelope, peer string) (leyline.Seq, error) {
	var seq leyline.Seq
	var err error
	switch env.PayloadType {
	case leyline.PayloadKey:
		seq, err = p.Enroll(ctx, leyline.KeyAdded{Envelope: env}, peer)
	case leyline.PayloadRevocation:
		seq, err = p.Revoke(ctx, leyline.KeyRevoked{Envelope: env}, peer)
	default:
		return 0, leyline.Invalid("envelope.payload_type", fmt.Sprintf("is %.100q; keys are signed as %s, revocations as %s",
			env.PayloadType, leyline.PayloadKey, leyline.PayloadRevocation))
	}
	p.log.Info("the admin key's word was handed in", "payload_type", env.PayloadType, "peer", peer, "record", seq, "err", err)
	return seq, err
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
