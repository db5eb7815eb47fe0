package cli

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// subBits sets the resolution of a histogram: a bucket is at most 1/2^subBits of
// the values in it wide.
const subBits = 6

// histogram counts durations in buckets whose width grows with the duration. It
// takes no memory while it counts. The zero value is empty.
type histogram struct {
	counts [(64 - subBits + 1) << subBits]uint32
}

func (h *histogram) add(d time.Duration) { h.counts[bucketOf(uint64(max(d, 0)))]++ }

// bucketOf returns the bucket of v. Values below 2^subBits have one each; above,
// each power of two is divided into 2^subBits.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// bucketStart is the smallest value in a bucket: the inverse of bucketOf.
func bucketStart(bucket int) uint64 {
	shift := max(bucket>>subBits-1, 0)
	return uint64(bucket-shift<<subBits) << shift
}

// merge adds the counts of other.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
}

// count returns the number of durations.
func (h *histogram) count() (total int) {
	for _, n := range h.counts {
		total += int(n)
	}
	return total
}

// quantile returns the duration that the share q of all does not exceed, to the
// resolution of the buckets, and 0 if there is none.
func (h *histogram) quantile(q float64) time.Duration {
	left := q * float64(h.count())
	for i, n := range h.counts {
		left -= float64(n)
		if n > 0 && left <= 0 {
			return time.Duration(bucketStart(i))
		}
	}
	return 0
}

// spread is what is reported of the rounds of one peer.
type spread struct{ Median, Min, Max float64 }

// spreadOf returns the spread of at least one value.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1]}
}

// ratioOf returns the spread of the ratios within the rounds.
func ratioOf(values, base []float64) spread {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / base[i]
	}
	return spreadOf(ratios)
}

// String is how a ratio is printed.
func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f..%.2f)", s.Median, s.Min, s.Max) }

// column returns one number of each round.
func column[R any](rounds []R, number func(R) float64) []float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = number(r)
	}
	return values
}
