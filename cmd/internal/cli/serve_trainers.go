package cli

import (
	"context"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/trainer"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// trainers makes the service of trainers and its routes.
func (s *service) trainers(log hclog.Logger) (*trainer.Service, error) {
	t, err := trainer.New(trainer.Options{
		Plane: func() trainer.Plane { return s.running.Load() }, Places: s.placesOf, PeerOf: server.PeerOf, Version: Version, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	s.routes = t.Routes()
	return t, nil
}

// placesOf is where the files of a run lie. The data directory is open whenever a
// request is let in.
func (s *service) placesOf(run leyline.RunID) protocol.Places {
	p := protocol.Places{
		Snapshots: filepath.Join(s.dir.Snapshots().Path(), string(run)), Kernels: s.dir.KernelsPath(),
		Signal: datadir.SignalPath(s.dir.Path), Traces: filepath.Join(s.dir.Traces(), string(run)),
	}
	if fast, ok := s.fast.(*snapstore.Dir); ok && fast != nil {
		p.Fast = filepath.Join(fast.Path(), string(run))
	}
	return p
}

// lanePath is the socket of the framed lane.
func (s *service) lanePath() string { return s.flags.socket + datadir.FastSuffix }

// framed is the framed lane as a part of the process: it is there while the plane is.
func (s *service) framed() supervise.Component {
	return supervise.Component{
		Name: "framed lane", StartBudget: startBudget, StopBudget: quickBudget,
		Start: func(ctx context.Context) error {
			if err := s.lane.Start(ctx); err != nil {
				return err
			}
			s.lane.Open()
			return nil
		},
		Stop: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, requestPatience)
			defer cancel()
			cut, err := s.lane.Stop(ctx)
			s.web.left(cut, "reports on the framed lane were still under way")
			return err
		},
		Done: s.lane.Done, Err: s.lane.Err,
	}
}
