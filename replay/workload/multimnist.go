package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/testdata"
)

// The make-up of MultiMNIST. Digits are divided before any image is composed,
// so that no digit of a probe or held-out image is ever seen in training.
const (
	multiSide   = 18 // of a composed image
	multiArea   = multiSide * multiSide
	multiOffset = 4 // row and column where the right digit begins

	trainDigits, probeDigits, heldOutDigits = 7_000, 1_000, 2_000
	trainImages, probeImages, heldOutImages = 20_000, 2_000, 4_000
)

// MultiMNIST returns two tasks on images of two overlapping handwritten digits:
// 26,000 rows of 18 x 18 pixels. The first digit lies in rows and columns 0 to
// 13, the second in 4 to 17, and a pixel is the larger of the two; "left" is the
// class of the first, "right" that of the second, 10 classes each. A feature is
// a pixel, standardised with one mean and one variance for all: over all pixels
// of the training rows together they have mean 0 and variance 1.
//
// The 10,000 digits of testdata are divided with SplitSeed into 7,000, 1,000 and
// 2,000; from these alone the 20,000 training, 2,000 probe and 4,000 held-out
// images are drawn, with replacement. All choices are integers, so the data have
// the same bits on every machine.
//
// The data are made once, in 68 MB, and shared by all callers: like all Data
// they must not be changed. An error means that the embedded file is damaged.
func MultiMNIST() (*Data, error) { return multiMNIST() }

var multiMNIST = sync.OnceValues(func() (*Data, error) {
	d, err := decodeDigits(testdata.MNIST())
	if err != nil {
		return nil, err
	}
	return composeData(d)
})

// pair is the make-up of one image: indexes of digits.
type pair struct{ left, right int }

// multiPairs divides n digits and draws the pairs of the three parts.
func multiPairs(n int) (train, probe, held []pair, err error) {
	if n != trainDigits+probeDigits+heldOutDigits {
		return nil, nil, nil, fmt.Errorf("cannot divide %d digits, only %d", n, trainDigits+probeDigits+heldOutDigits)
	}
	order := ascending(n)
	shuffle(order, rand.NewPCG(SplitSeed, streamDigits))
	train = drawPairs(order[:trainDigits], trainImages, streamTrainPairs)
	probe = drawPairs(order[trainDigits:trainDigits+probeDigits], probeImages, streamProbePairs)
	held = drawPairs(order[trainDigits+probeDigits:], heldOutImages, streamHeldOutPairs)
	return train, probe, held, nil
}

// drawPairs draws n pairs from a pool: for each pair the left digit first.
func drawPairs(pool []int, n int, stream uint64) []pair {
	r := rand.NewPCG(SplitSeed, stream)
	pairs := make([]pair, n)
	for i := range pairs {
		pairs[i].left = pool[below(r, len(pool))]
		pairs[i].right = pool[below(r, len(pool))]
	}
	return pairs
}

func composeData(d digits) (*Data, error) {
	if d.side+multiOffset != multiSide {
		return nil, fmt.Errorf("cannot compose digits of side %d", d.side)
	}
	train, probe, held, err := multiPairs(len(d.labels))
	if err != nil {
		return nil, err
	}
	pairs := slices.Concat(train, probe, held)
	rows := ascending(len(pairs))
	out := &Data{
		Name:    "multimnist",
		X:       mat.NewDense(len(pairs), multiArea, nil),
		Side:    multiSide,
		Labels:  [][]int{make([]int, len(pairs)), make([]int, len(pairs))},
		Train:   rows[:len(train):len(train)],
		Probe:   rows[len(train) : len(train)+len(probe) : len(train)+len(probe)],
		HeldOut: rows[len(train)+len(probe):],
	}
	out.nameMulti()
	pixels := make([]byte, len(pairs)*multiArea)
	for i, p := range pairs {
		canvas := pixels[i*multiArea : (i+1)*multiArea]
		stamp(canvas, d.image(p.left), d.side, 0)
		stamp(canvas, d.image(p.right), d.side, multiOffset)
		out.Labels[0][i], out.Labels[1][i] = int(d.labels[p.left]), int(d.labels[p.right])
	}
	scale := greyScale(pixels[:len(train)*multiArea])
	for i, x := 0, out.X.RawMatrix().Data; i < len(x); i++ {
		x[i] = scale[pixels[i]]
	}
	return out, nil
}

// nameMulti names features, classes and tasks.
func (d *Data) nameMulti() {
	for r := range multiSide {
		for c := range multiSide {
			d.Features = append(d.Features, fmt.Sprintf("r%02dc%02d", r, c))
		}
	}
	classes := make([]string, digitClasses)
	for i := range classes {
		classes[i] = strconv.Itoa(i)
	}
	d.Tasks = []Task{{"left", digitClasses, classes}, {"right", digitClasses, classes}}
}

// stamp puts an image into a canvas at row and column offset, keeping the larger
// pixel of what is there and what comes.
func stamp(canvas, image []byte, side, offset int) {
	for r := range side {
		line := canvas[(r+offset)*multiSide+offset:]
		for c, pixel := range image[r*side : (r+1)*side] {
			line[c] = max(line[c], pixel)
		}
	}
}

// greyScale returns the feature for each value of a pixel: its distance from the
// mean of the given pixels in units of their standard deviation. Both sums are
// exact integers.
func greyScale(pixels []byte) [256]float64 {
	var sum, squares uint64
	for _, p := range pixels {
		sum += uint64(p)
		squares += uint64(p) * uint64(p)
	}
	n := float64(len(pixels))
	mean := float64(sum) / n
	sd := math.Sqrt(float64(squares)/n - float64(mean*mean))
	var scale [256]float64
	for v := range scale {
		scale[v] = (float64(v) - mean) / sd
	}
	return scale
}
