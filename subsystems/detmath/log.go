package detmath

import "math"

// logTail holds 2/3, 2/5, ... 2/23, the series of 2*atanh(s)/s in s*s after
// its first term.
var logTail = [...]float64{
	2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15,
	2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23,
}

// Log returns the natural logarithm of x. The largest error measured is
// 0.53 ULP, subnormal arguments included.
//
// Log(+Inf) = +Inf, Log(±0) = -Inf, Log(x < 0) = NaN, Log(NaN) = NaN,
// Log(1) = +0. With x = 2^k*m, m in [sqrt(1/2), sqrt(2)) and s = (m-1)/(m+1)
// the result is k*ln 2 + 2*atanh(s).
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || x < 0:
		return nan()
	case x == 0:
		return math.Inf(-1)
	case x > math.MaxFloat64:
		return x
	case x == 1:
		return 0
	}
	k, m := mantissa(x)
	f := m - 1 // exact
	dh, dl := twoSum(2, f)
	sh := f / dh
	p, e := twoProd(sh, dh)
	sl := (((f - p) - e) - float64(sh*dl)) / dh
	z := float64(sh * sh)
	tail := float64(sh * float64(z*horner(z, logTail[:])))
	hi, lo := twoSum(float64(k*ln2Hi), float64(2*sh))
	return hi + (lo + (float64(2*sl) + tail + float64(k*ln2Lo)))
}

// mantissa writes a positive finite x as 2^k*m with m in [sqrt(1/2), sqrt(2)).
func mantissa(x float64) (k, m float64) {
	const fraction = 1<<52 - 1
	shift := 0
	if x < 0x1p-1022 {
		x = float64(x * 0x1p54)
		shift = 54
	}
	b := math.Float64bits(x)
	n := int(b>>52) - 1023 - shift
	m = math.Float64frombits(b&fraction | 1023<<52)
	if m >= math.Sqrt2 {
		return float64(n + 1), m / 2
	}
	return float64(n), m
}
