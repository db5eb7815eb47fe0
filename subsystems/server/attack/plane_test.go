package attack_test

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

// planeLog is a log in memory as a plane takes it.
type planeLog struct{ *memlog.Log }

func (l planeLog) Append(ctx context.Context, next leyline.Seq, es []plane.Entry) error {
	out := make([]eventlog.Entry, len(es))
	for i, e := range es {
		out[i] = eventlog.Entry{Seq: uint64(e.Seq), At: int64(e.At), Kind: eventlog.KindTransition, Payload: e.Payload}
	}
	return l.Log.Append(ctx, uint64(next), out)
}

func (l planeLog) All(from leyline.Seq) iter.Seq2[plane.Entry, error] {
	return func(yield func(plane.Entry, error) bool) {
		for e, err := range l.Log.All(uint64(from)) {
			if e.Kind == eventlog.KindTransition && !yield(plane.Entry{Seq: leyline.Seq(e.Seq), At: leyline.Instant(e.At), Payload: e.Payload}, err) {
				return
			}
		}
	}
}

func (l planeLog) Next() leyline.Seq      { return leyline.Seq(l.Log.Next()) }
func (l planeLog) Claim(leyline.Seq) bool { return false }
func (l planeLog) Leaf(s leyline.Seq) (leyline.Digest, error) {
	d, err := l.Log.Leaf(uint64(s))
	return d, err
}

type noSignal struct{}

func (noSignal) Set(leyline.EmergencyLevel, string) error { return nil }
func (noSignal) Get() (leyline.EmergencyLevel, string, error) {
	return leyline.EmergencyNotice, "", nil
}

func (f *fort) startPlane() {
	f.Helper()
	f.log = planeLog{memlog.New(eventlog.Origin{Name: "esper-test", LogKey: key(f.T, 3).Public(), AdminKey: key(f.T, 1).Public()}, time.Now().UnixNano())}
	c := leyline.DefaultConfig()
	body, err := wire.EncodeConfig(c)
	kernel, kerr := testdata.Kernel("residual-mlp-16")
	if err = errors.Join(err, kerr); err != nil {
		f.Fatal(err)
	}
	f.plane, err = plane.Start(f.Context(), plane.Options{
		Log: f.log, Origin: "esper-test", AdminKey: key(f.T, 1).Public(), Boot: "boot-1", Build: leyline.Build{Version: "test"}, Signer: key(f.T, 2),
		Signal: noSignal{}, Snapshots: snapstore.NewDir(f.dir, true), Kernels: testdata.Kernels(), Process: c.Plane, Logger: hclog.NewNullLogger(),
		Bootstrap: func(*projections.State) ([]leyline.Input, error) {
			return []leyline.Input{leyline.ConfigApplied{Envelope: key(f.T, 1).Sign(leyline.PayloadConfig, body)}, leylinetest.Blueprint("residual-mlp-16", kernel)}, nil
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := f.plane.Shutdown(context.Background()); err != nil {
			f.Error(err)
		}
	})
}
