package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// evaluated is the epoch that ends after the last step.
func (w *world) evaluated() leyline.EpochObserved {
	return leyline.EpochObserved{
		Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Epoch: w.run().Track.Epoch + 1,
		Losses: []float64{1, 1}, Accuracies: []float64{0.5, 0.5}, Samples: 100, TookNs: 3e6,
	}
}

// waited is a report whose trainer waited so long for the answer before it.
func (w *world) waited(ms float64) leyline.StepObserved {
	x := w.report()
	x.Metrics.Readings = []leyline.Reading{{Metric: leyline.TrainHookMs, Value: ms}}
	return x
}

func budgets(c *leyline.ExecutionConfig) {
	c.Tolaria.EpochBudget, c.Tolaria.HookBudget, c.Tolaria.FailedEpochs = 5, 2, 0
	c.Tamiyo.PolicyBudget = 1
}

func TestEpochsFailForTheFirstReasonInTheirOrder(t *testing.T) {
	late := func(w *world) {
		w.must(leyline.PolicyFailed{Request: w.ask(), Run: "run-1", Outcome: leyline.OutcomeDeadline, Reason: "late", TookNs: 5e6})
	}
	slow := func(w *world) { w.must(w.waited(2.5)) }
	for _, x := range []struct {
		name   string
		live   []func(*world)
		took   uint64
		want   leyline.EpochReason
		ns     uint64
		budget uint64
	}{
		{"nothing", nil, 3e6, leyline.EpochNone, 0, 0},
		{"at its budget", nil, 5e6, leyline.EpochNone, 0, 0},
		{"its duration", []func(*world){late, slow}, 6e6, leyline.EpochBudget, 6e6, 5e6},
		{"what went wrong first", []func(*world){late, slow}, 3e6, leyline.EpochTamiyoTimeout, 0, 0},
		{"the slowest answer", []func(*world){slow, func(w *world) { w.must(w.waited(1)) }}, 3e6, leyline.EpochHookBudget, 2.5e6, 2e6},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, budgets, onWorker)
			w.open()
			w.must(w.report())
			w.must(w.report())
			for _, f := range x.live {
				f(w)
			}
			in := w.evaluated()
			in.TookNs = x.took
			ev := w.must(in)
			f, failed := first[leyline.EpochFailed](ev)
			if failed != (x.want != leyline.EpochNone) || f.Reason != x.want || f.TookNs != x.ns || f.BudgetNs != x.budget {
				t.Errorf("the epoch failed as %+v", f)
			}
			if a := one[leyline.EpochAssessed](w, ev); failed != (a.Streak == 1) {
				t.Errorf("assessed as %+v", a)
			}
		})
	}
}

// The wait for the answer to an epoch's last step comes with the epoch. The next
// report tells it once more; it is not the next epoch's.
func TestLastWaitOfAnEpochCountsOnce(t *testing.T) {
	w := newWorld(t, budgets)
	w.open()
	w.must(w.report())
	in := w.evaluated()
	in.HookNs = 9e6
	if f := one[leyline.EpochFailed](w, w.must(in)); f.TookNs != 9e6 {
		t.Errorf("failed as %+v", f)
	}
	w.must(w.waited(9))
	if f, failed := first[leyline.EpochFailed](w.must(w.evaluated())); failed {
		t.Errorf("the next epoch failed for it as well: %+v", f)
	}
}

func TestFailedEpochIsCautiousAndKeepsTheNetwork(t *testing.T) {
	w := newWorld(t, budgets)
	w.open()
	w.steps(11)
	in := w.evaluated()
	in.TookNs = 6e6
	ev := w.must(in)
	if e := one[leyline.ConservativeEntered](w, ev); e.Reason != leyline.RiskEpochFailed {
		t.Errorf("conservative for %s", e.Reason)
	}
	if e := one[leyline.EmergencyEscalated](w, ev); e.To != leyline.EmergencyElevated || e.Reason != leyline.FaultEpochFailed {
		t.Errorf("escalated as %+v", e)
	}
	if e, rolled := first[leyline.RollbackStarted](ev); rolled || w.run().Status != leyline.RunStatusOpen {
		t.Errorf("an epoch that took too long rolled the network back: %+v", e)
	}
	w.must(w.report())
	in = w.evaluated()
	in.TookNs = 7e6
	ev = w.must(in)
	if e, again := first[leyline.EmergencyEscalated](ev); again {
		t.Errorf("a level that did not rise was escalated: %+v", e)
	}
	if w.run().Epochs.Failed != 2 || w.run().Epochs.Streak != 2 {
		t.Errorf("counted as %+v", w.run().Epochs)
	}
	w.must(w.report())
	ev = w.must(w.evaluated())
	if e := one[leyline.EmergencyCleared](w, ev); e.To != leyline.EmergencyNotice || w.run().Epochs.Streak != 0 {
		t.Errorf("a good epoch cleared %+v, streak %d", e, w.run().Epochs.Streak)
	}
}

