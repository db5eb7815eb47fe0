package workload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

func train(t testing.TB, p *fakePlane, o Options) Result {
	t.Helper()
	r, err := Train(t.Context(), p, o)
	ok(t, err)
	return r
}

// The weights of the answers, and nothing else, move the net: a loop without
// any plane that applies the same weights ends with the same bits.
func TestTrainAppliesTheAnswer(t *testing.T) {
	p := newFake(t)
	r := train(t, p, p.options(30))
	s := newStory(t, 7)
	for step := range uint64(30) {
		_, seed := detmath.Mix(7, 0, step+1)
		s.weights = weightsOf(seed)
		s.train(t, step+1, step+1)
	}
	if r.Digest != s.net.Digest() {
		t.Error("the net is not what the plane's weights make of it")
	}
	ev := s.judge(t)
	if len(r.Tasks) != 3 || r.Tasks[1].Task != "sex" || r.Tasks[1].Loss != ev.Losses[1] || r.Tasks[1].Accuracy != ev.Accuracy[1] {
		t.Errorf("tasks %+v, evaluated %+v", r.Tasks, ev)
	}
	closed := seen[leyline.RunClosed](p)
	if len(closed) != 1 || closed[0].Digest != r.Digest || closed[0].Step != 30 || closed[0].Outcome != leyline.OutcomeOK {
		t.Errorf("closed with %+v", closed)
	}
	if got := seen[leyline.EpochObserved](p); len(got) != 5 || got[0].Step != 6 || got[0].Epoch != 1 || got[4].Epoch != 5 || got[0].Samples != 67 {
		t.Errorf("epochs %+v", got)
	}
	if r.Run != "run-1" || r.Steps != 30 || r.Resumed || r.Elapsed <= 0 || len(r.Recoveries) != 0 {
		t.Errorf("result %+v", r)
	}
}

// scriptLife scripts the life of a seed by steps, so that a rewound run lives it again.
func scriptLife(p *fakePlane) {
	p.script = func(in leyline.Input) {
		x, isStep := in.(leyline.StepObserved)
		if !isStep || p.open != "" {
			return
		}
		seed := &p.now.seed
		switch x.Step {
		case 6:
			p.command(leyline.OpGerminate)
			seed.Stage = leyline.StageGerminated
		case 7:
			p.command(leyline.OpStartTraining)
			seed.Stage = leyline.StageTraining
		case 13:
			p.command(leyline.OpStartGrafting)
			seed.Stage = leyline.StageBlending
		case 26:
			p.command(leyline.OpStabilize)
			seed.Stage = leyline.StageShadowing
		}
		if seed.Stage == leyline.StageBlending {
			seed.Alpha = float64(x.Step-12) / 20
		}
	}
}

// A run that is stopped after any step and resumed ends bit for bit like one
// that never stopped: seed, blend, rollback and all.
func TestResumeEqualsNeverStopped(t *testing.T) {
	fault := Fault{FaultNaN, 18}
	p := newFake(t)
	scriptLife(p)
	want := train(t, p, p.options(36, fault))
	for _, stop := range []leyline.Step{1, 5, 6, 7, 13, 17, 20, 27, 35} {
		p := stopped(t, stop, fault)
		got := train(t, p, p.options(36, fault))
		if got.Digest != want.Digest {
			t.Errorf("stopped after step %d: ended with %s, want %s", stop, got.Digest.Short(), want.Digest.Short())
		}
		if !got.Resumed || got.From != stop/5*5 {
			t.Errorf("stopped after step %d: resumed %t from %d", stop, got.Resumed, got.From)
		}
		if n := len(p.bad); n != 1 {
			t.Errorf("stopped after step %d: %d faults, the drill is declared once", stop, n)
		}
	}
	if want.Tasks[0].Loss == want.Tasks[0].LossAt0 {
		t.Error("the blended seed changes nothing: the test shows nothing")
	}
}

// stopped returns a plane whose trainer was stopped after a step.
func stopped(t *testing.T, stop leyline.Step, fault Fault) *fakePlane {
	t.Helper()
	p := newFake(t)
	scriptLife(p)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := p.options(36, fault)
	o.Observe = func(g Progress) {
		if g.Step == stop {
			cancel()
		}
	}
	if _, err := Train(ctx, p, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped after step %d: %v", stop, err)
	}
	if n := len(seen[leyline.RunClosed](p)); n != 0 {
		t.Errorf("stopped after step %d: the run was closed", stop)
	}
	return p
}

// A drill is real damage, the restore brings back the bytes that were saved, and
// what the trainer measured of it is in the result.
func TestFaultIsInjectedOnceAndRestored(t *testing.T) {
	p := newFake(t)
	r := train(t, p, p.options(20, Fault{FaultNaN, 12}))
	var at12 []leyline.StepObserved
	for _, s := range seen[leyline.StepObserved](p) {
		if s.Step == 12 {
			at12 = append(at12, s)
		}
	}
	if len(at12) != 2 || !math.IsNaN(at12[0].Losses[0]) || math.IsNaN(at12[1].Losses[0]) {
		t.Fatalf("step 12 was seen as %+v", at12)
	}
	if at12[0].Seed == at12[1].Seed {
		t.Error("the retried step repeats the random choices that led into the fault")
	}
	rb := seen[leyline.RollbackReported](p)
	if len(rb) != 1 || rb[0].Outcome != leyline.OutcomeOK || rb[0].Phase != leyline.PhaseCommit || rb[0].TookNs == 0 {
		t.Fatalf("reported %+v", rb)
	}
	c := r.Recoveries
	if len(c) != 1 || c[0].FaultStep != 12 || c[0].ToStep != 10 || c[0].Digest != rb[0].Digest || c[0].Cause != leyline.FaultNonFinite ||
		c[0].Restore <= 0 || c[0].FirstGood <= c[0].Restore {
		t.Errorf("recoveries %+v", c)
	}
}

// A second fault before any good step does not hide the first recovery. Each
// report of a restore takes the plane a second here and nothing else takes time
// before the first good step.
func TestTwoFaultsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t)
		again := false
		p.script = func(in leyline.Input) {
			switch x := in.(type) {
			case leyline.RollbackReported:
				time.Sleep(time.Second)
			case leyline.StepObserved:
				if x.Step == 11 && p.open == "" && !again {
					again, p.now.step = true, 10
					p.rollback(11)
				}
			}
		}
		o := p.options(20, Fault{FaultNaN, 11})
		o.Observe = func(Progress) { time.Sleep(time.Hour) }
		r := train(t, p, o)
		var got []string
		for _, c := range r.Recoveries {
			got = append(got, fmt.Sprintf("%d to %d, restored in %v, good after %v", c.FaultStep, c.ToStep, c.Restore, c.FirstGood))
		}
		want := []string{"11 to 10, restored in 0s, good after 2s", "11 to 10, restored in 0s, good after 1s"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("recoveries (-want +got):\n%s", diff)
		}
	})
}
