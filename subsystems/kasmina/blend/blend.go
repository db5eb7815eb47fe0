// Package blend computes how far a seed's output has replaced its host's.
//
// It is pure and bit-reproducible: see package detmath.
package blend

import "github.com/esper-plane/esper/subsystems/detmath"

// MinTemperature is the smallest temperature, in steps, that Alpha uses.
const MinTemperature = 1e-6

// Alpha returns the share of the seed, in [0, 1], after step of total blending
// steps:
//
//	1/(1 + exp(-(step - total/2)/temperature))
//
// where total/2 is not rounded, so that the share is 1/2 in the middle. The
// temperature, in steps, says how gradual the change is; values below
// MinTemperature, and NaN, count as MinTemperature. A total of 0 or less means
// that there is nothing to blend and gives 1. Alpha never falls as step rises.
// step may lie outside 0..total.
func Alpha(step, total int, temperature float64) float64 {
	if total <= 0 {
		return 1
	}
	if !(temperature > MinTemperature) {
		temperature = MinTemperature
	}
	distance := float64(step) - float64(float64(total)*0.5)
	return detmath.Logistic(distance / temperature)
}
