package detmath

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The numbers that the generator's author publishes for seed 42 and stream 54
// of the 128-bit XSL-RR generator.
func TestPCGAgainstPublishedOutput(t *testing.T) {
	p := newPCG(0, 42, 0, 54<<1|1)
	var got []uint64
	for range 6 {
		got = append(got, p.Uint64())
	}
	want := []uint64{
		0x86b1da1d72062b68, 0x1304aa46c9853d39, 0xa3670e9e0dd50358,
		0xf9090e529a7dae00, 0xc85b9fd837996f2c, 0x606121f8e3919196,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("outputs differ (-want +got):\n%s", d)
	}
}

// SplitMix64 from state 0 is F(g), F(2g), ...: numbers published with it.
func TestFinishIsSplitMix64(t *testing.T) {
	g := uint64(gamma)
	got := []uint64{finish(g), finish(2 * g), finish(3 * g)}
	want := []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("outputs differ (-want +got):\n%s", d)
	}
}

func TestIntNIsUniform(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64} {
		p := NewPCG(7, uint64(n))
		const draws = 60000
		counts := make([]int, n)
		for range draws {
			counts[p.IntN(n)]++
		}
		mean := float64(draws) / float64(n)
		var chi float64
		for _, c := range counts {
			chi += (float64(c) - mean) * (float64(c) - mean) / mean
		}
		// The chi-square of n-1 degrees of freedom passes this about 1 time in 10^6.
		if limit := float64(n-1) + 5*math.Sqrt(2*float64(n)) + 15; chi > limit {
			t.Errorf("n=%d: chi-square %.1f, want below %.1f", n, chi, limit)
		}
	}
}

// A range just above 2^62 rejects a quarter of its draws: the accepted numbers
// stay below n and the rejected ones are not returned shifted.
func TestIntNRejects(t *testing.T) {
	const n = 3 << 61
	p, q := NewPCG(3, 4), NewPCG(3, 4)
	drawn := 0
	for range 1000 {
		if v := p.IntN(n); v < 0 || v >= n {
			t.Fatalf("IntN(%d) = %d", n, v)
		}
	}
	for *p != *q {
		q.Uint64()
		drawn++
	}
	// 2^64 mod n = 2^62 of 2^64: a quarter is rejected.
	if drawn < 1250 || drawn > 1420 {
		t.Errorf("1000 accepted numbers took %d draws, want about 1333", drawn)
	}
}

func TestPermIsAPermutationAndCoversAll(t *testing.T) {
	p := NewPCG(1, 2)
	seen := map[[4]int]int{}
	for range 24000 {
		seen[[4]int(p.Perm(4))]++
	}
	if len(seen) != 24 {
		t.Errorf("saw %d orders of 4, want 24", len(seen))
	}
	for order, n := range seen {
		if n < 840 || n > 1160 {
			t.Errorf("order %v came %d times, want about 1000", order, n)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(t, "n")
		met := make([]bool, n)
		for _, v := range NewPCG(rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")).Perm(n) {
			if met[v] {
				t.Fatalf("%d comes twice", v)
			}
			met[v] = true
		}
	})
}

func TestFloat64StaysBelowOne(t *testing.T) {
	p := NewPCG(0, 0)
	var sum float64
	const n = 100000
	for range n {
		f := p.Float64()
		if f < 0 || f >= 1 || f*0x1p53 != math.Trunc(f*0x1p53) {
			t.Fatalf("Float64() = %v", f)
		}
		sum += f
	}
	if mean := sum / n; math.Abs(mean-0.5) > 0.005 {
		t.Errorf("mean %v, want 0.5", mean)
	}
}

func TestMixSeparatesStreams(t *testing.T) {
	seen := map[[2]uint64][]uint64{}
	note := func(parts ...uint64) {
		hi, lo := Mix(parts[0], parts[1:]...)
		if old, ok := seen[[2]uint64{hi, lo}]; ok {
			t.Errorf("%v and %v share a seed", old, parts)
		}
		seen[[2]uint64{hi, lo}] = parts
	}
	for s := range uint64(30) {
		note(s)
		for a := range uint64(30) {
			note(s, a)
			for b := range uint64(30) {
				note(s, a, b)
			}
		}
	}
}

func TestWrongArgumentsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"IntN(0)":     func() { NewPCG(0, 0).IntN(0) },
		"Perm(-1)":    func() { NewPCG(0, 0).Perm(-1) },
		"Shuffle(-1)": func() { NewPCG(0, 0).Shuffle(-1, nil) },
		"Dot":         func() { Dot([]float64{1}, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestSumsRunLeftToRightUnfused(t *testing.T) {
	if got := Sum([]float64{1, 0x1p53, -0x1p53}); got != 0 {
		t.Errorf("Sum = %v, want 0: the 1 is lost before the cancellation", got)
	}
	// Fused, the exact product 1+2^-29+2^-60 would leave 2^-60.
	x := 1 + 0x1p-30
	if got := Dot([]float64{-(1 + 0x1p-29), x}, []float64{1, x}); got != 0 {
		t.Errorf("Dot = %v, want 0", got)
	}
	if got := Norm([]float64{3, 4}); got != 5 {
		t.Errorf("Norm = %v, want 5", got)
	}
	inf := math.Inf(1)
	if got := Sum([]float64{inf, -inf}); math.Float64bits(got) != math.Float64bits(nan()) {
		t.Errorf("Inf - Inf has bits %#x, want the canonical NaN", math.Float64bits(got))
	}
}
