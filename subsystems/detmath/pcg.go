package detmath

import "math/bits"

// PCG is the permuted congruential generator PCG-XSL-RR 128/64 of
// M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically
// Good Algorithms for Random Number Generation", HMC-CS-2014-0905 (2014), with
// the multiplier and the default increment of that work. It is good for
// sampling and useless for secrets.
//
// All arithmetic is modulo 2^128 with
//
//	M = 0x2360ed051fc65da44385df649fccf645
//	C = 0x5851f42d4c957f2d14057b7ef767814f
//
// Seeding from a 128-bit number S: state = (C + S)*M + C. Each draw first steps,
// state = state*M + C, and then returns
//
//	rotateRight64(high64(state) XOR low64(state), state >> 122).
//
// The zero PCG is not seeded; use NewPCG. A PCG is not safe for concurrent use.
type PCG struct {
	hi, lo       uint64 // state
	incHi, incLo uint64 // Invariant: odd
}

const (
	pcgMulHi = 0x2360ed051fc65da4
	pcgMulLo = 0x4385df649fccf645
	pcgIncHi = 0x5851f42d4c957f2d
	pcgIncLo = 0x14057b7ef767814f
)

// NewPCG returns a generator seeded with S = hi*2^64 + lo. Any pair is a good
// seed; use Mix to derive pairs for related streams.
func NewPCG(hi, lo uint64) *PCG { return newPCG(hi, lo, pcgIncHi, pcgIncLo) }

// newPCG seeds a generator whose increment is incHi*2^64 + incLo, which must
// be odd.
func newPCG(hi, lo, incHi, incLo uint64) *PCG {
	p := &PCG{incHi: incHi, incLo: incLo}
	p.step() // from 0: state = C
	var carry uint64
	p.lo, carry = bits.Add64(p.lo, lo, 0)
	p.hi, _ = bits.Add64(p.hi, hi, carry)
	p.step()
	return p
}

// step advances the congruential state.
func (p *PCG) step() {
	hi, lo := bits.Mul64(p.lo, pcgMulLo)
	hi += p.hi*pcgMulLo + p.lo*pcgMulHi
	var carry uint64
	p.lo, carry = bits.Add64(lo, p.incLo, 0)
	p.hi, _ = bits.Add64(hi, p.incHi, carry)
}

// Uint64 returns the next 64 bits, uniform over all values.
func (p *PCG) Uint64() uint64 {
	p.step()
	return bits.RotateLeft64(p.hi^p.lo, -int(p.hi>>58))
}

// Float64 returns a number in [0, 1): the upper 53 bits of one Uint64, times
// 2^-53. All 2^53 multiples of 2^-53 are equally likely.
func (p *PCG) Float64() float64 { return float64(float64(p.Uint64()>>11) * 0x1p-53) }

// IntN returns a number in [0, n), without bias. It panics if n < 1.
//
// The method is rejection after D. Lemire, "Fast Random Integer Generation in
// an Interval", ACM TOMACS 29 (2019): with x one Uint64 let the 128-bit product
// x*n be h*2^64 + l. If l < (2^64 mod n), draw again; otherwise return h. Every
// call takes at least one draw, n = 1 included.
func (p *PCG) IntN(n int) int {
	if n < 1 {
		panic("detmath: IntN needs n >= 1")
	}
	un := uint64(n)
	h, l := bits.Mul64(p.Uint64(), un)
	if l < un {
		for least := -un % un; l < least; {
			h, l = bits.Mul64(p.Uint64(), un)
		}
	}
	return int(h)
}

// Shuffle permutes n elements uniformly by calling swap. It is the Fisher-Yates
// shuffle from the end (Knuth TAOCP 2, algorithm 3.4.2P): for i = n-1 down to 1
// it draws j = IntN(i+1) and calls swap(i, j), also where i = j. It panics if
// n < 0.
func (p *PCG) Shuffle(n int, swap func(i, j int)) {
	if n < 0 {
		panic("detmath: Shuffle needs n >= 0")
	}
	for i := n - 1; i > 0; i-- {
		swap(i, p.IntN(i+1))
	}
}

// Perm returns 0, 1, ... n-1 after Shuffle. It panics if n < 0.
func (p *PCG) Perm(n int) []int {
	if n < 0 {
		panic("detmath: Perm needs n >= 0")
	}
	v := make([]int, n)
	for i := range v {
		v[i] = i
	}
	p.Shuffle(n, func(i, j int) { v[i], v[j] = v[j], v[i] })
	return v
}
