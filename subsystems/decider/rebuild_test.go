package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// everyStep asks for a rebuild at each step.
func everyStep(c *leyline.ExecutionConfig) {
	c.Tolaria.Rebuild, c.Tolaria.RebuildSteps = leyline.FenceSteps, 1
}

// held is what an optimizer of two groups holds.
func held() leyline.OptimizerState {
	return leyline.OptimizerState{Groups: 2, Parameters: 10, Digest: digest("optimizer")}
}

// rebuilt is the next report of a trainer that rebuilt its optimizer if it was
// told to; change may alter what it says.
func (w *world) rebuilt(change ...func(*leyline.OrderAck)) leyline.StepObserved {
	x := w.report()
	if id := w.run().Rebuild.Order; !id.IsZero() {
		a := leyline.OrderAck{Order: id, Kind: leyline.EffectRebuild, Outcome: leyline.OutcomeOK, TookNs: 1e6, Before: held(), After: held()}
		for _, f := range change {
			f(&a)
		}
		x.Acks = []leyline.OrderAck{a}
	}
	return x
}

// stages lists the rebuilds among events.
func stages(events []leyline.Event) (out []leyline.OptimizerRebuild) {
	for _, e := range events {
		if x, ok := e.(leyline.OptimizerRebuild); ok {
			out = append(out, x)
		}
	}
	return out
}

