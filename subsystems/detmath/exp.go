package detmath

import "math"

// ln2Hi holds the first 41 bits of ln 2, so that k*ln2Hi is exact for
// |k| < 2^12; ln2Lo is the rest, rounded.
const (
	ln2Hi = 0x1.62e42fefa3p-1
	ln2Lo = math.Ln2 - ln2Hi
)

// expTail holds 1/3!, 1/4!, ... 1/14!.
var expTail = [...]float64{
	1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
	1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600,
	1.0 / 6227020800, 1.0 / 87178291200,
}

// expParts writes e^x as 2^k * (1 + hi + lo) with |hi| < 0.42, for |x| < 750.
func expParts(x float64) (k int, hi, lo float64) {
	n := math.Floor(float64(x*math.Log2E) + 0.5)
	// x - n*ln2Hi is exact: the terms nearly cancel.
	rh, rl := twoSum(x-float64(n*ln2Hi), -float64(n*ln2Lo))
	z, ze := twoProd(rh, rh)
	hi, lo = fastTwoSum(rh, float64(0.5*z))
	tail := float64(float64(rh*z) * horner(rh, expTail[:]))
	lo += rl + float64(rl*rh) + float64(0.5*ze) + tail
	hi, lo = fastTwoSum(hi, lo)
	return int(n), hi, lo
}

// Exp returns e^x. The largest error measured is 0.53 ULP for normal results
// and 1 ULP for subnormal ones.
//
// Exp(+Inf) = +Inf, Exp(-Inf) = 0, Exp(NaN) = NaN; results above
// math.MaxFloat64 are +Inf, below half of the smallest subnormal 0.
func Exp(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return nan()
	case x > 710:
		return math.Inf(1)
	case x < -746:
		return 0
	case math.Abs(x) < 0x1p-54:
		return 1
	}
	k, hi, lo := expParts(x)
	s, e := fastTwoSum(1, hi)
	return scale(s+(e+lo), k)
}

// Tanh returns the hyperbolic tangent of x, in [-1, 1]. It is odd and the
// largest error measured is 0.55 ULP.
//
// Tanh(±Inf) = ±1, Tanh(±0) = ±0, Tanh(NaN) = NaN. With t = e^(2|x|) - 1 the
// result is t/(t+2), both kept as sums of two float64.
func Tanh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return nan()
	case a < 0x1p-28:
		return x // x - x^3/3 rounds to x
	case x > 20:
		return 1
	case x < -20:
		return -1
	}
	k, hi, lo := expParts(float64(2 * a))
	p := pow2(k)
	s, e := twoSum(p-1, float64(p*hi))
	th, tl := fastTwoSum(s, e+float64(p*lo))
	dh, dl := twoSum(2, th)
	y := divide(th, tl, dh, dl+tl)
	if x < 0 {
		return -y
	}
	return y
}

// Logistic returns 1/(1+e^-x), in [0, 1]. It never overflows inside and keeps
// full relative precision for large negative x, where the result is close to
// e^x. The largest error measured is 0.53 ULP for normal results and 1 ULP for
// subnormal ones.
//
// Logistic(+Inf) = 1, Logistic(-Inf) = 0, Logistic(NaN) = NaN.
func Logistic(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return nan()
	case x > 40:
		return 1 // 1 - e^-40 rounds to 1
	case x < -40:
		return Exp(x) // 1/(1+e^x) differs from 1 by less than 2^-57
	}
	k, hi, lo := expParts(-math.Abs(x))
	p := pow2(k)
	eh, el := twoSum(p, float64(p*hi))
	el += float64(p * lo)
	dh, dl := twoSum(1, eh)
	dl += el
	if x < 0 {
		return divide(eh, el, dh, dl)
	}
	return divide(1, 0, dh, dl)
}
