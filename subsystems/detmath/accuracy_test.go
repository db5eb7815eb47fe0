package detmath

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// The slow twin: the same functions from their series in 320-bit arithmetic,
// or in 1,400 bits where a huge argument of cos is reduced.
const refBits = 320

func bf(x float64) *big.Float { return new(big.Float).SetPrec(refBits).SetFloat64(x) }

func bi(n int64) *big.Float { return new(big.Float).SetPrec(refBits).SetInt64(n) }

func bop(op func(z, a, b *big.Float) *big.Float, a, b *big.Float) *big.Float {
	return op(new(big.Float).SetPrec(max(a.Prec(), b.Prec())), a, b)
}

func add(a, b *big.Float) *big.Float { return bop((*big.Float).Add, a, b) }
func sub(a, b *big.Float) *big.Float { return bop((*big.Float).Sub, a, b) }
func mul(a, b *big.Float) *big.Float { return bop((*big.Float).Mul, a, b) }
func quo(a, b *big.Float) *big.Float { return bop((*big.Float).Quo, a, b) }

// refExp halves x until it is small, sums the series and squares back.
func refExp(x *big.Float) *big.Float {
	const halvings = 24
	r := new(big.Float).SetPrec(refBits+64).SetMantExp(x, -halvings)
	sum, term := bi(1).SetPrec(refBits+64), bi(1).SetPrec(refBits+64)
	for n := int64(1); n < 200 && term.Sign() != 0 && term.MantExp(nil) > -refBits-64; n++ {
		term = quo(mul(term, r), bi(n))
		sum = add(sum, term)
	}
	for range halvings {
		sum = mul(sum, sum)
	}
	return sum
}

// refAtanInv returns atan(1/n).
func refAtanInv(n int64, prec uint) *big.Float {
	one := new(big.Float).SetPrec(prec).SetInt64(1)
	term := quo(one, bi(n))
	sum, square := term, bi(n*n)
	for k := int64(3); term.MantExp(nil) > -int(prec); k += 2 {
		term = new(big.Float).Neg(quo(term, square))
		sum = add(sum, quo(term, bi(k)))
	}
	return sum
}

// refPi is Machin's formula.
func refPi(prec uint) *big.Float {
	return mul(bi(4), sub(mul(bi(4), refAtanInv(5, prec)), refAtanInv(239, prec)))
}

var (
	wideHalfPi = quo(refPi(1500), bi(2))
	refLn2     = refLogNear(bi(2))
)

// refLogNear returns log(m) by the series of 2*atanh((m-1)/(m+1)).
func refLogNear(m *big.Float) *big.Float {
	s := quo(sub(m, bi(1)), add(m, bi(1)))
	z := mul(s, s)
	sum, power := new(big.Float).Copy(s), s
	for k := int64(3); power.Sign() != 0 && power.MantExp(nil) > s.MantExp(nil)-refBits; k += 2 {
		power = mul(power, z)
		sum = add(sum, quo(power, bi(k)))
	}
	return mul(bi(2), sum)
}

func refLog(x float64) *big.Float {
	m := new(big.Float)
	k := bf(x).MantExp(m)
	if m.Cmp(bf(0.75)) < 0 {
		m.SetMantExp(m, 1)
		k--
	}
	return add(mul(bi(int64(k)), refLn2), refLogNear(m))
}

func refTanh(x float64) *big.Float {
	e := refExp(bf(2 * x))
	return quo(sub(e, bi(1)), add(e, bi(1)))
}

func refLogistic(x float64) *big.Float { return quo(bi(1), add(bi(1), refExp(bf(-x)))) }

func refCos(x float64) *big.Float {
	wide := new(big.Float).SetPrec(1500).SetFloat64(math.Abs(x))
	turns, _ := quo(wide, wideHalfPi).Int(nil)
	r := sub(wide, mul(new(big.Float).SetPrec(1500).SetInt(turns), wideHalfPi))
	r.SetPrec(refBits)
	// cos(r + q*pi/2) by the series of the quadrant, with 0 <= r < pi/2.
	q := new(big.Int).And(turns, big.NewInt(3)).Int64()
	term, first := bi(1), int64(1)
	if q%2 == 1 {
		term, first = r, 2
	}
	sum, z := term, mul(r, r)
	for k := first; k < 160; k += 2 {
		term = new(big.Float).Neg(quo(mul(term, z), bi(k*(k+1))))
		sum = add(sum, term)
	}
	if q == 1 || q == 2 {
		sum.Neg(sum)
	}
	return sum
}

