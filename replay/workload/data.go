package workload

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"github.com/esper-plane/esper/testdata"
)

// Task is one classification problem on the shared features.
type Task struct {
	Name    string   // for example "species"
	Classes int      // number of classes, at least 2
	Labels  []string // class names by class number, sorted; len is Classes
}

// Data is a labelled data set with its split into three parts: rows to learn
// from, rows to take decisions by, rows to judge by. It is read-only once made
// and may be shared by several nets.
type Data struct {
	Name     string     // for example "penguins"
	Features []string   // column names of X
	X        *mat.Dense // rows x features, scaled as the function that made the data says
	// Side is set when the features are the pixels of a square image, row by row
	// from the top left: its side in pixels, within 5 and 32. Else it is 0.
	Side   int
	Tasks  []Task
	Labels [][]int // Labels[t][row] is the class of row in task t, in [0, Tasks[t].Classes)
	// The parts of the split: ascending, none empty, no row in two of them,
	// together all rows.
	Train []int // rows to learn from
	// Probe holds rows to take decisions by while training: the epochs, a
	// seed's measured contribution. Being disjoint from HeldOut, it leaves the
	// final judgement unbiased by those decisions.
	Probe   []int
	HeldOut []int // rows to judge by, once, at the end
}

// SplitSeed is the seed with which Penguins divides its rows.
const SplitSeed uint64 = 1

// Penguins' held-out part is one row in five, rounded down; its probe part is
// one in five, rounded up.
const penguinShare = 5

// Penguins returns the penguins data set (333 rows) split with SplitSeed: 200
// training rows, 67 probe rows, 66 held out. The features are the four body
// measurements, standardised: over the training rows each has mean 0 and
// variance 1. The tasks are species (3 classes), sex (2) and island (3), none of which is a
// feature. An error means that the embedded file is damaged.
func Penguins() (*Data, error) { return PenguinsSplit(SplitSeed) }

// PenguinsSplit is Penguins with another division of the rows. The division is
// a pure function of seed, without stratification.
func PenguinsSplit(seed uint64) (*Data, error) {
	rows, err := csv.NewReader(bytes.NewReader(testdata.PenguinsCSV())).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("cannot read penguins: %w", err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("cannot read penguins: no rows")
	}
	header, rows := rows[0], rows[1:]
	d := &Data{Name: "penguins"}
	d.Train, d.Probe, d.HeldOut = splitRows(len(rows), seed)
	for _, task := range []string{"species", "sex", "island"} {
		column, err := columnOf(header, rows, task)
		if err != nil {
			return nil, err
		}
		names := slices.Compact(slices.Sorted(slices.Values(column)))
		labels := make([]int, len(column))
		for i, v := range column {
			labels[i], _ = slices.BinarySearch(names, v)
		}
		d.Tasks = append(d.Tasks, Task{Name: task, Classes: len(names), Labels: names})
		d.Labels = append(d.Labels, labels)
	}
	d.Features = []string{"bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"}
	d.X = mat.NewDense(len(rows), len(d.Features), nil)
	for j, feature := range d.Features {
		column, err := columnOf(header, rows, feature)
		if err != nil {
			return nil, err
		}
		if err := d.setFeature(j, column); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// splitRows divides 0..n-1 into the three parts of a split, each ascending.
func splitRows(n int, seed uint64) (train, probe, held []int) {
	order := ascending(n)
	shuffle(order, rand.NewPCG(seed, streamSplit))
	first, second := n/penguinShare, n/penguinShare+(n+penguinShare-1)/penguinShare
	held, probe, train = order[:first], order[first:second], order[second:]
	slices.Sort(held)
	slices.Sort(probe)
	slices.Sort(train)
	return train, probe, held
}

func columnOf(header []string, rows [][]string, name string) ([]string, error) {
	j := slices.Index(header, name)
	if j < 0 {
		return nil, fmt.Errorf("cannot read penguins: no column %q", name)
	}
	column := make([]string, len(rows))
	for i, row := range rows {
		column[i] = row[j]
	}
	return column, nil
}

// setFeature parses column j and standardises it with the mean and the
// population variance of the training rows only, so that nothing of the other
// rows reaches training.
func (d *Data) setFeature(j int, column []string) error {
	v := make([]float64, len(column))
	for i, text := range column {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("cannot read penguins: row %d, %s: %q is not a finite number", i+1, d.Features[j], text)
		}
		v[i] = x
	}
	mean, n := 0.0, float64(len(d.Train))
	for _, i := range d.Train {
		mean += v[i] / n
	}
	variance := 0.0
	for _, i := range d.Train {
		variance += float64((v[i]-mean)*(v[i]-mean)) / n
	}
	if variance == 0 {
		return fmt.Errorf("cannot standardise %s: it is constant over the training rows", d.Features[j])
	}
	sd := math.Sqrt(variance)
	for i := range v {
		d.X.Set(i, j, (v[i]-mean)/sd)
	}
	return nil
}
