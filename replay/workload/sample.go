package workload

import (
	"math"
	"math/rand/v2"
)

// cosineSamples is the number of positions of a layer's gradient at which host and
// seed are compared.
const cosineSamples = 1024

// sampler estimates the cosine of two gradients from the same few of their elements,
// so that what is kept of them does not grow with the layer. One position is drawn
// from each of as many equal parts of the layer, so that every row of the batch has
// its share, anew for every batch, as a function of the net's seed and the rows of the
// batch alone. A layer of no more elements is taken whole: the cosine is exact.
//
// The estimate is a ratio of means over a stratified sample, and like every such ratio
// biased by the order of 1/1024 (Cochran, Sampling Techniques, 1977, 5A.3 and 6.8). Its
// error is about (1-cos^2)/32 for gradients whose elements are of one size, and larger
// where few elements hold most of the norm, which a sample may miss:
// TestSampledCosine has figures.
type sampler struct {
	source *rand.PCG
	draws  *rand.Rand // of source
	at     []int      // positions in the order of the draw
	exact  bool
}

func newSampler() sampler {
	source := rand.NewPCG(0, 0)
	return sampler{source: source, draws: rand.New(source), at: make([]int, 0, cosineSamples)}
}

// draw chooses positions below n.
func (s *sampler) draw(seed uint64, batch []int, n int) {
	s.at = s.at[:0]
	if s.exact = n <= cosineSamples; s.exact {
		for i := range n {
			s.at = append(s.at, i)
		}
		return
	}
	hash := uint64(14695981039346656037) // FNV-1a over the rows
	for _, r := range batch {
		hash = (hash ^ uint64(r)) * 1099511628211
	}
	s.source.Seed(seed, hash)
	for i := range cosineSamples {
		from, to := i*n/cosineSamples, (i+1)*n/cosineSamples
		s.at = append(s.at, from+s.draws.IntN(to-from))
	}
}

// add adds the sampled elements of v to sum, which holds one number per position.
func (s *sampler) add(sum, v []float64) {
	for i, at := range s.at {
		sum[i] += v[at]
	}
}

// cosine of the gradients that meet at the graft: the host's own, and the one the
// seed would send back to the trunk, by their sampled elements. 0 when either
// vanishes there.
func (s *sampler) cosine(a, b []float64) float64 {
	dot, aa, bb := 0.0, 0.0, 0.0
	for i := range s.at {
		dot += float64(a[i] * b[i])
		aa += float64(a[i] * a[i])
		bb += float64(b[i] * b[i])
	}
	norms := math.Sqrt(aa) * math.Sqrt(bb)
	if norms == 0 {
		return 0
	}
	return dot / norms
}

// samples is what a report says of the figure: 0 when it is exact.
func (s *sampler) samples() int {
	if s.exact {
		return 0
	}
	return len(s.at)
}
