package cli

import (
	"slices"
	"testing"
)

func TestTicksAreRound(t *testing.T) {
	for _, x := range []struct {
		axes axes
		want []float64
	}{
		{axes{lo: 0, hi: 1}, []float64{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}},
		{axes{lo: -0.35, hi: 0}, []float64{-0.30000000000000004, -0.2, -0.1, 0}},
		{axes{lo: 0.00651, hi: 12, log: true}, []float64{0.01, 0.1, 1, 10}},
	} {
		if got := x.axes.ticks(); !slices.Equal(got, x.want) {
			t.Errorf("%v to %v: %v, want %v", x.axes.lo, x.axes.hi, got, x.want)
		}
	}
	for v, want := range map[float64]float64{1.98: 2, 2: 2, 2.1: 5, 6: 10, 0.011: 0.02} {
		if got := roundUp(v); got != want {
			t.Errorf("%v is rounded up to %v, want %v", v, got, want)
		}
	}
}
