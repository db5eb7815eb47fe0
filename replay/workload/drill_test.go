package workload

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// A probe judges the probe rows with a seed at its alpha and at 0, and changes
// nothing.
func TestProbe(t *testing.T) {
	p := newFake(t)
	scriptLife(p)
	plain := train(t, p, p.options(30)).Digest

	p = newFake(t)
	scriptLife(p)
	p.probes = []leyline.SeedID{slotName}
	r := train(t, p, p.options(30))
	if r.Digest != plain {
		t.Error("measuring has changed the net")
	}
	probes := seen[leyline.SeedProbed](p)
	if len(probes) == 0 || probes[0].Step < 7 {
		t.Fatalf("%d probes; a seed that is not grafted has nothing to measure", len(probes))
	}
	last := probes[len(probes)-1]
	if last.Step != 30 || last.Samples != 67 || len(last.Losses) != 3 || last.TookNs == 0 {
		t.Errorf("the last probe is %+v", last)
	}
	if slices.Equal(last.Losses, last.LossesAt0) {
		t.Error("the seed at its alpha and at 0 give the same losses")
	}
	s := newStory(t, 7)
	b, err := s.net.Evaluate(s.net.Data().Probe)
	ok(t, err)
	if b.Rows != int(last.Samples) {
		t.Errorf("judged %d rows, there are %d probe rows", last.Samples, b.Rows)
	}
}

func TestFaultsReachTheirLevers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t)
		var removed, replayed int
		o := p.options(20, Fault{FaultStall, 5}, Fault{FaultKernel, 7}, Fault{FaultReplay, 9}, Fault{FaultPolicy, 11}, Fault{FaultNaN, 13})
		o.Levers = Levers{
			Stall: time.Hour, RemoveKernels: func() error { removed++; return nil },
			ReplayCommand: func(context.Context) error { replayed++; return nil }, LatePolicy: true,
		}
		began := time.Now()
		r, err := Train(t.Context(), p, o)
		ok(t, err)
		if removed != 1 || replayed != 1 || time.Since(began) < time.Hour || time.Since(began) > 2*time.Hour {
			t.Errorf("%d removals, %d replays in %v; the rollback of step 13 goes back before all of them", removed, replayed, time.Since(began))
		}
		if len(r.Recoveries) != 1 || len(p.plan.Drills) != 5 {
			t.Errorf("recovered %+v of drills %+v", r.Recoveries, p.plan.Drills)
		}
	})
}

func TestFaultThatFailsEndsTraining(t *testing.T) {
	p := newFake(t)
	o := p.options(20, Fault{FaultKernel, 7})
	broken := errors.New("read-only file system")
	o.Levers.RemoveKernels = func() error { return broken }
	if _, err := Train(t.Context(), p, o); !errors.Is(err, broken) || !strings.Contains(err.Error(), "fault kernel-missing@7") {
		t.Errorf("ended with %v", err)
	}
}

// The kernel store is emptied again when a run is resumed behind the fault, also
// when a rollback lies between: nobody put the kernels back for that.
func TestMissingKernelsStayMissing(t *testing.T) {
	for _, x := range []struct {
		name    string
		faults  []Fault
		step    leyline.Step // killed after it
		lineage leyline.Lineage
	}{
		{"behind the fault", []Fault{{FaultKernel, 3}}, 8, 0},
		{"behind a rollback", []Fault{{FaultKernel, 7}, {FaultNaN, 9}}, 6, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := newFake(t)
			removed := 0
			o := p.options(20, x.faults...)
			o.Levers.RemoveKernels = func() error { removed++; return nil }
			ctx, cancel := context.WithCancel(t.Context())
			o.Observe = func(now Progress) {
				if now.Step == x.step && now.Lineage == x.lineage {
					cancel()
				}
			}
			if _, err := Train(ctx, p, o); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			o.Observe, o.Resume = nil, true
			r, err := Train(t.Context(), p, o)
			ok(t, err)
			if r.From != 5 || removed != 2 {
				t.Errorf("resumed from step %d, the store was emptied %d times", r.From, removed)
			}
		})
	}
}

func TestFaultThatFindsNothingIsTold(t *testing.T) {
	p := newFake(t)
	o := p.options(20, Fault{FaultReplay, 3}, Fault{FaultReplay, 5})
	calls := 0
	o.Levers.ReplayCommand = func(context.Context) error {
		if calls++; calls == 1 {
			return ErrNothingYet
		}
		return nil
	}
	r, err := Train(t.Context(), p, o)
	ok(t, err)
	if !slices.Equal(r.Missed, []Fault{{FaultReplay, 3}}) || calls != 2 {
		t.Errorf("missed %v of %d", r.Missed, calls)
	}
}

// Two faults that one rollback undoes happen once each.
func TestOverlappingFaultsHappenOnce(t *testing.T) {
	p := newFake(t)
	o := p.options(20, Fault{FaultReplay, 7}, Fault{FaultNaN, 9}, Fault{FaultReplay, 9})
	calls := 0
	o.Levers.ReplayCommand = func(context.Context) error { calls++; return nil }
	r, err := Train(t.Context(), p, o)
	ok(t, err)
	if calls != 2 || len(r.Recoveries) != 1 {
		t.Errorf("%d replays, %d recoveries", calls, len(r.Recoveries))
	}
}

func TestLatePolicyIsLateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := LatePolicy([]Fault{{FaultNaN, 10}, {FaultPolicy, 22}})
		q := policy.Question{Config: leyline.DefaultConfig()}
		q.Config.Tamiyo.PolicyBudget = 50
		for step := leyline.Step(10); step <= 60; step += leyline.Step(q.Config.Tamiyo.WindowSteps) {
			q.Step = step
			ctx, cancel := context.WithTimeout(t.Context(), q.Config.Tamiyo.PolicyBudget.Duration())
			_, err := late(ctx, q)
			cancel()
			if got, want := errors.Is(err, context.DeadlineExceeded), step == 40; got != want {
				t.Errorf("the question of step %d: %v", step, err)
			}
		}
		q.Step, q.Faulted = 40, []leyline.Step{44}
		if _, err := late(t.Context(), q); err != nil {
			t.Errorf("asked again behind a rollback: %v", err)
		}
	})
}

// The time that the trainer waited for the plane is part of its result.
func TestWaitedIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t)
		p.script = func(in leyline.Input) {
			if in != nil && in.InputKind() == leyline.InputStepObserved {
				time.Sleep(time.Second)
			}
		}
		r := train(t, p, p.options(10))
		if r.Waited != 10*time.Second {
			t.Errorf("waited %v for ten answers of a second each", r.Waited)
		}
	})
}
