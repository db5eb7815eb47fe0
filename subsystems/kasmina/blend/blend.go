// Package blend is the one definition of how a seed's output is mixed into its
// host's, and of how far it has come. The trainers of this module and of esper_plane
// (Python) compute the same: testdata/vectors.json holds both to it.
//
// h is the output of the host, s that of the seed, both batches of rows x features,
// row by row, where a feature is a channel (dimension 1); a is alpha, and e the
// effective share:
//
//	CONVEX      e = a                                      e*s + (1-e)*h
//	RESIDUAL    e = a                                      h + e*s
//	CHANNEL     e = a*v of the channel                     e*s + (1-e)*h
//	CONFIDENCE  e = clamp(a*gate of the row, lo, hi)       e*s + (1-e)*h
//	            gate = logistic(k*(margin - tau))
//
// The margin is the largest logit of a row less its second largest. A network with
// several tasks classifies every row several times; the smallest of its margins
// counts, so a seed is as sure as it is of what it is least sure of.
//
// An element with a share of 0 is the host's bit for bit, whatever the seed has made
// of it, and one with a share of 1 in a convex mode is the seed's.
//
// # Gradients
//
// Shares are constants: no gradient goes into alpha, a channel's share, a gate or
// the logits behind it. For the gradient dy of the output, a seed is owed e*dy. h is
// detached: through the blend the host is owed nothing. A host that stops learning
// while seeds are on trial is no host to judge them by, so a trainer gives it its
// gradient along a path of its own: either (1-e)*dy, the part that its output has in
// the mix (HostGradient), or, where the output of the seed contains that of the host
// (a residual block, s = h + f(detached h)), the sum over both paths, which is dy in
// every mode. The built-in trainer does the latter, see package workload.
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
