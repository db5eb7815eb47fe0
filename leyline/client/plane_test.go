package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// served is a real plane on a log in memory, at a unix socket.
type served struct {
	address string
	dir     string
	plane   *plane.Plane
	server  *server.Server
}

// serve starts one as `esper serve` would.
func serve() (*served, error) {
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		return nil, err
	}
	s := &served{dir: dir, address: "unix:" + filepath.Join(dir, "s")}
	o := planetest.Options(planetest.NewLog(), filepath.Join(dir, "snapshots"))
	o.Bootstrap = func(*projections.State) ([]leyline.Input, error) {
		configured, err := planetest.Configured(leyline.DefaultConfig())
		return []leyline.Input{configured}, err
	}
	s.plane, err = plane.Start(context.Background(), o)
	if err != nil {
		return nil, err
	}
	t, err := trainer.New(trainer.Options{
		Plane: func() trainer.Plane { return s.plane }, Version: "test", Logger: hclog.NewNullLogger(),
		PeerOf: server.PeerOf,
		Places: func(run leyline.RunID) protocol.Places {
			return protocol.Places{Snapshots: filepath.Join(dir, "snapshots", string(run))}
		},
	})
	if err != nil {
		return nil, err
	}
	if s.server, err = server.New(server.Options{Listen: []string{s.address}, Routes: t.Routes(), Logger: hclog.NewNullLogger()}); err != nil {
		return nil, err
	}
	if err := s.server.Start(context.Background()); err != nil {
		return nil, err
	}
	s.server.Open()
	return s, nil
}

// stop ends it.
func (s *served) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := s.server.Stop(ctx)
	return errors.Join(err, s.plane.Shutdown(ctx), os.RemoveAll(s.dir))
}
