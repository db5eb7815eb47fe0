package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/esper-plane/esper/testdata"
)

func multiDigits(t *testing.T) digits {
	t.Helper()
	d, err := decodeDigits(testdata.MNIST())
	ok(t, err)
	return d
}

// No digit has a share in two parts of the split, and most digits have a share.
func TestMultiMNISTPartsShareNoDigit(t *testing.T) {
	d := multiDigits(t)
	train, probe, held, err := multiPairs(len(d.labels))
	ok(t, err)
	if len(train) != 20_000 || len(probe) != 2_000 || len(held) != 4_000 {
		t.Errorf("%d, %d and %d images", len(train), len(probe), len(held))
	}
	used := map[int]int{} // digit to part
	for part, pairs := range [][]pair{train, probe, held} {
		mine := map[int]bool{}
		for _, p := range pairs {
			for _, digit := range []int{p.left, p.right} {
				if owner, taken := used[digit]; taken && owner != part {
					t.Fatalf("digit %d is in parts %d and %d", digit, owner, part)
				}
				used[digit], mine[digit] = part, true
			}
		}
		if pool := []int{7_000, 1_000, 2_000}[part]; len(mine) > pool || len(mine) < pool*95/100 {
			t.Errorf("part %d is made of %d digits, its pool has %d", part, len(mine), pool)
		}
	}
	if _, _, _, err := multiPairs(9_999); err == nil {
		t.Error("9,999 digits were divided")
	}
}

// The data have the same bits on every machine.
func TestMultiMNISTIsPinned(t *testing.T) {
	d, err := MultiMNIST()
	ok(t, err)
	again, err := composeData(multiDigits(t))
	ok(t, err)
	const want = "ba3714e26e4544e7d898b09501fc0c3fea15d0e2b976829de630655a4d6c8e7e"
	for _, data := range []*Data{d, again} {
		if got := digestOf(t, data); got != want {
			t.Errorf("features, labels and split have SHA-256 %s", got)
		}
	}
	if same, err := MultiMNIST(); err != nil || same != d {
		t.Errorf("a second call made other data (%v)", err)
	}
}

// digestOf covers the bits of X, the labels and the split.
func digestOf(t *testing.T, d *Data) string {
	t.Helper()
	h := sha256.New()
	rows, columns := d.X.Dims()
	line := make([]byte, 8*columns)
	for i := range rows {
		for j, x := range d.X.RawRowView(i) {
			binary.LittleEndian.PutUint64(line[8*j:], math.Float64bits(x))
		}
		h.Write(line)
	}
	for _, part := range append(slices.Clone(d.Labels), d.Train, d.Probe, d.HeldOut) {
		for _, v := range part {
			h.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Every digit is drawn about equally often, on both sides and in all parts.
func TestMultiMNISTIsBalanced(t *testing.T) {
	d, err := MultiMNIST()
	ok(t, err)
	ok(t, d.validate())
	for task, labels := range d.Labels {
		for part, rows := range map[string][]int{"train": d.Train, "probe": d.Probe, "held out": d.HeldOut} {
			counts := make([]int, 10)
			for _, r := range rows {
				counts[labels[r]]++
			}
			for class, n := range counts {
				if share := float64(n) / float64(len(rows)); share < 0.07 || share > 0.13 {
					t.Errorf("%s, %s: class %d has a share of %.3f", d.Tasks[task].Name, part, class, share)
				}
			}
		}
	}
}

// A slow twin draws, lays out and scales some images its own way.
func TestMultiMNISTComposition(t *testing.T) {
	d, err := MultiMNIST()
	ok(t, err)
	source := multiDigits(t)
	train, probe, held, err := multiPairs(len(source.labels))
	ok(t, err)
	pairs := slices.Concat(train, probe, held)
	pixel := func(row, r, c int) uint8 {
		at := func(digit, r, c int) uint8 {
			if r < 0 || c < 0 || r > 13 || c > 13 {
				return 0
			}
			return source.pixels[digit*196+r*14+c]
		}
		return max(at(pairs[row].left, r, c), at(pairs[row].right, r-4, c-4))
	}
	mean, sd := slowMoments(len(train), pixel)
	for _, row := range []int{0, 1, 19_999, 20_000, 21_999, 22_000, 25_999} {
		for j, got := range d.X.RawRowView(row) {
			want := (float64(pixel(row, j/18, j%18)) - mean) / sd
			if math.Abs(got-want) > 1e-12 {
				t.Fatalf("row %d, %s is %g, want %g", row, d.Features[j], got, want)
			}
		}
		left, right := source.labels[pairs[row].left], source.labels[pairs[row].right]
		if d.Labels[0][row] != int(left) || d.Labels[1][row] != int(right) {
			t.Errorf("row %d is labelled %d and %d, want %d and %d", row, d.Labels[0][row], d.Labels[1][row], left, right)
		}
	}
	if d.Train[0] != 0 || d.Probe[0] != 20_000 || d.HeldOut[0] != 22_000 || d.Features[19] != "r01c01" {
		t.Errorf("the parts begin at %d, %d, %d; feature 19 is %s", d.Train[0], d.Probe[0], d.HeldOut[0], d.Features[19])
	}
}

// slowMoments is the mean and the standard deviation over all pixels of the
// first n rows, in exact rational arithmetic.
func slowMoments(n int, pixel func(row, r, c int) uint8) (mean, sd float64) {
	var sum, squares int64
	for row := range n {
		for j := range 18 * 18 {
			v := int64(pixel(row, j/18, j%18))
			sum, squares = sum+v, squares+v*v
		}
	}
	count := int64(n) * 18 * 18
	m := big.NewRat(sum, count)
	variance := new(big.Rat).Sub(big.NewRat(squares, count), new(big.Rat).Mul(m, m))
	mean, _ = m.Float64()
	v, _ := variance.Float64()
	return mean, math.Sqrt(v)
}
