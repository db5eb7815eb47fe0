package solve

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// decompose returns the eigenvalues and eigenvectors of g.
func (p *problem) decompose(g aggregate.Gram) (aggregate.Spectrum, error) {
	k := g.K
	var f mat.EigenSym
	if !f.Factorize(mat.NewSymDense(k, append([]float64(nil), g.V...)), true) {
		return aggregate.Spectrum{}, &ConvergenceError{p.method, p.iterations}
	}
	p.iterations++
	s := aggregate.Spectrum{Values: f.Values(nil), Vectors: make([]float64, k*k)}
	var v mat.Dense
	f.VectorsTo(&v)
	for j := range k {
		for i := range k {
			s.Vectors[j*k+i] = v.At(i, j)
		}
	}
	return s, nil
}

func (p *problem) aligned(s *leyline.Solution) error {
	d, err := p.decompose(p.g)
	if err != nil {
		return err
	}
	s.Weights = d.Aligned(p.option.Scale)
	s.Evidence = append(append(s.Evidence, d.Values...), d.Vectors...)
	return nil
}

// imtlg solves for unit gradients, whose cosines tell which are dependent
// whatever the lengths are, and uses the pseudoinverse where some are.
func (p *problem) imtlg(s *leyline.Solution) error {
	d, err := p.decompose(aggregate.Cosines(p.g))
	if err != nil {
		return err
	}
	which := float64(aggregate.EvidenceCosines)
	if d.Rank() < p.g.K {
		which = aggregate.EvidenceGram
		if d, err = p.decompose(p.g); err != nil {
			return err
		}
	}
	w, sum := d.Equalised(aggregate.Lengths(p.g), which == aggregate.EvidenceCosines)
	total := 0.0
	for _, v := range w {
		total += math.Abs(v)
	}
	if math.Abs(sum) <= float64(1e-9*total) {
		return p.undefined("the weights with equal projections sum to zero")
	}
	for i := range w {
		w[i] /= sum
	}
	s.Weights = w
	s.Evidence = append(append(append(s.Evidence, which), d.Values...), d.Vectors...)
	return nil
}
