package trainer

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/server"
)

// Open opens or resumes a run, which belongs to the peer from here on. Op and Run
// of the call are not looked at.
func (s *Service) Open(ctx context.Context, c Call) Reply {
	a, err := s.open(ctx, c)
	if err != nil {
		return problem(err, c.accepted())
	}
	return reply(a, c.accepted())
}

func (s *Service) open(ctx context.Context, c Call) (*protocol.OpenAnswer, error) {
	if err := speaks(c.Peer); err != nil {
		return nil, err
	}
	var b protocol.OpenRequest
	if err := protocol.Decode(c.Media, c.Body, &b); err != nil {
		return nil, err
	}
	if b.Protocol != protocol.Version {
		return nil, server.Mistake(http.StatusBadRequest, "protocol_version", "protocol",
			fmt.Sprintf("the request speaks version %d of the protocol, this plane version %d", b.Protocol, protocol.Version), "GET /v1/protocol lists the versions")
	}
	if b.Resume {
		if err := s.admit(b.Run, c.Peer); err != nil {
			return nil, err
		}
	}
	if err := s.affords(b.Run, c.Peer); err != nil {
		return nil, err
	}
	b.Principal = c.Peer.Name
	p := s.opts.Plane()
	a := &protocol.OpenAnswer{Protocol: protocol.Version, QuickFrom: leyline.QuickFrom}
	var err error
	if a.OpenAnswer, err = p.Open(ctx, b.RunOpened); err != nil {
		return nil, s.counted(b.Run, c.Peer, err)
	}
	a.Places = s.opts.Places(b.Run)
	return a, p.View(ctx, func(st *projections.State) { describe(a, st, b.Run) })
}

// describe fills in what a trainer must know of the plane.
func describe(a *protocol.OpenAnswer, s *projections.State, run leyline.RunID) {
	a.Origin, a.AdminKey = s.Plane.Origin, slices.Clone(s.Plane.AdminKey)
	c := &s.Plane.Config.Tolaria
	a.Rule, a.SnapshotEvery = protocol.RuleOf(c), leyline.Step(c.SnapshotEvery)
	for i := range s.Plane.Keys {
		k := &s.Plane.Keys[i]
		if s.Plane.Revocation(k.ID) != nil || len(k.Kinds) == 0 || len(k.Runs) > 0 && !slices.Contains(k.Runs, run) {
			continue
		}
		a.Keys = append(a.Keys, protocol.Key{Key: k.ID, Public: slices.Clone(k.Public), Issuer: k.Issuer})
	}
}
