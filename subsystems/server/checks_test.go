package server

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/subsystems/worker"
	"github.com/esper-plane/esper/testdata"
)

// memory is a log in memory as a plane sees it.
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
			if err == nil && e.Kind != eventlog.KindTransition {
				continue
			}
			if !yield(plane.Entry{Seq: leyline.Seq(e.Seq), At: leyline.Instant(e.At), Payload: e.Payload}, err) {
				return
			}
		}
	}
}

func (m memory) Claim(leyline.Seq) bool { return false }
func (m memory) Next() leyline.Seq      { return leyline.Seq(m.Log.Next()) }
func (m memory) Leaf(s leyline.Seq) (leyline.Digest, error) {
	d, err := m.Log.Leaf(uint64(s))
	return d, err
}

// quiet is an emergency signal that nobody polls.
type quiet struct{ broken *error }

func (quiet) Set(leyline.EmergencyLevel, string) error { return nil }
func (q quiet) Get() (leyline.EmergencyLevel, string, error) {
	return leyline.EmergencyNotice, "", *q.broken
}

// zeros is an endless source of one key.
type zeros byte

func (z zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(z)
	}
	return len(b), nil
}

func key(t *testing.T, n byte) sign.Signer {
	t.Helper()
	k, err := sign.Generate(zeros(n))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newPlane starts a configured plane on a log in memory.
func newPlane(t *testing.T, free uint64, broken *error) (*plane.Plane, *memlog.Log) {
	t.Helper()
	admin := key(t, 1)
	log := memlog.New(eventlog.Origin{Name: "esper-test", LogKey: key(t, 3).Public(), AdminKey: admin.Public()}, time.Now().UnixNano())
	config := leyline.DefaultConfig()
	p, err := plane.Start(t.Context(), plane.Options{
		Log: memory{log}, Origin: "esper-test", AdminKey: admin.Public(), Boot: "boot", Build: leyline.Build{Version: "test"},
		Signer: key(t, 2), Signal: quiet{broken}, Snapshots: snapstore.NewDir(t.TempDir(), true), Kernels: testdata.Kernels(), Process: config.Plane, Logger: hclog.NewNullLogger(),
		Free: func() (uint64, uint64, error) { return free, 1 << 40, nil },
		Bootstrap: func(*projections.State) ([]leyline.Input, error) {
			body, err := wire.EncodeConfig(config)
			return []leyline.Input{leyline.ConfigApplied{Envelope: admin.Sign(leyline.PayloadConfig, body)}}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

// found runs the checks of a plane and returns the reasons of those that fail.
func found(t *testing.T, p *plane.Plane) map[string]string {
	t.Helper()
	out := map[string]string{}
	get := func() *plane.Plane { return p }
	for _, c := range append(PlaneLive(get), PlaneReady(get)...) {
		if err := c.Look(t.Context()); err != nil {
			out[c.Name] = err.Error()
		}
	}
	return out
}

// TestPlaneChecks: before the start, in health, on a full disk, with a poisoned log,
// after the end.
func TestPlaneChecks(t *testing.T) {
	wants := func(when string, got map[string]string, want map[string]string) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("%s: %v", when, got)
		}
		for name, text := range want {
			if !strings.Contains(got[name], text) {
				t.Errorf("%s: %s says %q, want %q", when, name, got[name], text)
			}
		}
	}
	unknown, broken := errUnknown.Error(), error(nil)
	wants("before", found(t, nil), map[string]string{"recovery": "has not started yet", "log": unknown, "disk": unknown, "signal": unknown, "worker": unknown})

	p, _ := newPlane(t, 1<<30, &broken)
	wants("healthy", found(t, p), nil)
	broken = errors.New("the file has gone")
	wants("unheard", found(t, p), map[string]string{"signal": "the file has gone"})
	broken = nil
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopping := leyline.ErrStopping.Error()
	wants("after", found(t, p), map[string]string{"loop": stopping, "log": stopping, "disk": stopping, "signal": stopping, "worker": stopping})

	p, _ = newPlane(t, 1<<20, &broken)
	wants("full", found(t, p), map[string]string{"disk": "1048576 bytes were free when that was noticed, under the 268435456 of log.min_free_mib = 256"})
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	p, log := newPlane(t, 1<<30, &broken)
	log.Inject(memlog.Faults{FailAppendAt: log.Next(), Err: errors.New("input/output error")})
	if _, err := p.Step(t.Context(), leyline.StepObserved{Run: "run-1", Step: 1}, 0); !errors.Is(err, leyline.ErrStorage) {
		t.Fatalf("the log does not fail: %v", err)
	}
	<-p.Done()
	poisoned := "input/output error"
	wants("poisoned", found(t, p), map[string]string{"loop": poisoned, "log": poisoned, "disk": poisoned, "signal": poisoned, "worker": poisoned})
}

func TestJudges(t *testing.T) {
	for _, c := range []struct {
		judge  func(plane.Health) error
		health plane.Health
		want   string // "": it holds
	}{
		{judgeLog, plane.Health{Waiting: LogPatience}, ""},
		{judgeLog, plane.Health{Waiting: LogPatience + time.Millisecond}, "a write has been under way for 2.001s"},
		{judgeWorker, plane.Health{Workers: 2, WorkerQueue: 3, Worker: worker.Stats{Queued: 2, Running: 2, Leaked: 1}}, ""},
		{judgeWorker, plane.Health{Workers: 2, WorkerQueue: 3, Worker: worker.Stats{Queued: 3, Running: 2}}, "the queue is full: 3 jobs wait, 2 run"},
		{judgeWorker, plane.Health{Workers: 2, WorkerQueue: 3, Worker: worker.Stats{Leaked: 2, LeakedNames: []string{"stage 1.0", "stage 2.0"}}}, "2 jobs have ended and do not return, as many as may run at once: [stage 1.0 stage 2.0]"},
	} {
		err := c.judge(c.health)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.health, err, c.want)
		}
	}
}
