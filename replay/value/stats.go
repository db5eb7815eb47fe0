package value

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/esper-plane/esper/subsystems/detmath"
)

// Confidence is the level of every interval.
const Confidence = 0.95

// The bootstrap: with 9,999 resamples the limits of a 95% interval are the 250th and
// the 9,750th of the sorted means, without interpolation.
const (
	resamples     = 9_999
	bootstrapSeed = 20_261_126
)

// Interval is a 95% confidence interval.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Excludes reports whether a value lies outside.
func (i Interval) Excludes(x float64) bool { return x < i.Low || x > i.High }

// Within reports whether the whole interval lies within -margin and margin.
func (i Interval) Within(margin float64) bool { return i.Low > -margin && i.High < margin }

// Paired is what n paired differences say of their mean.
type Paired struct {
	N         int      `json:"n"`
	Mean      float64  `json:"mean"`
	SD        float64  `json:"sd"` // of the differences, with n-1
	T         Interval `json:"t_interval"`
	Bootstrap Interval `json:"bootstrap_interval"`
	// G is the standardised effect: Cohen's d of paired differences, mean/SD, times the
	// small-sample factor of Hedges (1981), Gamma(m/2) / (sqrt(m/2) Gamma((m-1)/2)) with
	// m = n-1. Unset when all differences are the same, and of two pairs, of which
	// that factor makes nothing.
	G *float64 `json:"g,omitempty"`
	// P is of the two-sided paired t test; where all differences are the same, which
	// it cannot judge, that of the sign test.
	P        float64 `json:"p"`
	Positive int     `json:"positive"`
	Zero     int     `json:"zero"`
	Negative int     `json:"negative"`
	SignP    float64 `json:"sign_p"` // two-sided exact sign test without the zeros
}

// ErrTooFew: two differences are the least that have a standard deviation.
var ErrTooFew = errors.New("fewer than two pairs")

// Compare describes paired differences. They must be finite and two or more.
func Compare(differences []float64) (Paired, error) {
	n := len(differences)
	if n < 2 {
		return Paired{}, fmt.Errorf("cannot compare: %w", ErrTooFew)
	}
	p := Paired{N: n}
	for i, d := range differences {
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return Paired{}, fmt.Errorf("cannot compare: difference %d is %v", i, d)
		}
		switch {
		case d > 0:
			p.Positive++
		case d < 0:
			p.Negative++
		default:
			p.Zero++
		}
	}
	p.Mean, p.SD = moments(differences)
	p.SignP = signTest(p.Positive, p.Negative)
	p.Bootstrap = bootstrap(differences)
	if p.SD == 0 {
		p.T, p.P = Interval{p.Mean, p.Mean}, p.SignP
		return p, nil
	}
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}
	se := p.SD / math.Sqrt(float64(n))
	half := t.Quantile((1+Confidence)/2) * se
	p.T = Interval{p.Mean - half, p.Mean + half}
	p.P = 2 * t.CDF(-math.Abs(p.Mean)/se)
	if n > 2 {
		g := p.Mean / p.SD * hedges(n-1)
		p.G = &g
	}
	return p, nil
}

// moments returns mean and standard deviation (with n-1; 0 for one value). That of
// equal values is exactly 0.
func moments(xs []float64) (mean, sd float64) {
	mean = detmath.Sum(xs) / float64(len(xs))
	if slices.Min(xs) == slices.Max(xs) {
		return xs[0], 0
	}
	sum := 0.0
	for _, x := range xs {
		sum += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sum / float64(len(xs)-1))
}

// hedges is the factor that takes the bias out of Cohen's d with m degrees of freedom:
// exact, not the usual approximation 1 - 3/(4m-1). m must be 2 or more.
func hedges(m int) float64 {
	h := float64(m) / 2
	a, _ := math.Lgamma(h)
	b, _ := math.Lgamma(h - 0.5)
	return math.Exp(a-b) / math.Sqrt(h)
}

// signTest is the two-sided exact test that positive and negative differences are as
// likely: twice the binomial tail, at most 1.
func signTest(positive, negative int) float64 {
	n, k := positive+negative, min(positive, negative)
	term := math.Exp2(-float64(n))
	tail := 0.0
	for i := 0; i <= k; i++ {
		tail += term
		term *= float64(n-i) / float64(i+1)
	}
	return min(1, 2*tail)
}

// bootstrap is the percentile interval of the mean (Efron and Tibshirani, An
// Introduction to the Bootstrap, 1993, chapter 13). Its resamples are drawn with
// detmath's PCG from a fixed seed. With few pairs it is too narrow, by about the root
// of (n-1)/n and the difference of t from normal: the t interval is the one to judge
// by, this one shows whether its assumption of normal differences matters.
func bootstrap(xs []float64) Interval {
	r := detmath.NewPCG(bootstrapSeed, uint64(len(xs)))
	means := make([]float64, resamples)
	for i := range means {
		sum := 0.0
		for range xs {
			sum += xs[r.IntN(len(xs))]
		}
		means[i] = sum / float64(len(xs))
	}
	slices.Sort(means)
	rank := int(math.Round((1 - Confidence) / 2 * (resamples + 1)))
	return Interval{means[rank-1], means[resamples-rank]}
}

// Holm adjusts p-values for a family of the given size (Holm 1979, "A Simple
// Sequentially Rejective Multiple Test Procedure"), in the order in which they are
// given. Tests of the family that are not there count as having a p of 1.
func Holm(ps []float64, family int) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) })
	out, largest := make([]float64, len(ps)), 0.0
	for rank, i := range order {
		largest = max(largest, min(1, float64(family-rank)*ps[i]))
		out[i] = largest
	}
	return out
}
