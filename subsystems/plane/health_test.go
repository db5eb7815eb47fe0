package plane_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
)

// slow is a log whose writes wait for a signal.
type slow struct {
	store
	hold chan struct{} // nil: they do not
}

func (s *slow) Append(ctx context.Context, next uint64, es []eventlog.Entry) error {
	if s.hold != nil {
		<-s.hold
	}
	return s.store.Append(ctx, next, es)
}

// TestHealthIsAnsweredWhileTheDiskIsNot: the loop answers while a write hangs, and
// says for how long it has.
func TestHealthIsAnsweredWhileTheDiskIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		log := &slow{store: b.newLog()}
		p, err := b.start(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		h, err := p.Health(t.Context())
		if err != nil || h.Waiting != 0 || h.Pending != 0 || h.Durable != leyline.Seq(log.Next()-1) {
			t.Fatalf("%+v, %v; the log ends before %d", h, err, log.Next())
		}
		if h.Workers != int(b.config.Plane.Workers) || h.WorkerQueue != int(b.config.Plane.WorkerQueue) || h.DiskMinFree != b.config.Log.MinFree() {
			t.Errorf("bounds %+v", h)
		}
		log.hold = make(chan struct{})
		refused := make(chan error, 1)
		go func() {
			_, err := p.Step(context.Background(), leyline.StepObserved{Run: "nobody", Step: 1}, 0)
			refused <- err
		}()
		synctest.Wait()
		time.Sleep(3 * time.Second)
		if h, err = p.Health(t.Context()); err != nil || h.Waiting != 3*time.Second || h.Pending != 1 {
			t.Errorf("%+v, %v; want one record that waits for 3s", h, err)
		}
		close(log.hold)
		if r, ok := leyline.AsRefusal(<-refused); !ok {
			t.Errorf("the step of an unknown run: %v", r)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Health(t.Context()); !errors.Is(err, leyline.ErrStopping) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestAdmitLeavesNoTrace: what is refused before the start is not in the log, and
// no snapshot was swept for it.
func TestAdmitLeavesNoTrace(t *testing.T) {
	b := newBench(t)
	log := b.newLog()
	p, err := b.start(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.train(t.Context(), p, 3); err != nil {
		t.Fatal(err)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(b.snapshots, "run-1", "stray")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before, no := log.Next(), errors.New("no")
	b.admit = func(s *projections.State) error {
		if s.Tolaria.Run("run-1") == nil {
			t.Error("the state that is asked about is not the recovered one")
		}
		return no
	}
	if _, err := b.start(t.Context(), log); !errors.Is(err, no) {
		t.Errorf("start: %v", err)
	}
	if log.Next() != before {
		t.Errorf("%d records were written", log.Next()-before)
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error(err)
	}
	b.admit = nil
	if p, err = b.start(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stray); err == nil {
		t.Error("a start that is admitted sweeps nothing: the test shows nothing")
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestHealthOfTheSignal: a level that could not be published, or that someone else
// has overwritten, is told of.
func TestHealthOfTheSignal(t *testing.T) {
	gone := errors.New("the file has gone")
	for _, c := range []struct {
		broken error                  // while it trains
		after  leyline.EmergencyLevel // written by someone else
		want   string                 // "": nothing
	}{
		{nil, leyline.EmergencyNotice, ""},
		{nil, leyline.EmergencyHalt, "L4_HALT, and L1_NOTICE was published: someone else has written to it"},
		{gone, leyline.EmergencyNotice, "L1_NOTICE was not published: the file has gone"},
	} {
		b := newBench(t)
		p := b.mustStart(b.newLog())
		b.signal.change(func(s *memSignal) { s.broken = c.broken })
		if _, err := b.train(t.Context(), p, 40, workload.Fault{Name: workload.FaultNaN, Step: 20}); err != nil {
			t.Fatal(err)
		}
		b.signal.change(func(s *memSignal) { s.level = c.after })
		h, err := p.Health(t.Context())
		if err != nil || (h.Signal == nil) != (c.want == "") || c.want != "" && !strings.Contains(h.Signal.Error(), c.want) {
			t.Errorf("%+v: %v, %v", c, h.Signal, err)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
