// Package planetest holds what tests need that stand in front of a real plane: a log in
// memory, an emergency signal that nobody polls, keys that are the same in every run.
package planetest

import (
	"bytes"
	"context"
	"iter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

// Origin is the name of every log of this package.
const Origin = "esper-test"

// The keys of a plane of this package, as Key takes them.
const (
	Admin byte = iota + 1
	Tamiyo
	LogKey
)

// Key is the signer number n, the same in every run.
func Key(n byte) sign.Signer {
	s, err := sign.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		panic(err) // Invariant: 32 bytes are there to be read
	}
	return s
}

// Store is what a log in memory and a real log have in common.
type Store interface {
	Append(ctx context.Context, next uint64, entries []eventlog.Entry) error
	All(from uint64) iter.Seq2[eventlog.Entry, error]
	Next() uint64
	Leaf(seq uint64) ([32]byte, error)
}

// Log is a log as a plane takes it. It gives no number away.
type Log struct{ Store }

// NewLog makes an empty log in memory.
func NewLog() Log {
	return Log{memlog.New(eventlog.Origin{Name: Origin, LogKey: Key(LogKey).Public(), AdminKey: Key(Admin).Public()}, time.Now().UnixNano())}
}

// Append implements plane.Log.
func (l Log) Append(ctx context.Context, next leyline.Seq, es []plane.Entry) error {
	out := make([]eventlog.Entry, len(es))
	for i, e := range es {
		out[i] = eventlog.Entry{Seq: uint64(e.Seq), At: int64(e.At), Kind: eventlog.KindTransition, Payload: e.Payload}
	}
	return l.Store.Append(ctx, uint64(next), out)
}

// All implements plane.Log.
func (l Log) All(from leyline.Seq) iter.Seq2[plane.Entry, error] {
	return func(yield func(plane.Entry, error) bool) {
		for e, err := range l.Store.All(uint64(from)) {
			if err == nil && e.Kind != eventlog.KindTransition {
				continue
			}
			if !yield(plane.Entry{Seq: leyline.Seq(e.Seq), At: leyline.Instant(e.At), Payload: e.Payload}, err) {
				return
			}
		}
	}
}

// Next implements plane.Log.
func (l Log) Next() leyline.Seq { return leyline.Seq(l.Store.Next()) }

// Claim implements plane.Log.
func (l Log) Claim(leyline.Seq) bool { return false }

// Leaf implements plane.Log.
func (l Log) Leaf(s leyline.Seq) (leyline.Digest, error) {
	d, err := l.Store.Leaf(uint64(s))
	return d, err
}

// Calm is an emergency signal that nobody polls.
type Calm struct{}

// Set implements plane.Signal and keeps nothing.
func (Calm) Set(leyline.EmergencyLevel, string) error { return nil }

// Get implements plane.Signal.
func (Calm) Get() (leyline.EmergencyLevel, string, error) { return leyline.EmergencyNotice, "", nil }

// Options are those of a plane on a log, with snapshots in a directory and the kernels
// of testdata. It is not configured: see Configured.
func Options(log Log, snapshots string) plane.Options {
	return plane.Options{
		Log: log, Origin: Origin, AdminKey: Key(Admin).Public(), Boot: "boot-1", Build: leyline.Build{Version: "test"}, Signer: Key(Tamiyo),
		Signal: Calm{}, Snapshots: snapstore.NewDir(snapshots, true), Kernels: testdata.Kernels(),
		Process: leyline.DefaultConfig().Plane, Logger: hclog.NewNullLogger(),
	}
}

// Configured is the input that puts a configuration into force.
func Configured(c leyline.ExecutionConfig) (leyline.Input, error) {
	body, err := wire.EncodeConfig(c)
	return leyline.ConfigApplied{Envelope: Key(Admin).Sign(leyline.PayloadConfig, body)}, err
}
