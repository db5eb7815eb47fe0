package lr_test

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tolaria/lr"
)

// schedule is that of the specification's oracles.
func schedule(p leyline.LRPolicy) lr.Schedule {
	return lr.Schedule{Policy: p, Period: 10, Restart: 1, Decay: 0.5, Every: 10, Warmup: 0, WarmupFloor: 0.1}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 5e-9 }

// TestCosineWithWarmup is the oracle of SPEC.md 8.2, with a base of 0.1; after T
// the rate is the floor.
func TestCosineWithWarmup(t *testing.T) {
	s := schedule(leyline.LRCosine)
	s.Warmup = 2
	for _, floor := range []float64{0, 0.25} {
		s.Floor = floor
		for step, want := range []float64{
			0.05, 0.1, 0.1, 0.09755283, 0.09045085, 0.07938926, 0.06545085, 0.05, 0.03454915, 0.02061074, 0.00954915, 0.00244717, 0, 0, 0,
		} {
			if step >= 2 {
				want = 0.1*floor + (1-floor)*want
			}
			if got, on := s.Factor(uint64(step), 0); !on || !near(0.1*got, want) {
				t.Errorf("floor %v, step %d: %v, want %v", floor, step, 0.1*got, want)
			}
		}
	}
	if got, _ := s.Factor(1<<40, 0); got != 0.25 {
		t.Errorf("for ever after it is %v", got)
	}
}

// TestStepCountsEpochs is the oracle of SPEC.md 8.2, with a base of 0.1.
func TestStepCountsEpochs(t *testing.T) {
	for epochs, want := range map[uint32]float64{0: 0.1, 9: 0.1, 10: 0.05, 20: 0.025, 57: 0.1 / 32} {
		if got, _ := schedule(leyline.LRStep).Factor(12345, epochs); !near(0.1*got, want) {
			t.Errorf("after %d epochs: %v, want %v", epochs, 0.1*got, want)
		}
	}
}

// TestRestarts walks the cycles of 10, 20 and 40 steps: each begins at 1, passes
// the middle at the middle, and ends just above the floor.
func TestRestarts(t *testing.T) {
	s := schedule(leyline.LRRestarts)
	s.Restart, s.Floor = 2, 0.1
	for _, c := range []struct{ from, length uint64 }{{0, 10}, {10, 20}, {30, 40}, {70, 80}} {
		first, _ := s.Factor(c.from, 0)
		middle, _ := s.Factor(c.from+c.length/2, 0)
		last, _ := s.Factor(c.from+c.length-1, 0)
		if first != 1 || !near(middle, 0.55) || last <= 0.1 || last > 0.13 {
			t.Errorf("the cycle from %d: %v, %v, %v", c.from, first, middle, last)
		}
	}
	s.Restart = 1
	for step := range uint64(30) {
		a, _ := s.Factor(step, 0)
		b, _ := s.Factor(step+10, 0)
		if a != b {
			t.Errorf("cycles of one length differ at %d: %v, %v", step, a, b)
		}
	}
	s.Restart = 1 << 31
	if got, _ := s.Factor(math.MaxUint64, 0); !(got >= 0.1 && got <= 1) {
		t.Errorf("the last step there is has %v", got)
	}
}

func TestWarmupFloor(t *testing.T) {
	s := schedule(leyline.LRConstant)
	s.Warmup = 20
	for step, want := range map[uint64]float64{0: 0.1, 1: 0.1, 2: 0.15, 19: 1, 20: 1} {
		if got, _ := s.Factor(step, 0); got != want {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
	s.WarmupFloor = 0
	if got, _ := s.Factor(0, 0); got != 0.05 {
		t.Errorf("without a floor it begins at %v", got)
	}
}

// TestEveryFactorIsAShare holds every policy to [0,1], at any step and epoch.
func TestEveryFactorIsAShare(t *testing.T) {
	for _, p := range []leyline.LRPolicy{leyline.LRConstant, leyline.LRCosine, leyline.LRRestarts, leyline.LRStep} {
		s := schedule(p)
		s.Warmup, s.Restart, s.Floor = 7, 3, 0.01
		for step := uint64(0); step < 1<<40; step = step*3/2 + 1 {
			if got, on := s.Factor(step, uint32(step)); !on || !(got >= 0 && got <= 1) {
				t.Errorf("%s at %d: %v", p, step, got)
			}
		}
	}
	if _, on := schedule(leyline.LRNone).Factor(0, 0); on {
		t.Error("none is a policy")
	}
}
