package blend

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		step, total int
		temperature float64
		want        float64
	}{
		{0, 20, 2, 0.006693}, {1, 20, 2, 0.010987}, {2, 20, 2, 0.017986}, {5, 20, 2, 0.075858},
		{10, 20, 2, 0.5}, {15, 20, 2, 0.924142}, {20, 20, 2, 0.993307},
		{2, 5, 1, 0.377541}, // the middle of five steps is 2.5
		{0, 0, 2, 1}, {7, -3, 2, 1},
		{9, 20, 0, 0}, {10, 20, 0, 0.5}, {11, 20, 0, 1}, {11, 20, -5, 1}, {9, 20, math.NaN(), 0},
		{0, 20, math.Inf(1), 0.5},
		{-5, 20, 2, 0.000553}, {40, 20, 2, 1},
		{math.MaxInt, 20, 2, 1}, {math.MinInt, 20, 2, 0},
	} {
		if got := Alpha(c.step, c.total, c.temperature); !(math.Abs(got-c.want) <= 5e-7) {
			t.Errorf("Alpha(%d, %d, %v) = %.7f, want %.6f", c.step, c.total, c.temperature, got, c.want)
		}
	}
}

func TestAlphaIsMonotoneBoundedAndSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 100000).Draw(t, "total")
		temperature := rapid.Float64Range(0, 1000).Draw(t, "temperature")
		step := rapid.IntRange(0, total).Draw(t, "step")
		a, b := Alpha(step, total, temperature), Alpha(step+1, total, temperature)
		if !(0 <= a && a <= b && b <= 1) {
			t.Errorf("Alpha falls or leaves [0, 1]: %v, then %v", a, b)
		}
		if s := a + Alpha(total-step, total, temperature); !(math.Abs(s-1) <= 1e-15) {
			t.Errorf("mirrored steps add up to %v, want 1", s)
		}
		// The same curve by its other formula.
		tanh := (1 + math.Tanh((float64(step)-float64(total)/2)/(2*max(temperature, MinTemperature)))) / 2
		if !(math.Abs(a-tanh) <= 1e-15) {
			t.Errorf("Alpha = %v, by tanh %v", a, tanh)
		}
	})
}
