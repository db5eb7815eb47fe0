package detmath

import "math"

// nan returns the one NaN that this package ever returns.
func nan() float64 { return math.NaN() }

// canon maps every NaN to the same bits and leaves all else alone.
func canon(x float64) float64 {
	if math.IsNaN(x) {
		return nan()
	}
	return x
}

// twoSum returns s = a+b rounded and the exact error e, so that s+e = a+b
// (Knuth). It holds for any order of magnitudes unless s overflows.
func twoSum(a, b float64) (s, e float64) {
	s = a + b
	bb := s - a
	return s, (a - (s - bb)) + (b - bb)
}

// fastTwoSum is twoSum for |a| >= |b| (Dekker).
func fastTwoSum(a, b float64) (s, e float64) {
	s = a + b
	return s, b - (s - a)
}

// halve splits a into two numbers of at most 26 bits each (Veltkamp). It needs
// |a| < 2^996.
func halve(a float64) (hi, lo float64) {
	const factor = 1<<27 + 1
	c := float64(factor * a)
	hi = c - (c - a)
	return hi, a - hi
}

// twoProd returns p = a*b rounded and the exact error e (Dekker). It needs
// products that neither overflow nor fall below 2^-969.
func twoProd(a, b float64) (p, e float64) {
	p = float64(a * b)
	ah, al := halve(a)
	bh, bl := halve(b)
	e = float64(ah*bh) - p
	e += float64(ah * bl)
	e += float64(al * bh)
	e += float64(al * bl)
	return p, e
}

// divide returns (nh+nl)/(dh+dl) rounded once from a quotient that is good to
// about twice the precision of float64.
func divide(nh, nl, dh, dl float64) float64 {
	q := nh / dh
	p, e := twoProd(q, dh)
	rest := ((nh - p) - e) + (nl - float64(q*dl))
	return q + rest/dh
}

// horner evaluates c[0] + z*(c[1] + z*(c[2] + ...)).
func horner(z float64, c []float64) float64 {
	var s float64
	for i := len(c) - 1; i >= 0; i-- {
		s = c[i] + float64(z*s)
	}
	return s
}

// pow2 returns 2^k for -1022 <= k <= 1023.
func pow2(k int) float64 { return math.Float64frombits(uint64(k+1023) << 52) }

// scale returns y*2^k, rounded once where the result is subnormal, for
// 1/2 <= y <= 2 and -1100 <= k <= 1100.
func scale(y float64, k int) float64 {
	switch {
	case k > 1023:
		return float64(float64(y*pow2(1023)) * pow2(k-1023))
	case k < -1022:
		return float64(float64(y*pow2(k+128)) * pow2(-128))
	}
	return float64(y * pow2(k))
}
