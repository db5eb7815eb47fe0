package decider_test

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// guess is the loss of a network that chooses among ten classes at random.
var guess = math.Log(10)

// learner is a world whose run has declared what guessing costs and has learned
// for n steps: its mean loss is 0.75.
func learner(t *testing.T, n int, change ...func(*leyline.ExecutionConfig)) *world {
	w := newWorld(t, change...)
	p := plan()
	p.Chance = []float64{guess, guess}
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	w.steps(n)
	return w
}

func (w *world) lose(loss float64) leyline.StepObserved {
	x := w.report()
	x.Losses = []float64{loss, loss}
	return x
}

func TestCollapseToGuessingRollsBack(t *testing.T) {
	w := learner(t, 11)
	before := w.run().Track.LossEWMA
	for n := uint32(1); n <= 2; n++ {
		a := one[leyline.TrainingAssessed](w, w.must(w.lose(1.06*guess)))
		if a.Health != leyline.HealthSuspect || a.Suspect != n || a.Anomaly != leyline.FaultCollapsed || a.Chance != guess {
			t.Fatalf("step %d near guessing is %+v", n, a)
		}
		if w.run().Track.LossEWMA != before {
			t.Errorf("a step near guessing is in the clean history")
		}
	}
	ev := w.must(w.lose(0.94 * guess))
	if a := one[leyline.TrainingAssessed](w, ev); a.Health != leyline.HealthCollapsed {
		t.Errorf("the third is %+v", a)
	}
	if s := one[leyline.RollbackStarted](w, ev); s.Cause != leyline.FaultCollapsed || s.FaultStep != 12 || s.Snapshot != "s-1-10" {
		t.Errorf("rolls back as %+v", s)
	}
}

func TestWhatIsNoCollapse(t *testing.T) {
	shadow := func(c *leyline.ExecutionConfig) { c.Tolaria.CollapseMode = leyline.RuleShadow }
	for _, x := range []struct {
		name    string
		steps   int
		change  func(*leyline.ExecutionConfig)
		loss    float64
		chance  float64
		suspect uint32
	}{
		{"outside the band", 11, nil, 1.07 * guess, guess, 0},
		{"below the band", 11, nil, 0.93 * guess, guess, 0},
		{"too little seen", 9, nil, guess, 0, 0},
		{"the rule is off", 11, func(c *leyline.ExecutionConfig) { c.Tolaria.CollapseMode = leyline.RuleOff }, guess, 0, 0},
		{"the rule only watches", 11, shadow, guess, guess, 1},
		{"little was learned", 11, func(c *leyline.ExecutionConfig) { c.Tolaria.CollapseLearned = 0.3 }, guess, 0, 0},
		// The mean begins at 0: after one step it is a fifth of the loss, which must
		// not pass for something learned.
		{"one step is no learning", 1, func(c *leyline.ExecutionConfig) {
			c.Tolaria.DivergeWarmup, c.Tolaria.CollapseLearned = 1, 0.3
		}, guess, 0, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.change == nil {
				x.change = func(*leyline.ExecutionConfig) {}
			}
			w := learner(t, x.steps, x.change)
			a := one[leyline.TrainingAssessed](w, w.must(w.lose(x.loss)))
			if a.Health != leyline.HealthHealthy || a.Chance != x.chance || a.Suspect != x.suspect {
				t.Errorf("assessed as %+v", a)
			}
		})
	}
}

func TestRunThatDeclaresNoChanceCannotCollapse(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	if a := one[leyline.TrainingAssessed](w, w.must(w.lose(guess))); a.Chance != 0 || a.Suspect != 0 {
		t.Errorf("assessed as %+v", a)
	}
}

// A rule that acts is not hidden by one that only watches.
func TestCollapseActsWhileDivergenceWatches(t *testing.T) {
	w := learner(t, 11, func(c *leyline.ExecutionConfig) {
		c.Tolaria.DivergeMode, c.Tolaria.DivergeLoss = leyline.RuleShadow, 2
	})
	a := one[leyline.TrainingAssessed](w, w.must(w.lose(guess)))
	if a.Limit == 0 || a.Loss <= a.Limit || a.Anomaly != leyline.FaultCollapsed || a.Health != leyline.HealthSuspect {
		t.Errorf("over both limits it is assessed as %+v", a)
	}
}

func TestChanceIsRefusedUnlessItFitsTheTasks(t *testing.T) {
	for field, chance := range map[string][]float64{
		"chance":    {1},
		"chance[1]": {1, math.Inf(1)},
		"chance[0]": {0, 1},
	} {
		w := newWorld(t)
		p := plan()
		p.Chance = chance
		if r := w.refused(p); r.Field != field {
			t.Errorf("%v is refused for %s: %v", chance, r.Field, &r)
		}
	}
}

func TestThroughputIsOfTheStepThatTookTheTime(t *testing.T) {
	w := newWorld(t)
	w.open()
	x := w.report()
	x.Samples, x.PreviousNs = 100, 1 // nothing came before the first step
	w.must(x)
	if m := w.run().Track.RateEWMA; m.N != 0 {
		t.Errorf("a rate of %+v before a step was finished", m)
	}
	x = w.report()
	x.Samples, x.PreviousNs = 1, 1e6
	w.at = w.at.Add(1e9)
	w.must(x)
	if m := w.run().Track.RateEWMA; m.N != 1 || math.Abs(m.Mean-w.config.Tolaria.EWMAAlpha*1e5) > 1e-6 {
		t.Errorf("100 samples in 1 ms are a rate of %+v", m)
	}
}
