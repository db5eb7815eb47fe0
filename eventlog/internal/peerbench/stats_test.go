package main

import (
	"math"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	for _, v := range []uint64{0, 1, 63, 64, 65, 127, 128, 129, 1000, 123456789, math.MaxInt64, math.MaxUint64} {
		start := bucketStart(bucketOf(v))
		if start > v || v-start > v>>subBits {
			t.Errorf("%d is in the bucket that starts at %d", v, start)
		}
	}
	for bucket := range len(histogram{}.counts) {
		if got := bucketOf(bucketStart(bucket)); got != bucket {
			t.Errorf("bucket %d starts in bucket %d", bucket, got)
		}
	}
}

func TestQuantile(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	for i := range 100 {
		h.add(time.Duration(i + 1))
	}
	if got := h.quantile(0.5); got != 50 {
		t.Errorf("the median is %d", got)
	}
	if got := h.quantile(0.99); got < 98 || got > 99 {
		t.Errorf("the 99th percentile is %d", got)
	}
}

func TestMedianAndRatio(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median %g", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median %g", got)
	}
	// The middle ratio, not the ratio of the middles, which is 1.
	if got := ratio([]float64{1, 2, 3}, []float64{2, 4, 1}); got != 0.5 {
		t.Errorf("ratio %g", got)
	}
	if got := ratio([]float64{1}, nil); got != 0 {
		t.Errorf("ratio to nothing is %g", got)
	}
}
