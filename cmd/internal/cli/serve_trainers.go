package cli

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server/trainer"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// trainers makes the service of trainers and its routes.
func (s *service) trainers(log hclog.Logger) (*trainer.Service, error) {
	t, err := trainer.New(trainer.Options{
		Plane: func() trainer.Plane { return s.running.Load() }, Places: s.placesOf, PeerOf: peerOf, Version: Version, Logger: log,
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

// peerOf says who has sent a request: at the socket, whoever may open it; over TCP,
// nobody who speaks for a trainer.
func peerOf(r *http.Request) (leyline.PeerKind, string) {
	at, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if at == nil || at.Network() != "unix" {
		return leyline.PeerOperator, ""
	}
	return leyline.PeerTrainer, fmt.Sprintf("uid:%d", os.Geteuid())
}
