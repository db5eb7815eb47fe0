package value

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// sleep is the additional sleep in hours of ten patients under one drug and under
// another, from "Student", The Probable Error of a Mean, 1908: the paper that brought
// the t test. Its mean, t = 4.0621 and p = 0.002833 are in many textbooks.
var sleep = []float64{1.2, 2.4, 1.3, 1.3, 0, 1.0, 1.8, 0.8, 4.6, 1.4}

func TestCompareAgainstStudent(t *testing.T) {
	p, err := Compare(sleep)
	ok(t, err)
	near(t, "mean", p.Mean, 1.58, 1e-12)
	near(t, "sd", p.SD, 1.229995, 1e-6)
	near(t, "t", p.Mean/p.SD*math.Sqrt(10), 4.0621, 5e-5)
	near(t, "p", p.P, 0.002833, 5e-7)
	near(t, "low", p.T.Low, 0.7001142, 5e-8)
	near(t, "high", p.T.High, 2.4598858, 5e-8)
	// Gamma(4.5) = 105/16 sqrt(pi), Gamma(4) = 6
	factor := 105.0 / 16 * math.Sqrt(math.Pi) / (math.Sqrt(4.5) * 6)
	near(t, "g", *p.G, 1.58/p.SD*factor, 1e-12)
	near(t, "factor", factor, 1-3.0/35, 5e-4) // the usual approximation
	if p.N != 10 || p.Positive != 9 || p.Zero != 1 || p.Negative != 0 || p.SignP != math.Exp2(-8) {
		t.Errorf("%+v", p)
	}
}

// The t distribution with 9 degrees of freedom, as every table has it.
func TestIntervalAgainstTheTable(t *testing.T) {
	xs := []float64{-4.5, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5}
	p, err := Compare(xs)
	ok(t, err)
	sd := math.Sqrt(82.5 / 9)
	near(t, "half width", p.T.High, 2.262*sd/math.Sqrt(10), 2e-4*sd)
	if p.P != 1 || p.Mean != 0 || p.SignP != 1 {
		t.Errorf("%+v", p)
	}
}

func TestSignTest(t *testing.T) {
	for _, c := range []struct {
		up, down int
		want     float64
	}{
		{0, 0, 1},
		{5, 5, 1},
		{10, 0, 2.0 / 1024},
		{0, 10, 2.0 / 1024},
		{8, 2, 2 * (1.0 + 10 + 45) / 1024},
		{2, 8, 2 * (1.0 + 10 + 45) / 1024},
		{1, 0, 1},
	} {
		near(t, "p", signTest(c.up, c.down), c.want, 1e-15)
	}
}

// The bootstrap of two values has three means: the limits must be the outer ones,
// each of which is drawn a quarter of the time. That of three is enumerated.
func TestBootstrapAgainstEnumeration(t *testing.T) {
	if got := bootstrap([]float64{0, 1}); got != (Interval{0, 1}) {
		t.Errorf("of two values: %+v", got)
	}
	xs := []float64{0, 1, 3, 7, 20}
	var all []float64
	for i := range 5 * 5 * 5 * 5 * 5 {
		sum, rest := 0.0, i
		for range 5 {
			sum, rest = sum+xs[rest%5], rest/5
		}
		all = append(all, sum/5)
	}
	slices.Sort(all)
	got := bootstrap(xs)
	for _, c := range []struct {
		value float64
		share float64
	}{{got.Low, 0.025}, {got.High, 0.975}} {
		below, to := 0, 0
		for _, m := range all {
			if m < c.value-1e-9 {
				below++
			}
			if m <= c.value+1e-9 {
				to++
			}
		}
		from, upto := float64(below)/float64(len(all))-0.005, float64(to)/float64(len(all))+0.005
		if c.share < from || c.share > upto {
			t.Errorf("%v is at %v to %v of all resamples, want %v", c.value, from, upto, c.share)
		}
	}
	if again := bootstrap(xs); again != got {
		t.Error("the same values give another interval")
	}
}

// Computed by hand from Holm's rule: the i-th smallest of m times m-i+1, and never less
// than the one before.
func TestHolm(t *testing.T) {
	for _, c := range []struct {
		ps     []float64
		family int
		want   []float64
	}{
		{[]float64{0.01, 0.02, 0.03, 0.04}, 4, []float64{0.04, 0.06, 0.06, 0.06}},
		{[]float64{0.01, 0.04, 0.03, 0.005}, 4, []float64{0.03, 0.06, 0.06, 0.02}},
		{[]float64{0.01, 0.04}, 8, []float64{0.08, 0.28}},
		{[]float64{0.5, 0.9}, 2, []float64{1, 1}},
		{nil, 3, []float64{}},
	} {
		got := Holm(c.ps, c.family)
		for i := range got {
			got[i] = math.Round(got[i]*1e12) / 1e12
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%v (-want +got):\n%s", c.ps, d)
		}
	}
}

// Holm never lowers a p-value, never raises it beyond what Bonferroni does, and keeps
// their order.
func TestHolmProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 12).Draw(t, "ps")
		adjusted := Holm(ps, len(ps))
		for i, p := range ps {
			if adjusted[i] < p || adjusted[i] > min(1, float64(len(ps))*p) {
				t.Fatalf("%v became %v", p, adjusted[i])
			}
			for j, q := range ps {
				if p < q && adjusted[i] > adjusted[j] {
					t.Fatalf("%v became %v, %v became %v", p, adjusted[i], q, adjusted[j])
				}
			}
		}
	})
}

// What is added to all differences moves the mean and both intervals by as much;
// their sign turns everything around.
func TestCompareProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(-10, 10), 3, 12).Draw(t, "xs")
		if slices.Max(xs)-slices.Min(xs) < 1e-3 {
			return
		}
		p, err := Compare(xs)
		if err != nil {
			t.Fatal(err)
		}
		moved, turned := slices.Clone(xs), slices.Clone(xs)
		for i := range xs {
			moved[i] += 100
			turned[i] = -xs[i]
		}
		m, _ := Compare(moved)
		n, _ := Compare(turned)
		for _, d := range []float64{
			m.Mean - p.Mean - 100, m.T.Low - p.T.Low - 100, m.Bootstrap.High - p.Bootstrap.High - 100, m.SD - p.SD,
			n.Mean + p.Mean, n.T.Low + p.T.High, n.P - p.P, *n.G + *p.G, n.SignP - p.SignP,
		} {
			if math.Abs(d) > 1e-8 {
				t.Fatalf("%v: off by %v", xs, d)
			}
		}
	})
}

// Differences that are all the same have no spread to measure an effect by.
func TestEqualDifferences(t *testing.T) {
	same, err := Compare([]float64{0, 0, 0})
	ok(t, err)
	if same.P != 1 || same.G != nil || same.T != (Interval{}) || same.Bootstrap != (Interval{}) {
		t.Errorf("%+v", same)
	}
	shifted, err := Compare([]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1})
	ok(t, err)
	if shifted.P != math.Exp2(-5) || shifted.G != nil || shifted.Mean != 0.1 {
		t.Errorf("%+v", shifted)
	}
}

func TestCompareRefuses(t *testing.T) {
	if _, err := Compare([]float64{1}); !errors.Is(err, ErrTooFew) {
		t.Errorf("one pair: %v", err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := Compare([]float64{1, bad}); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