// ulps returns |got - want| in units in the last place of want as a float64.
func ulps(got float64, want *big.Float) float64 {
	near, _ := want.Float64()
	if math.IsNaN(got) {
		return math.Inf(1)
	}
	if math.IsInf(near, 0) || math.IsInf(got, 0) {
		if got == near {
			return 0
		}
		return math.Inf(1)
	}
	unit := math.Nextafter(math.Abs(near), math.Inf(1)) - math.Abs(near)
	d, _ := quo(sub(bf(got), want), bf(unit)).Float64()
	return math.Abs(d)
}

type accuracyCase struct {
	name     string
	got      func(float64) float64
	std      func(float64) float64
	want     func(float64) *big.Float
	from, to float64
	points   int
	limit    float64 // ULP against the true value
	stdLimit float64 // ULP against package math, which has errors of its own
}

func stdLogistic(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

func accuracyCases() []accuracyCase {
	e := func(x float64) *big.Float { return refExp(bf(x)) }
	return []accuracyCase{
		{"Exp", Exp, math.Exp, e, -708.3, 709, 3000, 0.53, 2},
		// On amd64 math.Exp is +Inf from about 709.1 and math.Log ignores the
		// exponent of subnormals: there package math is no measure.
		{"Exp/top", Exp, math.Exp, e, 709, 709.78, 500, 0.53, math.Inf(1)},
		{"Exp/near0", Exp, math.Exp, e, -0.7, 0.7, 3000, 0.53, 2},
		{"Exp/subnormal", Exp, math.Exp, e, -745.2, -708.4, 1000, 1, 2},
		{"Log/near1", Log, math.Log, refLog, 0.5, 2, 4000, 0.53, 2},
		{"Log/tiny", Log, math.Log, refLog, 5e-324, 2.2e-308, 1000, 0.53, math.Inf(1)},
		{"Log/huge", Log, math.Log, refLog, 2.3e-308, math.MaxFloat64, 3000, 0.53, 2},
		{"Tanh", Tanh, math.Tanh, refTanh, -3, 3, 4000, 0.55, 2},
		{"Tanh/small", Tanh, math.Tanh, refTanh, -1e-6, 1e-6, 1000, 0.53, 2},
		{"Tanh/edge", Tanh, math.Tanh, refTanh, 15, 21, 1000, 0.53, 2},
		{"Logistic", Logistic, stdLogistic, refLogistic, -8, 8, 4000, 0.53, 3},
		{"Logistic/edge", Logistic, stdLogistic, refLogistic, -60, 60, 2000, 0.53, 3},
		{"Logistic/low", Logistic, stdLogistic, refLogistic, -708, -40, 1000, 0.53, 3},
		{"Cos", Cos, math.Cos, refCos, -3.2, 3.2, 3000, 0.75, 2},
		{"Cos/kernel", Cos, math.Cos, refCos, -0.78, 0.78, 3000, 0.55, 2},
		{"Cos/mid", Cos, math.Cos, refCos, 0, 1e6, 3000, 0.75, 2},
		{"Cos/huge", Cos, math.Cos, refCos, 1e6, math.MaxFloat64, 1500, 0.75, math.Inf(1)},
	}
}

// measure returns the largest errors over random arguments, half of them uniform
// in the range and, where it is positive, half uniform over its bit patterns.
func (c accuracyCase) measure() (worst, at, worstStd float64) {
	rng := NewPCG(Mix(1, uint64(len(c.name))))
	lo, hi := math.Float64bits(c.from), math.Float64bits(c.to)
	for i := range c.points {
		x := c.from + float64(rng.Float64()*(c.to-c.from))
		if i%2 == 1 && c.from >= 0 {
			x = math.Float64frombits(lo + rng.Uint64()%(hi-lo))
		}
		got := c.got(x)
		if d := ulps(got, c.want(x)); d > worst {
			worst, at = d, x
		}
		worstStd = max(worstStd, ulps(got, bf(c.std(x))))
	}
	return worst, at, worstStd
}

func TestAccuracy(t *testing.T) {
	for _, c := range accuracyCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			worst, at, worstStd := c.measure()
			t.Logf("max error %.4f ULP at %v; against package math %.2f ULP", worst, at, worstStd)
			if !(worst <= c.limit) {
				t.Errorf("error %.4f ULP at x = %v, want at most %v", worst, at, c.limit)
			}
			if !(worstStd <= c.stdLimit) {
				t.Errorf("differs from package math by %.2f ULP, want at most %v", worstStd, c.stdLimit)
			}
		})
	}
}

