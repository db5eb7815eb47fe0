package workload

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// meanLosses are the mean losses of a run's steps, by step.
func meanLosses(p *fakePlane) []float64 {
	out := []float64{0}
	for _, x := range seen[leyline.StepObserved](p) {
		out = append(out, detmath.Sum(x.Losses)/float64(len(x.Losses)))
	}
	return out
}

// The faults of labels make training really worse for 20 steps, each in its way, and
// leave the data as it is: other runs share it.
func TestFaultsOfLabels(t *testing.T) {
	plain := newFake(t)
	train(t, plain, plain.options(150))
	calm := meanLosses(plain)
	data := plain.options(1).Workload
	before, err := data.Data()
	ok(t, err)
	kept := slices.Clone(before.Labels[0])

	for _, x := range []struct {
		fault  string
		struck func(since leyline.Step) bool // steps whose loss must be clearly higher
		least  float64                       // by so much
		most   float64                       // no loss above it
	}{
		{FaultNoisy, func(since leyline.Step) bool { return since == 0 }, 1, 6},
		{FaultJump, func(since leyline.Step) bool { return since == 0 }, 0.1, 1.5},
		{FaultConflict, func(since leyline.Step) bool { return since < 2 }, 0.3, 3},
	} {
		t.Run(x.fault, func(t *testing.T) {
			p := newFake(t)
			train(t, p, p.options(150, Fault{x.fault, 100}))
			got := meanLosses(p)
			if !slices.Equal(got[:100], calm[:100]) {
				t.Error("training differs before the fault")
			}
			mean := [2]float64{}
			for since := range spell {
				if x.struck(since) && got[100+since] < calm[100+since]+x.least {
					t.Errorf("step %d: loss %.3f, without the fault %.3f", 100+since, got[100+since], calm[100+since])
				}
				mean[0] += got[100+since] / float64(spell)
				mean[1] += calm[100+since] / float64(spell)
			}
			if mean[0] < mean[1]+0.1 || slices.Max(got[100:]) > x.most {
				t.Errorf("mean loss %.3f, without the fault %.3f; at most %.3f", mean[0], mean[1], slices.Max(got[100:]))
			}
			if !slices.Equal(before.Labels[0], kept) {
				t.Error("the data itself has changed")
			}
		})
	}
}

// The tasks of FaultConflict are at odds in most pairs.
func TestConflictingTasks(t *testing.T) {
	count := func(faults ...Fault) (pairs int) {
		p := newFake(t)
		train(t, p, p.options(130, faults...))
		for _, x := range seen[leyline.StepObserved](p)[99:109] {
			for _, at := range []int{1, 2, 5} {
				if x.Gram[at] < 0 {
					pairs++
				}
			}
		}
		return pairs
	}
	if got, calm := count(Fault{FaultConflict, 100}), count(); got < 18 || got <= calm {
		t.Errorf("%d of 30 pairs in conflict, %d without the fault", got, calm)
	}
}

// At rate 0 no parameter moves; an order, or a state that is loaded, sets it again.
func TestRateZero(t *testing.T) {
	p := newFake(t)
	p.script = func(in leyline.Input) {
		if x, isStep := in.(leyline.StepObserved); isStep && x.Step == 14 {
			p.order(leyline.Directive{Kind: leyline.EffectRates, Rates: &leyline.RateOrder{Rates: []float64{0.01}}})
		}
	}
	train(t, p, p.options(20, Fault{FaultRate, 11}))
	for _, x := range seen[leyline.StepObserved](p) {
		want := 0.05
		switch {
		case x.Step > 14:
			want = 0.01
		case x.Step >= 11:
			want = 0
		}
		if x.LearnRate != want {
			t.Errorf("step %d learns at %v, want %v", x.Step, x.LearnRate, want)
		}
	}

	s := newStory(t, 7)
	saved, err := s.net.Save(0)
	ok(t, err)
	ok(t, s.net.Corrupt(FaultRate))
	before := slices.Clone(s.net.trunk.value)
	s.train(t, 1, 3)
	if !slices.Equal(before, s.net.trunk.value) {
		t.Error("a step at rate 0 has moved a parameter")
	}
	ok(t, s.net.Load(saved))
	if s.net.LearningRate() != 0.05 {
		t.Errorf("a state was loaded, the rate is %v", s.net.LearningRate())
	}
}

// The processors are really busy while training does nothing but wait, and not any
// more when it has ended.
func TestLoadEndsWithTraining(t *testing.T) {
	p := newFake(t)
	o := p.options(10, Fault{FaultLoad, 3})
	o.Levers.Slow = time.Hour
	o.Observe = func(now Progress) {
		for began := processorTime(t); now.Step == 5 && processorTime(t) < began+300*time.Millisecond; {
			time.Sleep(10 * time.Millisecond) // without the drill this would never end
		}
	}
	before := runtime.NumGoroutine()
	train(t, p, o)
	for runtime.NumGoroutine() > before { // one that is over may still be counted; one that is not never ends
		time.Sleep(time.Millisecond)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	ok(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A drill that waits for something to slow down until training ends did not strike.
func TestDragThatFindsNothingIsTold(t *testing.T) {
	p := newFake(t)
	o := p.options(20, Fault{FaultSlowApply, 3}, Fault{FaultSlowFinalize, 4})
	o.Levers.Slow = time.Hour
	if r := train(t, p, o); !slices.Equal(r.Missed, o.Faults) {
		t.Errorf("missed %v of %v", r.Missed, o.Faults)
	}
}

// The plane's answer is late when the lever says so, and only in that step.
func TestSlowHookPullsItsLever(t *testing.T) {
	p := newFake(t)
	o := p.options(20, Fault{FaultSlowHook, 6})
	o.Levers.Slow = time.Second
	var held []time.Duration
	o.Levers.HoldAnswers = func(d time.Duration) error { held = append(held, d); return nil }
	train(t, p, o)
	if !slices.Equal(held, []time.Duration{time.Second}) {
		t.Errorf("held for %v", held)
	}
	o.Levers.HoldAnswers = nil
	if _, err := Train(t.Context(), newFake(t), o); err == nil {
		t.Error("a drill without its lever was let through")
	}
}