// Conservative mode is left after healthy windows, not because an epoch was good;
// a failed epoch interrupts a row of them.
func TestConservativeModeIsLeftByWindows(t *testing.T) {
	w := newWorld(t, budgets, func(c *leyline.ExecutionConfig) { c.Tamiyo.HealthyWindows = 2 })
	w.open()
	w.steps(6)
	fail := func() {
		in := w.evaluated()
		in.TookNs = 6e6
		w.must(in)
	}
	p := w.s.Tamiyo.Run("run-1")
	fail()
	w.steps(3)
	if w.must(w.evaluated()); !p.Caution.Conservative || p.Caution.Healthy != 1 {
		t.Fatalf("after one healthy window and a good epoch: %+v", p.Caution)
	}
	fail()
	if p.Caution.Healthy != 0 {
		t.Error("a failed epoch did not interrupt the row")
	}
	if w.steps(4); p.Caution.Conservative {
		t.Errorf("after two healthy windows in a row: %+v", p.Caution)
	}
}

func TestFailedEpochsInARowHalt(t *testing.T) {
	w := newWorld(t, budgets, func(c *leyline.ExecutionConfig) { c.Tolaria.FailedEpochs = 2 })
	w.open()
	fail := func() []leyline.Event {
		w.must(w.report())
		in := w.evaluated()
		in.TookNs = 6e6
		return w.must(in)
	}
	fail()
	w.must(w.report())
	w.must(w.evaluated()) // a good one starts the row again
	fail()
	ev := fail()
	h := one[leyline.RunHalted](w, ev)
	if h.Reason != leyline.FaultEpochStreak || w.run().Emergency != leyline.EmergencyHalt {
		t.Errorf("halted as %+v at %s", h, w.run().Emergency)
	}
}

// TestBreakerOfEpochsRecovers counts no refusal: with epochs of 5 seconds that
// are good, an open breaker lets one pass once its cool-down is over.
func TestBreakerOfEpochsRecovers(t *testing.T) {
	w := newWorld(t, budgets, func(c *leyline.ExecutionConfig) {
		c.Breaker.Failures, c.Breaker.Open, c.Breaker.Successes = 2, 30_000, 1
	})
	w.open()
	for range 2 {
		w.must(w.report())
		in := w.evaluated()
		in.TookNs = 6e6
		w.must(in)
	}
	if b := w.run().Breaker(leyline.BreakerEpochs); b.State != leyline.BreakerOpen {
		t.Fatalf("the breaker is %+v", b)
	}
	refused := 0
	for range 20 {
		w.at = w.at.Add(5 * time.Second)
		w.must(w.report())
		ev := w.must(w.evaluated())
		f, failed := first[leyline.EpochFailed](ev)
		if !failed {
			break
		}
		if refused++; f.Reason != leyline.EpochBreakerOpen || f.Streak != 2 {
			t.Fatalf("refused as %+v", f)
		}
		if w.run().Emergency != leyline.EmergencyConservative {
			t.Fatalf("the level is %s", w.run().Emergency)
		}
	}
	if b := w.run().Breaker(leyline.BreakerEpochs); refused != 5 || b.State != leyline.BreakerClosed {
		t.Errorf("after %d refusals the breaker is %+v", refused, b)
	}
}

// TestWaitsAreCounted lets the policy be late, a command be late and another
// fail, and answers some of each.
func TestWaitsAreCounted(t *testing.T) {
	w := newWorld(t, onWorker, func(c *leyline.ExecutionConfig) { c.Tolaria.FailedEpochs = 0 })
	w.open()
	w.must(leyline.PolicyFailed{Request: w.ask(), Run: "run-1", Outcome: leyline.OutcomeDeadline, Reason: "late", TookNs: 5e6})
	if got := w.run().Waits; got.TamiyoTimeouts != 1 || got.TamiyoNs != 5e6 || got.KasminaTimeouts != 0 {
		t.Errorf("after a late policy %+v", got)
	}
	if f := one[leyline.EpochFailed](w, w.must(w.evaluated())); f.Reason != leyline.EpochTamiyoTimeout {
		t.Errorf("failed for %s", f.Reason)
	}
	for len(w.s.Kasmina.Pending) == 0 {
		w.must(w.honest(w.ask()))
	}
	if got := w.run().Waits.TamiyoNs; got != 1e6 {
		t.Errorf("the last answer took %d ns", got)
	}
	w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeFailed, Reason: "no", TookNs: 7e6})
	if got := w.run().Waits; got.KasminaNs != 7e6 || w.run().Epochs.First != leyline.EpochKasminaError {
		t.Errorf("after a failed command %+v, %s", got, w.run().Epochs.First)
	}
}

func TestUnansweredCommandIsCautious(t *testing.T) {
	w := newWorld(t)
	w.open()
	for len(w.s.Kasmina.Pending) == 0 {
		w.must(w.report())
	}
	k := w.seed().Kernel
	w.must(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6, TookNs: 1e6})
	due, _ := w.s.NextTimer()
	w.at = due.Due
	ev := w.must(due)
	if e := one[leyline.ConservativeEntered](w, ev); e.Reason != leyline.RiskCommandTimeout {
		t.Errorf("conservative for %s", e.Reason)
	}
	if got := w.run().Waits; got.KasminaTimeouts != 1 || got.TamiyoTimeouts != 0 {
		t.Errorf("counted as %+v", got)
	}
	if f := one[leyline.EpochFailed](w, w.must(w.evaluated())); f.Reason != leyline.EpochKasminaTimeout {
		t.Errorf("failed for %s", f.Reason)
	}
}
