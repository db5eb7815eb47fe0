package track

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// alpha is the weight that the known samples were computed with.
const alpha = 0.2

func TestKnownSamples(t *testing.T) {
	for _, c := range []struct {
		name                       string
		xs                         []float64
		mean, variance, volatility float64
		tolerance                  float64
	}{
		{"first loss", []float64{0.97867265}, 0.19573453, 0.153248025, 0.39146906, 1e-8},
		{"first gradient norm", []float64{2.4557948}, 0.49115896, 0.96494850, 0.98231792, 1e-7},
		// By hand: mean 0.2, variance 0.16; then 0.56, 0.2*1.8*1.44 + 0.8*0.16.
		{"two samples", []float64{1, 2}, 0.56, 0.6464, 0.803990049, 1e-9},
		// Constant samples: the mean approaches them and the variance decays.
		{"constant", []float64{1, 1, 1}, 0.488, 0.249856, 0.499855979, 1e-9},
	} {
		var e EWMA
		for _, x := range c.xs {
			e = e.Next(alpha, x)
		}
		for _, v := range []struct {
			name      string
			got, want float64
		}{{"mean", e.Mean, c.mean}, {"variance", e.Var, c.variance}, {"volatility", e.Volatility(), c.volatility}} {
			if !(math.Abs(v.got-v.want) <= c.tolerance) {
				t.Errorf("%s: %s %.9f, want %.9f", c.name, v.name, v.got, v.want)
			}
		}
		if e.N != uint64(len(c.xs)) {
			t.Errorf("%s: N = %d", c.name, e.N)
		}
	}
}

func TestNextLeavesItsReceiverAlone(t *testing.T) {
	e := EWMA{Mean: 1, Var: 2, N: 3}
	if f := e.Next(0.5, 10); e != (EWMA{Mean: 1, Var: 2, N: 3}) || f == e {
		t.Errorf("changed to %+v, returned %+v", e, f)
	}
}

// The slow twin carries 300 bits: after many steps float64 must still agree, so
// errors do not pile up.
func TestLongRunsAgreeWithExactArithmetic(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		alpha := rapid.Float64Range(1e-3, 1).Draw(rt, "alpha")
		centre := rapid.Float64Range(-1000, 1000).Draw(rt, "centre")
		xs := rapid.SliceOfN(rapid.Float64Range(-1, 1), 1, 50).Draw(rt, "noise")
		big300 := func(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }
		fresh := func() *big.Float { return new(big.Float).SetPrec(300) }
		a, b := big300(alpha), fresh().Sub(big300(1), big300(alpha))
		m, v := fresh(), fresh()
		var e EWMA
		for range 20 {
			for _, noise := range xs {
				x := centre + noise
				e = e.Next(alpha, x)
				before := fresh().Sub(big300(x), m)
				m = fresh().Add(fresh().Mul(a, big300(x)), fresh().Mul(b, m))
				after := fresh().Sub(big300(x), m)
				v = fresh().Add(fresh().Mul(a, fresh().Mul(before, after)), fresh().Mul(b, v))
			}
		}
		mean, _ := m.Float64()
		variance, _ := v.Float64()
		size := math.Abs(centre) + 1
		if math.Abs(e.Mean-mean) > 1e-12*size || math.Abs(e.Var-variance) > 1e-9*size*size*1e-3+1e-12 {
			rt.Errorf("after %d steps %+v, want mean %v variance %v", e.N, e, mean, variance)
		}
	})
}

// The mean is a convex combination of 0 and the samples; the variance of values
// within a range of width w is at most w*w/4.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		alpha := rapid.Float64Range(1e-6, 1).Draw(rt, "alpha")
		var e EWMA
		var low, high float64
		for _, x := range rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 300).Draw(rt, "xs") {
			low, high = min(low, x), max(high, x)
			e = e.Next(alpha, x)
			slack := 1e-9 * (high - low)
			if e.Mean < low-slack || e.Mean > high+slack {
				rt.Fatalf("mean %v outside [%v, %v]", e.Mean, low, high)
			}
			if w := high - low; e.Var < 0 || e.Var > w*w/4*(1+1e-9) {
				rt.Fatalf("variance %v outside [0, %v]", e.Var, w*w/4)
			}
		}
	})
}

func TestVarianceHasAFloor(t *testing.T) {
	// A stored state that rounding (or another version) left below zero.
	if e := (EWMA{Mean: 1, Var: -1e-300}).Next(0.5, 1); e.Var != 0 || e.Volatility() != 0 {
		t.Errorf("variance %v, want 0", e.Var)
	}
}

// Ten million steps keep the moments of a sawtooth and reach a fixed point on
// constant input (within a few ULP) instead of drifting.
func TestTenMillionSteps(t *testing.T) {
	var e EWMA
	for i := range 10_000_000 {
		e = e.Next(alpha, 3+float64(i%7)*0.01)
	}
	if e.N != 10_000_000 || math.Abs(e.Mean-3.03) > 0.03 || e.Var <= 0 || e.Var > 0.0009 {
		t.Errorf("after ten million steps: %+v", e)
	}
	for range 1000 {
		e = e.Next(alpha, 3)
	}
	if f := e.Next(alpha, 3); math.Abs(f.Mean-3) > 1e-14 || f.Var > 1e-28 {
		t.Errorf("constant input ends at %+v", f)
	}
}
