package workload

import (
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// blankData has two tasks of which all rows but one are of class 0; the last
// row is held out, the one before it is the probe.
func blankData(rows, features, classes int) *Data {
	labels := make([]int, rows)
	labels[0] = classes - 1
	all := ascending(rows)
	return &Data{
		Name: "blank", X: mat.NewDense(rows, features, nil),
		Tasks:  []Task{{Name: "a", Classes: classes}, {Name: "b", Classes: classes}},
		Labels: [][]int{labels, labels},
		Train:  all[:rows-2], Probe: all[rows-2 : rows-1], HeldOut: all[rows-1:],
	}
}

// Data that a net could not work with are refused, with the reason.
func TestDataRefused(t *testing.T) {
	ok(t, blankData(10, maxFeatures, maxWidth).validate())
	for _, tt := range []struct {
		name, reason string
		edit         func(d *Data)
	}{
		{"no tasks", "at least one task", func(d *Data) { d.Tasks = nil }},
		{"no features", "at least one task", func(d *Data) { d.X = nil }},
		{"features", "1025 features", func(d *Data) { d.X = mat.NewDense(10, 1025, nil) }},
		{"no square", "4 features are no image of side 3", func(d *Data) { d.Side = 3 }},
		{"small image", "4 features are no image of side 2", func(d *Data) { d.Side = 2 }},
		{"name twice", "used twice", func(d *Data) { d.Tasks[1].Name = "a" }},
		{"no name", "no name", func(d *Data) { d.Tasks[1].Name = "" }},
		{"classes", "257 classes", func(d *Data) { d.Tasks[0].Classes = 257 }},
		{"few labels", "9 labels for 10 rows", func(d *Data) { d.Labels[1] = d.Labels[1][:9] }},
		{"label", "row 0 is of class 3 of 2", func(d *Data) { d.Labels[1] = slices.Repeat([]int{3}, 10) }},
		{"nothing to learn from", "training part is empty", func(d *Data) { d.Train = nil }},
		{"no probe", "probe part is empty", func(d *Data) { d.Probe = nil }},
		{"nothing to judge by", "held-out part is empty", func(d *Data) { d.HeldOut = nil }},
		{"order", "training part is not ascending", func(d *Data) { slices.Reverse(d.Train) }},
		{"probe was learned", "row 3 is in the training part and in the probe part", func(d *Data) { d.Probe = []int{3, 8} }},
		{"probe is held out", "row 8 is in the probe part and in the held-out part", func(d *Data) { d.HeldOut = []int{8, 9} }},
		{"twice", "row 0 is in the training part and in the training part", func(d *Data) { d.Train = []int{0, 0, 1} }},
		{"below", "row -1, not within 0 and 9", func(d *Data) { d.Probe = []int{-1} }},
		{"beyond", "row 10, not within 0 and 9", func(d *Data) { d.HeldOut = []int{10} }},
		{"row left out", "9 of 10 rows", func(d *Data) { d.Train = d.Train[1:] }},
	} {
		d := blankData(10, 4, 2)
		tt.edit(d)
		if err := d.validate(); err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.reason)
		}
	}
	var none *Data
	if none.validate() == nil {
		t.Error("nil data were accepted")
	}
}
