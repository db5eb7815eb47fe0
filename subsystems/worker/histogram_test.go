package worker

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The bounds begin and end where the comment says, and a bound is the last
// duration of its bucket.
func TestBuckets(t *testing.T) {
	us := time.Microsecond
	want := []time.Duration{100 * us, 150 * us, 200 * us, 300 * us, 400 * us, 600 * us, 800 * us}
	before := time.Duration(0)
	for i := range Buckets - 1 {
		bound, ok := BucketBound(i)
		if !ok || i < len(want) && bound != want[i] || i > 0 && 2*bound > 3*before || bound <= before {
			t.Fatalf("bucket %d ends at %v, %v", i, bound, ok)
		}
		if bucketOf(before+1) != i || bucketOf(bound) != i || bucketOf(bound+1) != i+1 {
			t.Errorf("bucket %d from %v to %v: found %d, %d, %d", i, before+1, bound, bucketOf(before+1), bucketOf(bound), bucketOf(bound+1))
		}
		before = bound
	}
	if before != 78_643_200*us || bucketOf(0) != 0 || bucketOf(math.MaxInt64) != Buckets-1 {
		t.Errorf("the last bound is %v; 0 is in bucket %d, the longest duration in %d", before, bucketOf(0), bucketOf(math.MaxInt64))
	}
	for _, i := range []int{-1, Buckets - 1, Buckets} {
		if bound, ok := BucketBound(i); ok {
			t.Errorf("bucket %d has the bound %v", i, bound)
		}
	}
}

// naiveQuantile sorts.
func naiveQuantile(all []time.Duration, q float64) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[max(int(math.Ceil(q*float64(len(all)))), 1)-1]
}

func TestQuantileKeepsItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.SampledFrom([]int64{1e5, 1e6, 1e9, 60e9, 200e9}).Draw(t, "scale")
		var all []time.Duration
		var h [2]Histogram
		for i, n := range rapid.SliceOfN(rapid.Int64Range(0, scale), 1, 200).Draw(t, "durations") {
			all = append(all, time.Duration(n))
			h[i%2].observe(time.Duration(n))
		}
		h[0].Merge(&h[1])
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		truth, got := naiveQuantile(all, q), h[0].Quantile(q)
		most := truth + truth/2
		switch {
		case truth <= firstBound:
			most = firstBound
		case bucketOf(truth) == Buckets-1:
			most = slices.Max(all)
		}
		if got < truth || got > most || got > slices.Max(all) {
			t.Errorf("the %v quantile is %v, not in [%v, %v]", q, got, truth, most)
		}
		var sum time.Duration
		for _, d := range all {
			sum += d
		}
		if h[0].Sum != sum || h[0].Max != slices.Max(all) || h[0].Count() != uint64(len(all)) {
			t.Errorf("sum %v, longest %v, %d in all, want %v, %v, %d", h[0].Sum, h[0].Max, h[0].Count(), sum, slices.Max(all), len(all))
		}
	})
}

func TestQuantileAtTheEnds(t *testing.T) {
	var h Histogram
	if q := h.Quantile(0.5); q != 0 {
		t.Errorf("an empty histogram has the median %v", q)
	}
	h.observe(time.Millisecond)
	h.observe(time.Second)
	for q, want := range map[float64]time.Duration{-1: 1200 * time.Microsecond, 0: 1200 * time.Microsecond, 0.5: 1200 * time.Microsecond, 0.51: time.Second, 1: time.Second, 2: time.Second} {
		if got := h.Quantile(q); got != want {
			t.Errorf("the %v quantile is %v, want %v", q, got, want)
		}
	}
	if got := h.Quantile(math.NaN()); got != 1200*time.Microsecond {
		t.Errorf("the quantile of no number is %v", got)
	}
}
