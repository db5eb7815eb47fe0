package workload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/testdata"
)

// The embedded files are the ones their documentation describes.
func TestEmbeddedFiles(t *testing.T) {
	const want = "493d036ecd1dcaca225ee8d536d66c0901b78c93f02d0115b67fd4e6f0cd6a0a" // as in testdata/penguins/README.md
	if sum := sha256.Sum256(testdata.PenguinsCSV()); hex.EncodeToString(sum[:]) != want {
		t.Errorf("penguins.csv has SHA-256 %x", sum)
	}
	var ids []string
	for _, want := range []struct { // as in testdata/kernels/gen.go
		blueprint string
		shape     Block
		seed      uint64
	}{
		{"residual-conv-h128-c3", Block{Hidden: 128, Width: 2, Channels: 3, Side: 18}, 3},
		{"residual-mlp-16", Block{Hidden: 32, Width: 16}, 16},
		{"residual-mlp-h128-w2", Block{Hidden: 128, Width: 2}, 2},
	} {
		ids = append(ids, want.blueprint)
		made, err := NewKernel(want.blueprint, want.shape, want.seed)
		ok(t, err)
		if !bytes.Equal(made, kernelOf(t, want.blueprint)) {
			t.Errorf("the kernel file of %s is not what gen.go makes", want.blueprint)
		}
		k, err := decodeKernel(made, want.shape.Hidden, 18)
		if err != nil || k.blueprint != want.blueprint || k.shape != want.shape {
			t.Errorf("kernel is %q, a %+v, error %v", k.blueprint, k.shape, err)
		}
	}
	if diff := cmp.Diff(ids, testdata.Blueprints()); diff != "" {
		t.Errorf("kernels (-want +got):\n%s", diff)
	}
	if _, err := testdata.Kernel("../penguins/penguins"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown kernel: %v", err)
	}
}

func TestPenguins(t *testing.T) {
	d, err := Penguins()
	ok(t, err)
	want := []Task{
		{"species", 3, []string{"Adelie", "Chinstrap", "Gentoo"}},
		{"sex", 2, []string{"female", "male"}},
		{"island", 3, []string{"Biscoe", "Dream", "Torgersen"}},
	}
	if diff := cmp.Diff(want, d.Tasks); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	counts := make([][]int, len(d.Tasks))
	for i, task := range d.Tasks {
		counts[i] = make([]int, task.Classes)
		for _, label := range d.Labels[i] {
			counts[i][label]++
		}
	}
	if diff := cmp.Diff([][]int{{146, 68, 119}, {165, 168}, {163, 123, 47}}, counts); diff != "" {
		t.Errorf("class counts (-want +got):\n%s", diff)
	}
}

// The parts of the split are disjoint and complete, and the features are
// standardised by the training part alone.
func TestSplit(t *testing.T) {
	d, err := Penguins()
	ok(t, err)
	ok(t, d.validate()) // disjoint, ascending, complete
	if len(d.Train) != 200 || len(d.Probe) != 67 || len(d.HeldOut) != 66 {
		t.Errorf("split into %d, %d and %d rows", len(d.Train), len(d.Probe), len(d.HeldOut))
	}
	if want := []int{0, 9, 10, 17, 19, 24}; !slices.Equal(d.HeldOut[:6], want) {
		t.Errorf("the held-out rows begin with %v, want %v: they were these before there was a probe part", d.HeldOut[:6], want)
	}
	for j, feature := range d.Features {
		mean, square, held := 0.0, 0.0, 0.0
		for _, i := range d.Train {
			mean += d.X.At(i, j) / float64(len(d.Train))
			square += d.X.At(i, j) * d.X.At(i, j) / float64(len(d.Train))
		}
		for _, i := range d.HeldOut {
			held += d.X.At(i, j) / float64(len(d.HeldOut))
		}
		if math.Abs(mean) > 1e-12 || math.Abs(square-1) > 1e-12 {
			t.Errorf("%s: mean %g and variance %g over the training rows", feature, mean, square)
		}
		if math.Abs(held) < 1e-12 {
			t.Errorf("%s: the held-out rows were standardised by themselves", feature)
		}
	}
	other, err := PenguinsSplit(2)
	if err != nil || slices.Equal(other.HeldOut, d.HeldOut) {
		t.Errorf("another seed gives the same split (%v)", err)
	}
}

// A batch depends on its step only, and an epoch shows no row twice.
func TestBatches(t *testing.T) {
	rows := make([]int, 70)
	for i := range rows {
		rows[i] = 1000 + i
	}
	b, err := NewBatches(rows, 32, 9)
	ok(t, err)
	if b.PerEpoch() != 2 || b.Epoch(2) != 0 || b.Epoch(3) != 1 {
		t.Errorf("%d batches per epoch; steps 2 and 3 in epochs %d and %d", b.PerEpoch(), b.Epoch(2), b.Epoch(3))
	}
	forward := map[uint64][]int{}
	for step := uint64(1); step <= 40; step++ {
		forward[step] = slices.Clone(b.Batch(step))
	}
	for _, step := range []uint64{40, 3, 2, 17, 1, 18, 18} {
		if !slices.Equal(b.Batch(step), forward[step]) {
			t.Errorf("step %d has another batch when asked out of order", step)
		}
	}
	checkEpochs(t, rows, forward)
	if slices.Equal(forward[1], forward[3]) || slices.Equal(forward[1], rows[:32]) {
		t.Error("the epochs are not shuffled afresh")
	}
	other, err := NewBatches(rows, 32, 10)
	if err != nil || slices.Equal(other.Batch(1), forward[1]) {
		t.Errorf("another seed gives the same batch (%v)", err)
	}
}

// checkEpochs wants 64 different rows in each of 20 epochs of two steps, and
// every row in one of them.
func checkEpochs(t *testing.T, rows []int, forward map[uint64][]int) {
	seen := map[int]int{}
	for step := uint64(1); step <= 40; step += 2 {
		both := slices.Concat(forward[step], forward[step+1])
		slices.Sort(both)
		if len(slices.Compact(both)) != 64 {
			t.Errorf("the epoch of step %d repeats a row", step)
		}
		for _, r := range both {
			seen[r]++
		}
	}
	if len(seen) != len(rows) {
		t.Errorf("20 epochs show %d of %d rows", len(seen), len(rows))
	}
}

func TestBatchesRefuse(t *testing.T) {
	rows := make([]int, 70)
	b, err := NewBatches(rows, 32, 9)
	ok(t, err)
	for _, size := range []int{0, 71} {
		if _, err := NewBatches(rows, size, 1); err == nil {
			t.Errorf("batch size %d was accepted", size)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("step 0 was accepted")
		}
	}()
	b.Batch(0)
}

// The order of a shuffle and the first weights are pinned: a change of either
// would change every run that was ever recorded.
func TestChanceIsPinned(t *testing.T) {
	rows := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	b, err := NewBatches(rows, 10, 42)
	ok(t, err)
	n := newStory(t, 42).net
	got := map[string]any{"batch": slices.Clone(b.Batch(1)), "later": slices.Clone(b.Batch(7)), "weights": n.trunk.value[:2]}
	want := map[string]any{
		"batch":   []int{6, 2, 5, 3, 4, 7, 0, 1, 9, 8},
		"later":   []int{5, 2, 0, 7, 9, 8, 6, 4, 1, 3},
		"weights": []float64{0.07763500070893001, -0.34282999156576427},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
