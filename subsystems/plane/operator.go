package plane

import (
	"context"
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Vouch hands in what the admin key has signed: a key. peer is who hands it in, for the
// process's own log. It returns the record that holds it; an envelope that the plane
// does not admit is a *leyline.Refusal.
func (p *Plane) Vouch(ctx context.Context, env leyline.Envelope, peer string) (leyline.Seq, error) {
	var in leyline.Input
	switch env.PayloadType {
	case leyline.PayloadKey:
		in = leyline.KeyAdded{Envelope: env}
	default:
		return 0, leyline.Invalid("envelope.payload_type", fmt.Sprintf("is %.100q; keys are signed as %s", env.PayloadType, leyline.PayloadKey))
	}
	a, err := p.submit(ctx, in)
	p.log.Info("the admin key's word was handed in", "input", in.InputKind(), "peer", peer, "err", err)
	return a.Seq, err
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