// Float64s closest to multiples of pi/2, where the reduction loses most.
func TestCosHardestReductions(t *testing.T) {
	for _, x := range []float64{
		math.Pi / 2, 3 * math.Pi / 2, math.Pi, 2 * math.Pi, 11, 22, 355, 710,
		math.Ldexp(6381956970095103, 797), math.Ldexp(5319372648326541, 255),
		math.MaxFloat64, 1 << 52, 1e22,
	} {
		if d := ulps(Cos(x), refCos(x)); d > 0.75 {
			t.Errorf("Cos(%v) = %v is %.2f ULP off", x, Cos(x), d)
		}
	}
}

func TestTwoOverPiTable(t *testing.T) {
	v := quo(new(big.Float).SetPrec(1500).SetInt64(1), wideHalfPi)
	n, _ := new(big.Float).SetMantExp(v, 1280).Int(nil)
	for i := len(twoOverPi) - 1; i >= 0; i-- {
		w := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
		if twoOverPi[i] != w {
			t.Errorf("word %d is %#x, want %#x", i, twoOverPi[i], w)
		}
		n.Rsh(n, 64)
	}
}

func TestSpecialValues(t *testing.T) {
	inf, nz, sub := math.Inf(1), math.Copysign(0, -1), math.SmallestNonzeroFloat64
	otherNaN := math.Float64frombits(0xfff8000000000123)
	for _, c := range []struct {
		name    string
		f       func(float64) float64
		x, want float64
	}{
		{"Exp", Exp, inf, inf}, {"Exp", Exp, -inf, 0}, {"Exp", Exp, otherNaN, nan()},
		{"Exp", Exp, 0, 1}, {"Exp", Exp, nz, 1}, {"Exp", Exp, sub, 1}, {"Exp", Exp, 1, math.E},
		{"Exp", Exp, 709.782712893384, 1.7976931348622732e308}, {"Exp", Exp, 709.782712893385, inf},
		{"Exp", Exp, math.MaxFloat64, inf}, {"Exp", Exp, -math.MaxFloat64, 0},
		{"Exp", Exp, -745.1332191019411, sub}, {"Exp", Exp, -745.1332191019412, 0},
		{"Log", Log, inf, inf}, {"Log", Log, 0, -inf}, {"Log", Log, nz, -inf}, {"Log", Log, -1, nan()},
		{"Log", Log, -inf, nan()}, {"Log", Log, otherNaN, nan()}, {"Log", Log, 1, 0},
		{"Log", Log, sub, -744.4400719213812}, {"Log", Log, math.MaxFloat64, 709.782712893384},
		{"Tanh", Tanh, inf, 1}, {"Tanh", Tanh, -inf, -1}, {"Tanh", Tanh, otherNaN, nan()},
		{"Tanh", Tanh, 0, 0}, {"Tanh", Tanh, nz, nz}, {"Tanh", Tanh, sub, sub}, {"Tanh", Tanh, -sub, -sub},
		{"Cos", Cos, inf, nan()}, {"Cos", Cos, -inf, nan()}, {"Cos", Cos, otherNaN, nan()},
		{"Cos", Cos, 0, 1}, {"Cos", Cos, nz, 1}, {"Cos", Cos, sub, 1}, {"Cos", Cos, math.Pi, -1},
		{"Logistic", Logistic, inf, 1}, {"Logistic", Logistic, -inf, 0}, {"Logistic", Logistic, otherNaN, nan()},
		{"Logistic", Logistic, 0, 0.5}, {"Logistic", Logistic, nz, 0.5}, {"Logistic", Logistic, sub, 0.5},
		{"Logistic", Logistic, -746, 0}, {"Logistic", Logistic, -745, sub},
	} {
		if got := c.f(c.x); math.Float64bits(got) != math.Float64bits(c.want) {
			t.Errorf("%s(%v) = %v (%#x), want %v", c.name, c.x, got, math.Float64bits(got), c.want)
		}
	}
}

// Odd, even, complementary and monotone, as the true functions are.
func TestShapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-800, 800).Draw(t, "x")
		y := rapid.Float64Range(-800, 800).Draw(t, "y")
		if Tanh(-x) != -Tanh(x) || Cos(-x) != Cos(x) {
			t.Errorf("symmetry broken at %v", x)
		}
		if s := Logistic(x) + Logistic(-x); math.Abs(s-1) > 0x1p-52 {
			t.Errorf("Logistic(x) + Logistic(-x) = %v at %v", s, x)
		}
		if x > y {
			x, y = y, x
		}
		if y-x < 1e-9*math.Abs(x) {
			return
		}
		for _, f := range []func(float64) float64{Exp, Tanh, Logistic} {
			if f(x) > f(y) {
				t.Errorf("not monotone between %v and %v", x, y)
			}
		}
	})
}
