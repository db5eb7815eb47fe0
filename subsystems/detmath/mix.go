package detmath

// gamma is 2^64 divided by the golden ratio, made odd: the increment of
// SplitMix64.
const gamma = 0x9e3779b97f4a7c15

// finish is the output function of SplitMix64 (Steele, Lea, Flood, "Fast
// Splittable Pseudorandom Number Generators", OOPSLA 2014; the constants are
// David Stafford's variant 13). It is a bijection of the 64-bit numbers.
func finish(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Mix derives the 128-bit seed of a stream from a run's seed and the parts that
// name the stream, for example (lineage, step). Order and number of the parts
// matter: Mix(s, 1, 2), Mix(s, 2, 1), Mix(s, 1) and Mix(s, 1, 0) are unrelated.
//
// With F the SplitMix64 output function and g = 0x9e3779b97f4a7c15, modulo 2^64:
//
//	hi = g
//	lo = 2g
//	for p = seed, then each of parts, then the number of parts:
//	    hi = F(hi + F(p + g))
//	    lo = F(lo XOR F(p + 2g))
//
// Every step is a bijection of each half, so streams of one run that differ in
// a single part never share a seed. It spreads seeds; it hides nothing.
func Mix(seed uint64, parts ...uint64) (hi, lo uint64) {
	g := uint64(gamma)
	hi, lo = g, 2*g
	absorb := func(p uint64) {
		hi = finish(hi + finish(p+g))
		lo = finish(lo ^ finish(p+2*g))
	}
	absorb(seed)
	for _, p := range parts {
		absorb(p)
	}
	absorb(uint64(len(parts)))
	return hi, lo
}
