package plane_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
)

// TestTheSameReportGetsTheRecordedAnswer sends reports again: right away, after others,
// and to a plane that was restarted. The record of the first answers, and none is added.
func TestTheSameReportGetsTheRecordedAnswer(t *testing.T) {
	t.Run("memory", func(t *testing.T) { sameReports(t, newSidecar(t, 0)) })
	t.Run("disk", func(t *testing.T) {
		b := newBench(t)
		log, err := eventlog.Create(t.TempDir()+"/log", b.origin, time.Now().UnixNano(), eventlog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sameReports(t, sidecarOn(t, b, log, 0))
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
}

func sameReports(t *testing.T, s *sidecar) {
	t.Helper()
	epoch := leyline.EpochObserved{Run: "run-1", Incarnation: 1, Step: 2, Epoch: 1, Losses: []float64{1, 2}, Accuracies: []float64{0.5, 0.5}, Samples: 9}
	reports := []leyline.Input{s.write("s-0", 0), twoTasks(1), twoTasks(2), epoch, s.write("s-2", 2)}
	var answers []leyline.Answer
	for _, in := range reports {
		answers = append(answers, s.must(in))
	}
	again := func(when string) {
		t.Helper()
		next := s.log.Next()
		for i, in := range reports {
			a := s.must(in)
			if diff := cmp.Diff(answers[i].Weights, a.Weights); diff != "" || a.Seq != answers[i].Seq || a.Snapshot != answers[i].Snapshot || a.Overtaken {
				t.Errorf("%s, %s: answered %+v, first %+v", when, in.InputKind(), a, answers[i])
			}
			if step, ok := in.(leyline.StepObserved); ok && (a.Step != step.Step || len(a.Weights) != 2) {
				t.Errorf("%s: step %d was answered as %+v", when, step.Step, a)
			}
		}
		if got := s.log.Next(); got != next {
			t.Errorf("%s: %d records were added", when, got-next)
		}
	}
	again("right away")
	s.must(twoTasks(3))
	again("a step later")
	other := twoTasks(2)
	other.Losses = []float64{1, 0.25}
	if r := s.refused(other); r.Kind != leyline.RefusalStepConflict || r.Field != "step" {
		t.Errorf("another content for step 2: %v", r)
	}
	s.stop()
	s.start()
	again("after a restart")
	other = twoTasks(3)
	other.Seed++
	if r := s.refused(other); r.Kind != leyline.RefusalStepConflict {
		t.Errorf("another content for step 3: %v", r)
	}
	if a := s.must(twoTasks(4)); len(a.Weights) != 2 || a.Incarnation != 1 {
		t.Errorf("the step after the restart was answered as %+v", a)
	}
	end := leyline.RunClosed{Run: "run-1", Incarnation: 1, Step: 4, Outcome: leyline.OutcomeOK, Digest: leyline.Digest{1}}
	a, next := s.must(end), s.log.Next()
	if b := s.must(end); b.Seq != a.Seq || s.log.Next() != next {
		t.Errorf("the end was answered as %+v, then as %+v", a, b)
	}
	if r := s.refused(twoTasks(4)); r.Kind != leyline.RefusalRunNotOpen {
		t.Errorf("a step after the end: %v", r)
	}
	s.stop()
	mustRedecide(t, s.log)
}

// TestAnAnswerIsSharedWhileItIsOnItsWay sends a report again before its record is
// durable: both get the same answer.
func TestAnAnswerIsSharedWhileItIsOnItsWay(t *testing.T) {
	b := newBench(t)
	slow := &slowLog{store: b.newLog()}
	s := &sidecar{t: t, b: b, log: slow}
	s.start()
	x := twoTaskRun()
	x.Principal, x.Away = "uid:1000", leyline.AwayStop
	if _, err := s.p.Open(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	slow.hold()
	first := s.p.Submit(t.Context(), twoTasks(1), 0)
	second := s.p.Submit(t.Context(), twoTasks(1), 0)
	third := make(chan leyline.Answer, 1)
	go func() {
		a, err := second()
		if err != nil {
			t.Error(err)
		}
		third <- a
	}()
	slow.let()
	a, err := first()
	if err != nil {
		t.Fatal(err)
	}
	if b := <-third; b.Seq != a.Seq || !cmp.Equal(a.Weights, b.Weights) {
		t.Errorf("answered %+v and %+v", a, b)
	}
	s.stop()
	if n := told(t, s.log); len(n) != 1 {
		t.Errorf("the reports in the log are %+v", n)
	}
}

// TestAnOldIncarnationIsRefused resumes a run: the trainer of before gets no answers any
// more, not even those that it had.
func TestAnOldIncarnationIsRefused(t *testing.T) {
	s := newSidecar(t, 0)
	s.must(twoTasks(1))
	x := twoTaskRun()
	x.Principal, x.Away, x.Resume = "uid:1001", leyline.AwayWait, true
	if _, err := s.p.Open(t.Context(), x); err == nil {
		t.Error("somebody else resumed the run")
	} else if r, ok := leyline.AsRefusal(err); !ok || r.Kind != leyline.RefusalNotAuthorized || r.Field != "principal" {
		t.Errorf("somebody else: %v", err)
	}
	x.Principal = "uid:1000"
	if _, err := s.p.Open(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if r := s.refused(twoTasks(1)); r.Kind != leyline.RefusalIncarnation {
		t.Errorf("the step of before: %v", r)
	}
	if who, ok := s.p.Principal("run-1"); !ok || who != "uid:1000" {
		t.Errorf("the run is of %q", who)
	}
	s.stop()
	s.start()
	if who, ok := s.p.Principal("run-1"); !ok || who != "uid:1000" {
		t.Errorf("after a restart the run is of %q", who)
	}
	if _, ok := s.p.Principal("run-2"); ok {
		t.Error("somebody has opened a run that there is not")
	}
	s.stop()
}

// TestAFileThatIsAboutToBeReportedStays restarts the plane between the writing of a
// snapshot and its report.
func TestAFileThatIsAboutToBeReportedStays(t *testing.T) {
	s := newSidecar(t, 0)
	in := s.write("s-0", 0)
	s.stop()
	s.start()
	s.must(in)
	if r := mustRedecide(t, s.log).Tolaria.Run("run-1"); len(r.Snapshots) != 1 {
		t.Errorf("%d snapshots are registered", len(r.Snapshots))
	}
	s.stop()
}

// TestSubmitKeepsTheOrder hands in steps one after the other without waiting for any
// answer. Each is decided in its turn, and the answers come in that order.
func TestSubmitKeepsTheOrder(t *testing.T) {
	s := newSidecar(t, leyline.MaxLag)
	var waits []func() (leyline.Answer, error)
	for n := range leyline.Step(leyline.MaxLag) {
		x := twoTasks(n + 1)
		waits = append(waits, s.p.Submit(t.Context(), x, 0))
	}
	last := leyline.Seq(0)
	for i, wait := range waits {
		a, err := wait()
		if err != nil || a.Step != leyline.Step(i+1) || a.Seq <= last || len(a.Weights) != 2 {
			t.Fatalf("step %d: %+v, %v", i+1, a, err)
		}
		last = a.Seq
	}
	for _, in := range []leyline.Input{leyline.RunOpened{Run: "run-1"}, leyline.TimerFired{Run: "run-1"}, nil} {
		if _, err := s.p.Submit(t.Context(), in, 0)(); err == nil {
			t.Errorf("%T was taken for a report", in)
		}
	}
	s.stop()
	mustRedecide(t, s.log)
}

// TestTheOrderToHaltIsHandedOutAgain halts a run, and starts the plane anew before its
// trainer has heard of it.
func TestTheOrderToHaltIsHandedOutAgain(t *testing.T) {
	s := newSidecar(t, 0)
	bad := twoTasks(1)
	bad.Losses = []float64{math.NaN(), 1} // before there is any snapshot to return to
	first := s.must(bad)
	s.stop()
	s.start()
	again := s.must(bad)
	for _, a := range []leyline.Answer{first, again} {
		if len(a.Weights) != 0 || len(a.Directives) != 1 || a.Directives[0].Halt == nil || a.Directives[0].ID != first.Directives[0].ID {
			t.Fatalf("answered %+v", a)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if a, err := s.p.Directives(ctx, "run-1", 0); err != nil || len(a.Directives) != 1 || a.Directives[0].Halt.Reason != leyline.FaultNoSnapshot {
		t.Errorf("asked for directives: %+v, %v", a, err)
	}
	s.stop()
}
