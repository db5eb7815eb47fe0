package aggregate

import "github.com/esper-plane/esper/leyline"

// Options are the settings of all methods; each method reads its own.
type Options struct {
	Mean    bool                 // pcgrad: divide the sum by the number of tasks
	Beta    float64              // gradvac: weight of the newest cosine in a target, [0,1]
	C       float64              // cagrad: radius as a multiple of the mean gradient's length, 0..leyline.MaxCAGradC
	Reg     float64              // upgrad, dualproj: added to the diagonal of the Gram matrix of trace 1, 0..leyline.MaxQPReg
	MaxNorm float64              // nash_mtl: longest update, 0 for any, up to leyline.MaxNashNorm
	Scale   leyline.AlignedScale // aligned_mtl
}

// Configured returns the options that a configuration sets.
func Configured(c *leyline.TolariaConfig) Options {
	return Options{
		Mean: c.PCGradMean, Beta: c.GradVacBeta, C: c.CAGradC, Reg: c.QPReg, MaxNorm: c.NashMaxNorm, Scale: c.AlignedScale,
	}
}

// Of returns the value of the option of a solved method, as leyline.Solution
// records it: 0 for a method without one.
func (o Options) Of(m leyline.Aggregation) float64 {
	switch m {
	case leyline.AggregationCAGrad:
		return o.C
	case leyline.AggregationUPGrad, leyline.AggregationDualProj:
		return o.Reg
	case leyline.AggregationNashMTL:
		return o.MaxNorm
	case leyline.AggregationAlignedMTL:
		return float64(o.Scale)
	}
	return 0
}
