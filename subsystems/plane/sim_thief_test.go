package plane_test

import (
	"context"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/recheck"
	"github.com/esper-plane/esper/subsystems/plane"
)

// steal hands every command that the surviving log accepted in again, and a forged copy
// of each. What became of them is for onlyOnce to say: the process may die meanwhile.
func (s *sim) steal(ctx context.Context, p *plane.Plane) {
	for _, r := range records(s.t, s.log) {
		x, ok := r.Input.(leyline.CommandReceived)
		if !ok || !slices.ContainsFunc(r.Events, func(e leyline.Event) bool { return e.EventKind() == leyline.EventCommandVerified }) {
			continue
		}
		forged := x.Envelope
		forged.Signature = slices.Clone(forged.Signature)
		forged.Signature[11] ^= 1
		for _, env := range []leyline.Envelope{x.Envelope, forged} {
			if _, err := p.Command(ctx, leyline.CommandReceived{Envelope: env, Peer: leyline.PeerTrainer, PeerName: "thief"}); ctx.Err() != nil && err != nil {
				return
			}
		}
	}
}

// onlyOnce checks that no command was accepted twice in all lives of the log, that the
// sequences of a key only rise, and that an auditor derives every verdict again.
func (s *sim) onlyOnce() {
	accepted := map[leyline.CommandID]leyline.Seq{}
	high := map[leyline.KeyID]uint64{}
	c := recheck.New(s.origin.AdminKey)
	for _, r := range records(s.t, s.log) {
		c.Apply(r)
		s.stolen += theirs(r)
		for _, e := range r.Events {
			x, ok := e.(leyline.CommandVerified)
			if !ok {
				continue
			}
			if before := accepted[x.Command]; before != 0 || x.Sequence <= high[x.Key] {
				s.t.Errorf("record %d accepts %s with sequence %d; record %d accepted it before, %d is spent", r.Seq, x.Command, x.Sequence, before, high[x.Key])
			}
			accepted[x.Command], high[x.Key] = r.Seq, x.Sequence
		}
	}
	if rep := c.Report(); rep.Differences != 0 {
		s.t.Errorf("verdicts do not follow from the log: %+v", rep.Listed)
	}
}

// theirs counts the commands of the thief that a record refuses.
func theirs(r leyline.Record) (n uint64) {
	if x, ok := r.Input.(leyline.PeerRejected); ok && x.PeerName == "thief" {
		for _, c := range x.Counts {
			n += c.N
		}
	}
	if x, ok := r.Input.(leyline.CommandReceived); ok && x.PeerName == "thief" {
		n++ // accepted ones are errors already
	}
	return n
}
