package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/subsystems/worker"
)

// quiet is an emergency signal that nobody polls.
type quiet struct{ broken *error }

func (quiet) Set(leyline.EmergencyLevel, string) error { return nil }
func (q quiet) Get() (leyline.EmergencyLevel, string, error) {
	return leyline.EmergencyNotice, "", *q.broken
}

// newPlane starts a configured plane on a log in memory.
func newPlane(t *testing.T, free uint64, broken *error) (*plane.Plane, planetest.Log) {
	t.Helper()
	log := planetest.NewLog()
	o := planetest.Options(log, t.TempDir())
	o.Signal, o.Free = quiet{broken}, func() (uint64, uint64, error) { return free, 1 << 40, nil }
	o.Bootstrap = func(*projections.State) ([]leyline.Input, error) {
		configured, err := planetest.Configured(leyline.DefaultConfig())
		return []leyline.Input{configured}, err
	}
	p, err := plane.Start(t.Context(), o)
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
	log.Store.(*memlog.Log).Inject(memlog.Faults{FailAppendAt: log.Store.Next(), Err: errors.New("input/output error")})
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
