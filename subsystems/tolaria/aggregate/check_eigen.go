package aggregate

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Spectrum is an eigenvalue decomposition of a symmetric matrix, as a solver
// found it.
type Spectrum struct {
	Values  []float64 // ascending
	Vectors []float64 // vector j, of length 1, starts at j*k
}

// vector returns eigenvector j.
func (s Spectrum) vector(j int) []float64 {
	k := len(s.Values)
	return s.Vectors[j*k : (j+1)*k]
}

// first returns the index of the smallest eigenvalue that counts as positive, and
// k if there is none.
func (s Spectrum) first() int {
	k := len(s.Values)
	cut := float64(rankTolerance*float64(k)) * s.Values[k-1]
	for j, v := range s.Values {
		if v > 0 && v > cut {
			return j
		}
	}
	return k
}

// Rank returns the number of eigenvalues that count as positive: those over k
// times 1e-12 times the largest.
func (s Spectrum) Rank() int { return len(s.Values) - s.first() }

// residual returns how far s is from a decomposition of a, relative to the
// largest eigenvalue, times the ratio of the largest to the smallest eigenvalue
// that counts: what a function like x^-1 or x^-1/2 of the matrix makes of it.
func (s Spectrum) residual(a Gram) float64 {
	k, low := a.K, s.first()
	if low == k {
		return math.Inf(1)
	}
	largest, worst := s.Values[k-1], 0.0
	for j := range k {
		if j > 0 && s.Values[j] < s.Values[j-1] {
			return math.Inf(1)
		}
		v := s.vector(j)
		av, off := Times(a, v), 0.0
		for i := range av {
			d := av[i] - float64(s.Values[j]*v[i])
			off += float64(d * d)
		}
		worst = max(worst, math.Sqrt(off)/largest)
		for i := range j + 1 {
			d := detmath.Dot(s.vector(i), v)
			if i == j {
				d--
			}
			worst = max(worst, math.Abs(d))
		}
	}
	return worst * (largest / s.Values[low])
}

// spread returns sum over the eigenvalues that count of f(value)*<vector, p>*vector.
func (s Spectrum) spread(p []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(p))
	for j := s.first(); j < len(p); j++ {
		v := s.vector(j)
		a := float64(f(s.Values[j]) * detmath.Dot(v, p))
		for i := range out {
			out[i] += float64(a * v[i])
		}
	}
	return out
}

// Aligned returns the weights of Aligned-MTL from the decomposition of the Gram
// matrix: sqrt(scale) * V * L^-1/2 * V' * p with p = 1/k, over the eigenvalues
// that count. It panics if none does.
func (s Spectrum) Aligned(scale leyline.AlignedScale) []float64 {
	kept := s.Values[s.first():]
	root := math.Sqrt(alignedScale(kept, scale))
	return s.spread(MeanWeights(nil, len(s.Values)), func(x float64) float64 { return root / math.Sqrt(x) })
}

func alignedScale(kept []float64, scale leyline.AlignedScale) float64 {
	switch scale {
	case leyline.ScaleMin:
		return kept[0]
	case leyline.ScaleMedian:
		return kept[(len(kept)-1)/2]
	case leyline.ScaleRMSE:
		return detmath.Sum(kept) / float64(len(kept))
	}
	panic("aggregate: scale " + scale.String()) // Invariant: configurations are validated before they are adopted
}

// Equalised returns weights in proportion to those of IMTL-G, and their sum: G^+ d
// with d the lengths of the gradients. s decomposes G, or, with cosines, the
// matrix C of their cosines, from which 1/d_i * (C^-1 1)_i is the same where no
// gradient is a combination of others.
func (s Spectrum) Equalised(lengths []float64, cosines bool) (w []float64, sum float64) {
	d := lengths
	if cosines {
		d = fill(nil, len(lengths), 1)
	}
	w = s.spread(d, func(x float64) float64 { return 1 / x })
	if cosines {
		for i := range w {
			w[i] /= lengths[i]
		}
	}
	return w, detmath.Sum(w)
}

// aligned: the evidence is the decomposition of the scaled Gram matrix, and the
// weights are exactly what follows from it. The residual bounds the relative error
// of the weights in its first order.
func (p *proof) aligned() (r float64, reason string) {
	s, ok := spectrum(p.s.Evidence, p.k)
	if !ok {
		return math.Inf(1), "the evidence is not k eigenvalues and k eigenvectors"
	}
	r = s.residual(p.g)
	if r <= eigenTolerance && !equal(p.s.Weights, s.Aligned(p.option.Scale)) {
		return r, "the weights are not those of the decomposition"
	}
	return r, ""
}

func spectrum(evidence []float64, k int) (Spectrum, bool) {
	if len(evidence) != k+k*k {
		return Spectrum{}, false
	}
	return Spectrum{evidence[:k], evidence[k:]}, true
}

// The matrices whose decomposition is the evidence of imtl_g: its first number.
const (
	EvidenceCosines = 0 // of the cosines, which have full rank
	EvidenceGram    = 1 // the scaled Gram matrix; that of the cosines has not
)

// imtlg: the evidence is which matrix, and its decomposition; the weights are
// exactly what follows. That the cosines have not full rank is proven by the
// eigenvector of the smallest eigenvalue. The residual bounds the relative error
// of the weights in its first order, the division by their sum included.
func (p *proof) imtlg() (r float64, reason string) {
	if len(p.s.Evidence) == 0 {
		return math.Inf(1), "there is no evidence"
	}
	s, ok := spectrum(p.s.Evidence[1:], p.k)
	if !ok {
		return math.Inf(1), "the evidence is not k eigenvalues and k eigenvectors"
	}
	l, a, full := Lengths(p.g), p.g, p.s.Evidence[0] == EvidenceCosines
	if full {
		a = Cosines(p.g)
	}
	if r = s.residual(a); !(r <= eigenTolerance) {
		return r, ""
	}
	if full != (s.Rank() == p.k) || !full && !p.dependent(s.vector(0), l) {
		return r, "the evidence is of the wrong matrix"
	}
	w, sum := s.Equalised(l, full)
	if r = float64(r * (size(w) / math.Abs(sum))); !(r <= eigenTolerance) {
		return r, "" // NaN too: the weights sum to zero
	}
	for i := range w {
		w[i] /= sum
	}
	if !equal(w, p.s.Weights) {
		return r, "the weights are not those of the decomposition"
	}
	return r, ""
}

// dependent reports whether x is a combination of the gradients, each taken at
// length 1, that is zero.
func (p *proof) dependent(x, lengths []float64) bool {
	total := 0.0
	for i := range x {
		y := float64(x[i] * lengths[i])
		total += float64(y * y)
	}
	return CombinedNormSq(p.g, x) <= float64(2*rankTolerance*float64(p.k*p.k))*total
}

// size is the sum of absolute values.
func size(w []float64) float64 {
	s := 0.0
	for _, v := range w {
		s += math.Abs(v)
	}
	return s
}

// Cosines returns the matrix of cosines: 1 on the diagonal, and zeros in the row
// and the column of a zero gradient.
func Cosines(g Gram) Gram {
	l, c := Lengths(g), Gram{K: g.K, V: make([]float64, len(g.V))}
	for at, v := range g.V {
		i, j := at/g.K, at%g.K
		switch ll := float64(l[i] * l[j]); {
		case ll == 0:
		case i == j:
			c.V[at] = 1
		default:
			c.V[at] = max(-1, min(1, v/ll))
		}
	}
	return c
}
