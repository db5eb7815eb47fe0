// Package lr holds the schedules of learning rates as pure functions of where a
// run stands: the same step gives the same factor however often it is trained, so
// a rollback rewinds a schedule without being told.
//
// A factor multiplies the rate that the trainer declared of each parameter group;
// the ratios between groups are the trainer's and stay. Steps are optimizer steps
// counted from 0: the first update of a run uses the factor of step 0. Epochs are
// those that have ended.
//
//	constant          1
//	cosine            floor + (1-floor) (1 + cos(pi min(s,T)/T)) / 2
//	cosine_restarts   the same over a cycle of T steps, the next of T*mult, and so
//	                  on (Loshchilov and Hutter 2017, arXiv 1608.03983)
//	step              decay ^ floor(epoch/every)
//
// With a warm-up of w steps the factor is max(warm-up floor, (s+1)/w) in the
// first w, and the policy counts its steps from then on; a policy that counts
// epochs counts them from the beginning all the same.
package lr

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Schedule is a policy with its settings. Package leyline has validated them.
type Schedule struct {
	Policy      leyline.LRPolicy
	Period      uint64  // T in steps, 1 or more
	Restart     uint64  // mult, 1 or more
	Floor       float64 // [0,1]
	Decay       float64 // (0,1]
	Every       uint32  // epochs, 1 or more
	Warmup      uint64  // w in steps; 0: none
	WarmupFloor float64 // [0,1]
}

// Of returns the schedule that a configuration asks for.
func Of(c *leyline.TolariaConfig) Schedule {
	return Schedule{
		Policy: c.LRPolicy, Period: uint64(c.LRPeriod), Restart: uint64(c.LRRestart), Floor: c.LRFloor,
		Decay: c.LRDecay, Every: c.LRDecayEpochs, Warmup: uint64(c.LRWarmup), WarmupFloor: c.LRWarmupFloor,
	}
}

// Factor returns the factor of an optimizer step, counted from 0, after so many
// epochs; false when the policy is none. It is in [0,1].
func (s Schedule) Factor(step uint64, epochs uint32) (float64, bool) {
	if s.Policy == leyline.LRNone {
		return 0, false
	}
	if step < s.Warmup {
		return math.Max(s.WarmupFloor, float64(step+1)/float64(s.Warmup)), true
	}
	step -= s.Warmup
	switch s.Policy {
	case leyline.LRConstant:
		return 1, true
	case leyline.LRCosine:
		return s.cosine(step, s.Period), true
	case leyline.LRRestarts:
		return s.cosine(s.cycle(step)), true
	case leyline.LRStep:
		return power(s.Decay, epochs/s.Every), true
	}
	panic("lr: policy " + s.Policy.String()) // Invariant: configurations are validated before they are adopted
}

// cosine is the way from 1 to the floor in so many steps; from there on it is the
// floor, exactly.
func (s Schedule) cosine(step, period uint64) float64 {
	if step >= period {
		return s.Floor
	}
	half := float64(0.5 * (1 + detmath.Cos(float64(math.Pi*(float64(step)/float64(period))))))
	return s.Floor + float64((1-s.Floor)*half)
}

// cycle returns the place of a step in its cycle, and the length of that. A cycle
// whose length no step can reach the end of is the last.
func (s Schedule) cycle(step uint64) (at, period uint64) {
	if s.Restart == 1 {
		return step % s.Period, s.Period
	}
	period = s.Period
	for step >= period {
		step -= period
		if period > math.MaxUint64/s.Restart {
			return step, math.MaxUint64
		}
		period *= s.Restart
	}
	return step, period
}

// power is x to the n, by squaring: every machine multiplies in the same order.
func power(x float64, n uint32) float64 {
	y := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y = float64(y * x)
		}
		x = float64(x * x)
	}
	return y
}
