package client_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/trainer"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

// memory is a log in memory as a plane takes it.
type memory struct{ *memlog.Log }

func (m memory) Append(ctx context.Context, next leyline.Seq, es []plane.Entry) error {
	var out []eventlog.Entry
	for _, e := range es {
		out = append(out, eventlog.Entry{Seq: uint64(e.Seq), At: int64(e.At), Kind: eventlog.KindTransition, Payload: e.Payload})
	}
	return m.Log.Append(ctx, uint64(next), out)
}

func (m memory) All(from leyline.Seq) iter.Seq2[plane.Entry, error] {
	return func(yield func(plane.Entry, error) bool) {
		for e, err := range m.Log.All(uint64(from)) {
			if e.Kind == eventlog.KindTransition && !yield(plane.Entry{Seq: leyline.Seq(e.Seq), At: leyline.Instant(e.At), Payload: e.Payload}, err) {
				return
			}
		}
	}
}

func (m memory) Next() leyline.Seq      { return leyline.Seq(m.Log.Next()) }
func (m memory) Claim(leyline.Seq) bool { return false }
func (m memory) Leaf(s leyline.Seq) (leyline.Digest, error) {
	d, err := m.Log.Leaf(uint64(s))
	return d, err
}

// calm is an emergency signal that nobody polls.
type calm struct{}

func (calm) Set(leyline.EmergencyLevel, string) error { return nil }
func (calm) Get() (leyline.EmergencyLevel, string, error) {
	return leyline.EmergencyNotice, "", nil
}

func key(n byte) sign.Signer {
	k, err := sign.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		panic(err)
	}
	return k
}

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
	admin, config := key(1), leyline.DefaultConfig()
	log := memory{memlog.New(eventlog.Origin{Name: "esper-test", LogKey: key(3).Public(), AdminKey: admin.Public()}, time.Now().UnixNano())}
	s.plane, err = plane.Start(context.Background(), plane.Options{
		Log: log, Origin: "esper-test", AdminKey: admin.Public(), Boot: "boot", Build: leyline.Build{Version: "test"}, Signer: key(2), Signal: calm{},
		Snapshots: snapstore.NewDir(filepath.Join(dir, "snapshots"), false), Kernels: testdata.Kernels(), Process: config.Plane, Logger: hclog.NewNullLogger(),
		Bootstrap: func(*projections.State) ([]leyline.Input, error) {
			body, err := wire.EncodeConfig(config)
			return []leyline.Input{leyline.ConfigApplied{Envelope: admin.Sign(leyline.PayloadConfig, body)}}, err
		},
	})
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
