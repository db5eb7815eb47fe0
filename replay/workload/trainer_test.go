package workload

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	if got := seen[leyline.EpochObserved](p); len(got) != 3 || got[0].Step != 8 || got[0].Epoch != 1 || got[2].Epoch != 3 || got[0].Samples != 66 {
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

// A second fault before any good step does not hide the first recovery.
func TestTwoFaultsInARow(t *testing.T) {
	p := newFake(t)
	again := false
	p.script = func(in leyline.Input) {
		x, isStep := in.(leyline.StepObserved)
		if isStep && x.Step == 11 && p.open == "" && !again {
			again, p.now.step = true, 10
			p.rollback(11)
		}
	}
	r := train(t, p, p.options(20, Fault{FaultNaN, 11}))
	if len(r.Recoveries) != 2 {
		t.Fatalf("recoveries %+v", r.Recoveries)
	}
	if a, b := r.Recoveries[0], r.Recoveries[1]; a.FirstGood <= b.FirstGood || b.FirstGood <= 0 {
		t.Errorf("first good step after %v and %v", a.FirstGood, b.FirstGood)
	}
}

// broken returns a trainer that is about to report a faulty step 12, with a
// plane whose snapshot of step 10 was damaged. The plane halts the run when it
// is told.
func broken(t *testing.T, damage func(p *fakePlane, s *save)) (*fakePlane, *trainer) {
	p := newFake(t)
	p.script = func(in leyline.Input) {
		if x, isReport := in.(leyline.RollbackReported); isReport && x.Outcome != leyline.OutcomeOK {
			p.halt(leyline.FaultRollbackFailed)
		}
	}
	tr, err := newTrainer(p, p.options(20, Fault{FaultNaN, 12}))
	ok(t, err)
	ok(t, tr.open(t.Context()))
	for s := range leyline.Step(11) {
		ok(t, tr.once(t.Context(), s+1))
	}
	damage(p, &p.saved[len(p.saved)-1])
	return p, tr
}

// Bytes that are not those that were registered, or that are no state of this
// net, are reported as failed and nothing is swapped in. The order to halt comes
// with the answer to the report; a trainer that drops it waits for ever.
func TestRestoreRefusesOtherBytes(t *testing.T) {
	tests := map[string]func(p *fakePlane, s *save){
		"one bit": func(p *fakePlane, s *save) {
			b, err := os.ReadFile(filepath.Join(p.dir, s.File))
			ok(t, err)
			b[len(b)-1] ^= 1
			ok(t, os.WriteFile(filepath.Join(p.dir, s.File), b, 0o600))
		},
		"missing": func(p *fakePlane, s *save) { ok(t, os.Remove(filepath.Join(p.dir, s.File))) },
		"outside": func(_ *fakePlane, s *save) { s.File = "../" + s.File },
		"no state": func(p *fakePlane, s *save) {
			b := []byte("these bytes were registered")
			ok(t, os.WriteFile(filepath.Join(p.dir, s.File), b, 0o600))
			s.Digest = sha256.Sum256(b)
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			p, tr := broken(t, damage)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			ok(t, tr.net.Corrupt(FaultNaN))
			before := tr.net.Digest()
			err := tr.once(ctx, 12)
			var halted *Halted
			if !errors.As(err, &halted) || halted.Reason != leyline.FaultRollbackFailed || !strings.Contains(err.Error(), "scripted") {
				t.Fatalf("ended with %v", err)
			}
			rb := seen[leyline.RollbackReported](p)
			if len(rb) != 1 || rb[0].Outcome != leyline.OutcomeFailed || rb[0].Reason == "" {
				t.Errorf("reported %+v", rb)
			}
			if tr.net.Digest() != before {
				t.Error("the net was changed by bytes that were refused")
			}
			if len(tr.result.Recoveries) != 0 {
				t.Errorf("recoveries %+v", tr.result.Recoveries)
			}
		})
	}
}

// A resume from other bytes than were registered is refused too.
func TestResumeRefusesOtherBytes(t *testing.T) {
	p, _ := broken(t, func(p *fakePlane, s *save) {
		ok(t, os.Truncate(filepath.Join(p.dir, s.File), 100))
	})
	_, err := Train(t.Context(), p, p.options(20, Fault{FaultNaN, 12}))
	if err == nil || !strings.Contains(err.Error(), "hashes to") {
		t.Errorf("resumed from a cut file: %v", err)
	}
}