// TestRebuildsKeepTheirDistance is the oracle of SPEC.md 8.2: a fence at each of
// three steps, two of which must lie between rebuilds.
func TestRebuildsKeepTheirDistance(t *testing.T) {
	w := newWorld(t, everyStep, func(c *leyline.ExecutionConfig) { c.Tolaria.RebuildMin = 2 })
	w.open()
	var got []string
	for range 3 {
		for _, x := range stages(w.must(w.rebuilt())) {
			got = append(got, itoa(x.Step)+" "+x.Stage.String()+" "+x.Reason.String())
		}
	}
	want := []string{"1 requested none", "1 done none", "2 skipped too_soon", "3 requested none"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// TestFences counts what is asked for: nothing before the first step, once for a
// step, and only where the fence is.
func TestFences(t *testing.T) {
	for _, x := range []struct {
		name  string
		fence leyline.Fence
		every uint32
		want  []string
	}{
		{"off", leyline.FenceOff, 1, nil},
		{"every third step", leyline.FenceSteps, 3, []string{"3", "6"}},
		{"each epoch", leyline.FenceEpoch, 1, []string{"4"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, func(c *leyline.ExecutionConfig) {
				c.Tolaria.Rebuild, c.Tolaria.RebuildSteps, c.Tolaria.EpochBudget, c.Tolaria.FailedEpochs = x.fence, x.every, 5, 0
			})
			w.open()
			var got []string
			note := func(events []leyline.Event) {
				for _, s := range stages(events) {
					if s.Stage == leyline.RebuildRequested {
						got = append(got, itoa(s.Step))
					}
				}
			}
			for step := 1; step <= 6; step++ {
				note(w.must(w.rebuilt()))
				w.serve()
				if step%2 == 0 { // the first and the third epoch fail
					in := w.evaluated()
					in.TookNs = uint64(1+step%4) * 2e6
					note(w.must(in))
				}
			}
			if len(got) != len(x.want) {
				t.Fatalf("asked for at %q, want %q", got, x.want)
			}
			for i := range got {
				if got[i] != x.want[i] {
					t.Errorf("asked for at %q, want %q", got, x.want)
				}
			}
		})
	}
}

// TestRebuildThatLosesSomethingHasFailed believes figures, not the trainer's word.
func TestRebuildThatLosesSomethingHasFailed(t *testing.T) {
	for _, x := range []struct {
		change func(*leyline.OrderAck)
		want   leyline.RebuildReason
	}{
		{func(a *leyline.OrderAck) { a.After.Groups = 1 }, leyline.RebuildGroupsLost},
		{func(a *leyline.OrderAck) { a.Before.Groups, a.After.Groups = 0, 0 }, leyline.RebuildGroupsLost},
		{func(a *leyline.OrderAck) { a.After.Parameters = 8 }, leyline.RebuildParametersLost},
		{func(a *leyline.OrderAck) { a.After.Digest = digest("zeros") }, leyline.RebuildStateLost},
		{func(a *leyline.OrderAck) { a.Outcome, a.Reason = leyline.OutcomeFailed, "out of memory" }, leyline.RebuildTrainer},
	} {
		t.Run(x.want.String(), func(t *testing.T) {
			w := newWorld(t, everyStep)
			w.open()
			w.must(w.rebuilt())
			got := stages(w.must(w.rebuilt(x.change)))
			if len(got) != 2 || got[0].Stage != leyline.RebuildFailed || got[0].Reason != x.want || got[1].Stage != leyline.RebuildRequested {
				t.Errorf("%+v", got)
			}
			if b := w.run().Breaker(leyline.BreakerOptimizer); b.Failures != 1 {
				t.Errorf("the breaker counts %+v", b)
			}
		})
	}
}

// TestFailedRebuildsBackOff opens the breaker with three failures and lets one
// pass after the backoff, which closes it at once.
func TestFailedRebuildsBackOff(t *testing.T) {
	w := newWorld(t, everyStep, func(c *leyline.ExecutionConfig) { c.Tolaria.RebuildBackoff = 10 })
	w.open()
	lost := func(a *leyline.OrderAck) { a.After.Groups = 1 }
	w.must(w.rebuilt())
	w.must(w.rebuilt(lost))
	w.must(w.rebuilt(lost))
	got := stages(w.must(w.rebuilt(lost)))
	if len(got) != 2 || got[1].Stage != leyline.RebuildSkipped || got[1].Reason != leyline.RebuildBreakerOpen {
		t.Fatalf("after three failures %+v", got)
	}
	for w.run().Rebuild.Order.IsZero() { // a millisecond for each record
		w.must(w.rebuilt())
		if w.run().Track.Step > 30 {
			t.Fatal("nothing is asked for any more")
		}
	}
	w.must(w.rebuilt())
	if b := w.run().Breaker(leyline.BreakerOptimizer); b.State != leyline.BreakerClosed || w.run().Rebuild.Done != 1 {
		t.Errorf("the breaker is %+v, done %d", b, w.run().Rebuild.Done)
	}
}

// TestRebuildThatNobodyAnswers: the next fence waits for it, the deadline ends it,
// and a word after that changes nothing.
func TestRebuildThatNobodyAnswers(t *testing.T) {
	w := newWorld(t, everyStep)
	w.open()
	w.must(w.report())
	late := w.rebuilt().Acks
	if got := stages(w.must(w.report())); len(got) != 1 || got[0].Reason != leyline.RebuildPending {
		t.Errorf("at the next fence %+v", got)
	}
	due, ok := w.s.NextTimer()
	if !ok || due.Timer != leyline.TimerRebuild {
		t.Fatalf("armed is %+v", due)
	}
	w.at = due.Due
	if got := stages(w.must(due)); len(got) != 1 || got[0].Stage != leyline.RebuildFailed || got[0].Reason != leyline.RebuildDeadline {
		t.Errorf("at the deadline %+v", got)
	}
	x := w.report()
	x.Acks = late
	got := stages(w.must(x))
	if len(got) != 2 || got[0].Stage != leyline.RebuildLate || w.run().Rebuild.Done != 0 {
		t.Errorf("a word that came late: %+v", got)
	}
}

// TestRebuildIsVoid with a rollback, a resume, and at the end.
func TestRebuildIsVoid(t *testing.T) {
	begun := func() *world {
		w := newWorld(t, everyStep)
		w.open()
		w.steps(12)
		return w
	}
	check := func(w *world, ev []leyline.Event, want leyline.RebuildReason) {
		t.Helper()
		if got := stages(ev); len(got) != 1 || got[0].Stage != leyline.RebuildVoid || got[0].Reason != want || !w.run().Rebuild.Order.IsZero() {
			t.Errorf("%s: %+v", want, got)
		}
	}
	w := begun()
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	check(w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10"))), leyline.RebuildRolledBack)
	w = begun()
	check(w, w.must(leyline.RunClosed{Run: "run-1", Incarnation: w.inc, Step: 12, Outcome: leyline.OutcomeOK, Digest: digest("end")}), leyline.RebuildClosed)
	w = begun()
	x := plan()
	x.Resume = true
	check(w, w.must(x), leyline.RebuildResumed)
	w = begun() // a restart: whether the trainer did it is unknown
	ev := w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	for _, e := range ev {
		if x, ok := e.(leyline.EffectRecovered); ok && x.Kind == leyline.EffectRebuild && !x.Reissued && w.run().Rebuild.Order.IsZero() {
			return
		}
	}
	t.Errorf("after a restart %s", kinds(ev))
}
