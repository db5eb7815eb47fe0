package plane_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// sidecar is a plane beside a trainer of another process.
type sidecar struct {
	t   *testing.T
	b   *bench
	log store
	p   *plane.Plane
}

func newSidecar(t *testing.T, lag uint32) *sidecar {
	b := newBench(t)
	return sidecarOn(t, b, b.newLog(), lag)
}

func sidecarOn(t *testing.T, b *bench, log store, lag uint32) *sidecar {
	s := &sidecar{t: t, b: b, log: log}
	s.start()
	x := twoTaskRun()
	x.Principal, x.Away, x.Lag = "uid:1000", leyline.AwayWait, lag
	if _, err := s.p.Open(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sidecar) start() {
	s.t.Helper()
	p, err := s.b.start(context.Background(), s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	s.p = p
}

func (s *sidecar) stop() {
	s.t.Helper()
	if err := s.p.Shutdown(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// must reports something that has to be admitted.
func (s *sidecar) must(in leyline.Input) leyline.Answer {
	s.t.Helper()
	a, err := s.p.Submit(s.t.Context(), in, 0)()
	if err != nil {
		s.t.Fatalf("%s: %v", in.InputKind(), err)
	}
	return a
}

// refused reports something that has to be refused.
func (s *sidecar) refused(in leyline.Input) *leyline.Refusal {
	s.t.Helper()
	_, err := s.p.Submit(s.t.Context(), in, 0)()
	r, ok := leyline.AsRefusal(err)
	if !ok {
		s.t.Fatalf("%s was not refused: %v", in.InputKind(), err)
	}
	return r
}

// write writes a snapshot's file and returns its report.
func (s *sidecar) write(name string, step leyline.Step) leyline.SnapshotTaken {
	s.t.Helper()
	body, err := tensorfile.Encode(nil, []tensorfile.Tensor{{Name: "a", Shape: []int{1}, Data: []float64{1}}})
	if err != nil {
		s.t.Fatal(err)
	}
	dir := filepath.Join(s.b.snapshots, "run-1")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return leyline.SnapshotTaken{
		Run: "run-1", Incarnation: 1, Step: step, Snapshot: leyline.SnapshotID(name), Tier: leyline.TierFull, File: name,
		Bytes: uint64(len(body)), Digest: sha256.Sum256(body),
	}
}

// slowLog makes nothing durable while it is held.
type slowLog struct {
	store
	mu sync.Mutex
}

func (l *slowLog) hold() { l.mu.Lock() }
func (l *slowLog) let()  { l.mu.Unlock() }

func (l *slowLog) Append(ctx context.Context, next uint64, es []eventlog.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.Append(ctx, next, es)
}
