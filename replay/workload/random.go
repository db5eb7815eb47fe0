package workload

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// All chance in this package comes from PCG-DXSM (math/rand/v2) seeded with two
// 64-bit words: the caller's seed and a stream number that says what it is for.
// What is made of its output uses integers, products and square roots only,
// each exact or correctly rounded, so it has the same bits on every machine.
const (
	streamInit   uint64 = 1 << 62   // initial weights of a net
	streamSplit  uint64 = 1<<62 + 1 // split of the penguins
	streamKernel uint64 = 1<<62 + 2 // initial weights of a kernel

	streamDigits       uint64 = 1<<62 + 3 // division of the digits of MultiMNIST
	streamTrainPairs   uint64 = 1<<62 + 4 // digits of its training images
	streamProbePairs   uint64 = 1<<62 + 5 // digits of its probe images
	streamHeldOutPairs uint64 = 1<<62 + 6 // digits of its held-out images
	streamDrill        uint64 = 1<<62 + 7 // labels of a fault drill
	// Mini-batch order uses the epoch itself, which stays below 1<<62.
)

// below returns a number from 0 to n-1: the high word of the product of a 64-bit
// output and n. The bias of that is below n/2^64.
func below(r *rand.PCG, n int) int {
	high, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(high)
}

// shuffle permutes v: for i from the last index down to 1 it swaps v[i] with
// v[j], where j is drawn from 0 to i.
func shuffle(v []int, r *rand.PCG) {
	for i := len(v) - 1; i > 0; i-- {
		j := below(r, i+1)
		v[i], v[j] = v[j], v[i]
	}
}

// ascending returns 0, 1, ... n-1.
func ascending(n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = i
	}
	return v
}

// fillUniform sets v to values uniform in [-limit, limit) in steps of
// limit/2^52, in the order of the slice.
func fillUniform(v []float64, limit float64, r *rand.PCG) {
	for i := range v {
		unit := float64(r.Uint64()>>11) * 0x1p-52 // exact, in [0, 2)
		v[i] = limit * (unit - 1)
	}
}

// glorot is the bound of Glorot and Bengio's uniform initialisation (2010) for
// a layer of in inputs and out outputs: sqrt(6/(in+out)).
func glorot(in, out int) float64 { return math.Sqrt(6 / float64(in+out)) }
