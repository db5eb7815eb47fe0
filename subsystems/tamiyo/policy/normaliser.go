package policy

import (
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// start is where the running statistics of a key begin (SPEC.md 3.3).
type start struct{ mean, deviation float64 }

var starts = [...]start{
	leyline.NormLoss: {0.8, 0.3}, leyline.NormValidationLoss: {0.8, 0.3}, leyline.NormTrainingLoss: {0.8, 0.3},
	leyline.NormGradNorm: {1, 0.5}, leyline.NormSamples: {4500, 500}, leyline.NormHook: {12, 6},
	leyline.NormEpoch: {10, 5}, leyline.NormStep: {100, 40}, leyline.NormProgress: {0.5, 0.25},
	leyline.NormSeedRate: {0.01, 0.005}, leyline.NormSeedRisk: {0.4, 0.2}, leyline.NormSeedAge: {10, 4},
	leyline.NormBlueprintParameters: {detmath.Log(2049), 1}, leyline.NormBlueprintScore: {0.5, 0.25},
}

// Of the normaliser: the weight of a new value, the least variance, and the largest
// value either way that its statistics can hold.
const (
	normWeight   = 0.1
	leastVar     = 1e-6
	leastStd     = 1e-6
	mostNormable = 1e100
)

// normaliser keeps running means and variances, one of each key that was ever used.
// Only values that were measured change it.
type normaliser struct{ norms []leyline.FeatureNorm }

// newNormaliser goes on from what a run has learned.
func newNormaliser(norms []leyline.FeatureNorm) *normaliser {
	n := &normaliser{norms: make([]leyline.FeatureNorm, 0, len(starts))}
	n.norms = append(n.norms, norms...)
	return n
}

// take normalises a value and learns from it: with d = x - mean the mean moves by
// 0.1*d and the variance becomes 0.9*(variance + 0.1*d*d), at least 1e-6; the result is
// (x - mean)/sqrt(variance) of the new ones.
func (n *normaliser) take(key leyline.NormKey, x float64) float64 {
	s := n.at(key)
	d := x - s.Mean
	s.Mean += float64(normWeight * d)
	s.Var = max(float64((1-normWeight)*(s.Var+float64(float64(normWeight*d)*d))), leastVar)
	if std := math.Sqrt(s.Var); std > leastStd {
		return (x - s.Mean) / std
	}
	return x - s.Mean
}

func (n *normaliser) at(key leyline.NormKey) *leyline.FeatureNorm {
	i, found := slices.BinarySearchFunc(n.norms, key, func(s leyline.FeatureNorm, k leyline.NormKey) int { return int(s.Key) - int(k) })
	if !found {
		b := starts[key]
		n.norms = slices.Insert(n.norms, i, leyline.FeatureNorm{Key: key, Mean: b.mean, Var: float64(b.deviation * b.deviation)})
	}
	return &n.norms[i]
}
