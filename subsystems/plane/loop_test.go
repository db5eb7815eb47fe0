package plane_test

import (
	"math"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
)

// run trains run-1 from the beginning on a fresh plane and returns the records
// and the state that a replay of them gives. halted says that training has to end
// so.
func (b *bench) run(steps leyline.Step, halted bool, faults ...workload.Fault) ([]leyline.Record, *projections.State) {
	b.t.Helper()
	log := b.newLog()
	p, err := b.start(b.t.Context(), log)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err = b.train(b.t.Context(), p, steps, faults...); (err != nil) != halted {
		b.t.Fatal(err)
	}
	if err := p.Shutdown(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return records(b.t, log), mustRedecide(b.t, log)
}

// TestRatesOfARealRun trains under a cosine with a warm-up, through a rollback,
// and compares what the trainer says that it used with what was ordered.
func TestRatesOfARealRun(t *testing.T) {
	b := newBench(t)
	c := &b.config.Tolaria
	c.LRPolicy, c.LRWarmup, c.LRPeriod, c.LRFloor = leyline.LRCosine, 5, 15, 0.2
	rs, s := b.run(30, false, nan(23))
	ordered := map[leyline.Step]float64{}
	for _, r := range rs {
		if x, ok := r.Input.(leyline.StepObserved); ok && x.Step > 1 {
			if want := ordered[x.Step-1]; want != 0 && x.LearnRate != want && len(x.Acks) > 0 {
				t.Errorf("step %d was trained at %v, ordered was %v", x.Step-1, x.LearnRate, want)
			}
		}
		for _, set := range only[leyline.RateSet]([]leyline.Record{r}) {
			if old, again := ordered[set.Step]; again && old != set.Rates[0] {
				t.Errorf("step %d is to be trained at %v and was at %v", set.Step, set.Rates[0], old)
			}
			ordered[set.Step] = set.Rates[0]
		}
	}
	base := s.Tolaria.Run("run-1").Plan.Groups[0].Rate
	if ordered[1] != base*0.2 || ordered[5] != base || ordered[21] != base*0.2 {
		t.Errorf("the base is %v, ordered were %v", base, ordered)
	}
	acks := only[leyline.RateAcked](rs)
	for _, a := range acks {
		if a.Outcome != leyline.OutcomeOK && a.Outcome != leyline.OutcomeSuperseded {
			t.Errorf("acknowledged as %+v", a)
		}
	}
	if sets := only[leyline.RateSet](rs); len(acks) != len(sets) || len(sets) < 20 {
		t.Errorf("%d orders, %d acknowledgements", len(sets), len(acks))
	}
	if len(only[leyline.RollbackFinished](rs)) != 1 {
		t.Error("nothing was rolled back; the test shows less than it says")
	}
}

// TestRateThatTheTrainerCannotSet ends a cosine at 0, which the built-in trainer
// refuses: each refusal is in the log, and the order is given again.
func TestRateThatTheTrainerCannotSet(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.LRPolicy, b.config.Tolaria.LRPeriod, b.config.Tolaria.LRFloor = leyline.LRCosine, 4, 0
	rs, _ := b.run(9, false)
	failed := 0
	for _, a := range only[leyline.RateAcked](rs) {
		if a.Outcome == leyline.OutcomeFailed {
			failed++
		}
	}
	if failed != 5 { // the updates of steps 5 to 9
		t.Errorf("%d orders have failed", failed)
	}
}

// TestEpochsOfARealRun measures real epochs and real answers against budgets that
// none can keep.
func TestEpochsOfARealRun(t *testing.T) {
	for _, x := range []struct {
		name   string
		change func(*leyline.TolariaConfig)
		reason leyline.EpochReason
	}{
		{"epochs", func(c *leyline.TolariaConfig) { c.EpochBudget = 1 }, leyline.EpochBudget},
		{"answers", func(c *leyline.TolariaConfig) { c.HookBudget = 1 }, leyline.EpochHookBudget},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t)
			x.change(&b.config.Tolaria)
			b.released = func(leyline.Record) { time.Sleep(2 * time.Millisecond) }
			rs, s := b.run(60, true)
			failed := only[leyline.EpochFailed](rs)
			if len(failed) != 3 {
				t.Fatalf("%d epochs failed, the third has to halt the run", len(failed))
			}
			for _, f := range failed {
				if f.Reason != x.reason || f.TookNs <= f.BudgetNs || f.BudgetNs != 1e6 {
					t.Errorf("failed as %+v", f)
				}
			}
			if r := s.Tolaria.Run("run-1"); r.Halt != leyline.FaultEpochStreak || r.Emergency != leyline.EmergencyHalt || r.Rollbacks != 0 {
				t.Errorf("halted for %s at %s after %d rollbacks", r.Halt, r.Emergency, r.Rollbacks)
			}
			if level, reason, _ := b.signal.Get(); level != leyline.EmergencyHalt || reason != leyline.FaultEpochStreak.String() {
				t.Errorf("the signal says %s for %q", level, reason)
			}
		})
	}
}

// TestEpochsAreMeasured: without budgets no epoch of a healthy run fails, and each
// says how long it took.
func TestEpochsAreMeasured(t *testing.T) {
	b := newBench(t)
	rs, _ := b.run(30, false)
	epochs := only[leyline.EpochAssessed](rs)
	for _, e := range epochs {
		if e.TookNs == 0 || e.HookNs == 0 || e.HookNs > e.TookNs || e.TookNs > math.MaxInt64 {
			t.Errorf("measured %+v", e)
		}
	}
	if len(epochs) < 2 || len(only[leyline.EpochFailed](rs)) != 0 {
		t.Errorf("%d epochs, failed %+v", len(epochs), only[leyline.EpochFailed](rs))
	}
}

// TestRebuildsOfARealRun makes a real optimizer anew at each fence: nothing is
// lost, and the run ends with the weights of one that was left alone.
func TestRebuildsOfARealRun(t *testing.T) {
	final := func(change func(*leyline.TolariaConfig)) ([]leyline.Record, leyline.Digest) {
		b := newBench(t)
		change(&b.config.Tolaria)
		rs, s := b.run(40, false)
		return rs, s.Tolaria.Run("run-1").Final
	}
	_, alone := final(func(*leyline.TolariaConfig) {})
	for name, change := range map[string]func(*leyline.TolariaConfig){
		"every step": func(c *leyline.TolariaConfig) { c.Rebuild, c.RebuildSteps, c.RebuildMin = leyline.FenceSteps, 1, 2 },
		"each epoch": func(c *leyline.TolariaConfig) { c.Rebuild = leyline.FenceEpoch },
	} {
		rs, digest := final(change)
		if digest != alone {
			t.Errorf("%s: the run ended with other weights", name)
		}
		n := map[leyline.RebuildStage]int{}
		for _, x := range only[leyline.OptimizerRebuild](rs) {
			n[x.Stage]++
			if x.Stage == leyline.RebuildDone && (x.TookNs == 0 || x.Before != x.After || x.After.Parameters == 0) {
				t.Errorf("%s: %+v", name, x)
			}
		}
		if n[leyline.RebuildDone] == 0 || n[leyline.RebuildFailed] != 0 || n[leyline.RebuildDone]+n[leyline.RebuildVoid] != n[leyline.RebuildRequested] {
			t.Errorf("%s: %v", name, n)
		}
		if name == "every step" && (n[leyline.RebuildSkipped] != 20 || n[leyline.RebuildRequested] != 20) {
			t.Errorf("%s: %v, want every other one skipped", name, n)
		}
	}
}
