package workload

import (
	"slices"
	"testing"
)

// Right has the rows in the order they were asked for, agrees with the accuracy,
// and says of each row what the row alone gives.
func TestEvaluateRight(t *testing.T) {
	s := garden(t)
	rows := slices.Clone(s.net.Data().Train) // more than one batch
	slices.Reverse(rows)
	ev, err := s.net.Evaluate(rows)
	ok(t, err)
	for task, right := range ev.Right {
		if len(right) != len(rows) {
			t.Fatalf("task %d: %d rows, want %d", task, len(right), len(rows))
		}
		hits := 0
		for i, row := range rows {
			alone, err := s.net.Evaluate([]int{row})
			ok(t, err)
			if alone.Right[task][0] != right[i] || alone.Accuracy[task] == 1 != right[i] {
				t.Fatalf("task %d, row %d: right is %v, alone it is %v", task, row, right[i], alone.Right[task][0])
			}
			if right[i] {
				hits++
			}
		}
		if got := float64(hits) / float64(len(rows)); got != ev.Accuracy[task] || hits == 0 || hits == len(rows) {
			t.Errorf("task %d: %d of %d rows right, accuracy %g", task, hits, len(rows), ev.Accuracy[task])
		}
	}
}
