package worker

import (
	"math"
	"math/bits"
	"time"
)

// The buckets of a Histogram: two for each doubling, from 100 us on. Bucket 0
// ends at 100 us, those after it at 150 us, 200 us, 300 us, 400 us, 600 us and so
// on, each 1.33 or 1.5 times as far as the one before; the last bound is 78.6 s.
// What is longer is in the last bucket, which has no bound.
const (
	firstBound = 100 * time.Microsecond
	doublings  = 20
	bounded    = 2 * doublings // buckets with a bound
	Buckets    = bounded + 1   // buckets of a Histogram
)

// BucketBound returns the longest duration that falls into a bucket; the
// shortest is 1 ns more than the bound of the bucket before. There is no bound,
// and ok is false, for the last bucket and for numbers outside [0, Buckets).
func BucketBound(bucket int) (bound time.Duration, ok bool) {
	if bucket < 0 || bucket >= bounded {
		return 0, false
	}
	bound = firstBound << (bucket / 2)
	if bucket%2 == 1 {
		bound += bound / 2
	}
	return bound, true
}

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	if d <= firstBound {
		return 0
	}
	// d is in (2^k, 2^(k+1)] times firstBound exactly if this has k+1 bits.
	k := bits.Len64(uint64((d-1)/firstBound)) - 1
	if k >= doublings {
		return bounded
	}
	low := firstBound << k
	if d <= low+low/2 {
		return 2*k + 1
	}
	return 2*k + 2
}

// Histogram counts durations in fixed buckets, see BucketBound. It has a fixed
// size, adding to it costs a few nanoseconds, and its zero value is empty.
type Histogram struct {
	Counts [Buckets]uint64 // by bucket
	Sum    time.Duration   // of all durations
	Max    time.Duration   // the longest
}

// observe adds a duration, which is not negative.
func (h *Histogram) observe(d time.Duration) {
	h.Counts[bucketOf(d)]++
	h.Sum += d
	h.Max = max(h.Max, d)
}

// Merge adds what another histogram has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.Counts {
		h.Counts[i] += n
	}
	h.Sum += o.Sum
	h.Max = max(h.Max, o.Max)
}

// Count returns the number of durations.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile returns an upper bound of the q-quantile: of the durations in order,
// the one of rank ceil(q*Count), computed in float64, and at least the first. q is
// in [0, 1]; what is outside counts as the nearer end. The result is the bound of
// the bucket that holds the quantile, but no more than Max. So it is never below
// the quantile, and above it by at most
//
//	100 us       if the quantile is at most 100 us,
//	half of it   if it is at most 78.6 s,
//
// while for a longer one it is Max. An empty histogram has 0.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := h.Count()
	rank := uint64(1)
	if q > 0 {
		rank = max(rank, uint64(math.Ceil(min(q, 1)*float64(n))))
	}
	var seen uint64
	for i, c := range h.Counts {
		seen += c
		if bound, ok := BucketBound(i); ok && seen >= rank {
			return min(bound, h.Max)
		}
	}
	return h.Max
}
