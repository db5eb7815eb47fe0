package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// Defaults of Options.
const (
	DefaultHelloTimeout = 5 * time.Second
	DefaultReadTimeout  = server.DefaultReadTimeout
	DefaultWriteTimeout = server.DefaultWriteTimeout
	DefaultIdleTimeout  = server.DefaultIdleTimeout
)

// Window is how many requests of a connection may be out: as many as a trainer that is
// leyline.MaxLag steps ahead has.
const Window = leyline.MaxLag + 1

// Service takes reports: a trainer.Service. Its methods are called by any number of
// goroutines.
type Service interface {
	// Admit says whether a peer may report for a run; else no is the problem, as JSON.
	Admit(run leyline.RunID, peer trainer.Peer) (no trainer.Reply, ok bool)
	// Submit hands a report over in the order of calls; wait returns when it is durable.
	Submit(ctx context.Context, c trainer.Call) (wait func() trainer.Reply)
}

// Options configures a lane. Path, Service and Logger are required; a zero number takes
// its default.
type Options struct {
	Path    string // of the socket, at most 103 bytes
	Service Service
	Logger  hclog.Logger

	MaxConnections int           // open at a time. Default 256
	MaxPerPeer     int           // of those by one process. Default three quarters
	HelloTimeout   time.Duration // from the connection to the end of the hello. Default 5 s
	ReadTimeout    time.Duration // from the first byte of a frame to its end. Default 30 s
	WriteTimeout   time.Duration // of one answer. Default 30 s
	IdleTimeout    time.Duration // between two frames while no run is open. Default 30 s
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Path == "":
		return o, errors.New("lane options: no path of a socket")
	case o.Service == nil:
		return o, errors.New("lane options: no service")
	case o.Logger == nil:
		return o, errors.New("lane options: no logger")
	case min(o.MaxConnections, o.MaxPerPeer) < 0:
		return o, errors.New("lane options: a negative bound")
	case min(o.HelloTimeout, o.ReadTimeout, o.WriteTimeout, o.IdleTimeout) < 0:
		return o, errors.New("lane options: a negative timeout")
	}
	o.MaxConnections = cmp.Or(o.MaxConnections, server.DefaultMaxConnections)
	o.MaxPerPeer = cmp.Or(o.MaxPerPeer, o.MaxConnections-o.MaxConnections/4)
	o.HelloTimeout = cmp.Or(o.HelloTimeout, DefaultHelloTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, DefaultReadTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, DefaultWriteTimeout)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, DefaultIdleTimeout)
	if o.MaxPerPeer > o.MaxConnections {
		return o, fmt.Errorf("lane options: one peer may have %d of %d connections", o.MaxPerPeer, o.MaxConnections)
	}
	return o, nil
}
