package workload

import (
	"fmt"
	"slices"
)

// validate checks what the passes rely on.
func (d *Data) validate() error {
	if d == nil || d.X == nil || len(d.Tasks) == 0 || len(d.Labels) != len(d.Tasks) {
		return fmt.Errorf("the data needs features and labels for at least one task")
	}
	rows, features := d.X.Dims()
	if features < 1 || features > maxFeatures {
		return fmt.Errorf("%d features, not within 1 and %d", features, maxFeatures)
	}
	if d.Side != 0 && (d.Side < patchSide || d.Side > maxImage || d.Side*d.Side != features) {
		return fmt.Errorf("%d features are no image of side %d", features, d.Side)
	}
	seen := map[string]bool{}
	for t, task := range d.Tasks {
		if seen[task.Name] {
			return fmt.Errorf("task %d: the name %q is used twice", t, task.Name)
		}
		seen[task.Name] = true
		if err := task.validate(d.Labels[t], rows); err != nil {
			return fmt.Errorf("task %d (%q): %w", t, task.Name, err)
		}
	}
	return d.validateSplit(rows)
}

// validateSplit checks that the three parts are what Data says of them.
func (d *Data) validateSplit(rows int) error {
	owner := make([]string, rows)
	for _, part := range []struct {
		name string
		rows []int
	}{{"training", d.Train}, {"probe", d.Probe}, {"held-out", d.HeldOut}} {
		if len(part.rows) == 0 {
			return fmt.Errorf("the %s part is empty", part.name)
		}
		if !slices.IsSorted(part.rows) {
			return fmt.Errorf("the %s part is not ascending", part.name)
		}
		for _, r := range part.rows {
			if r < 0 || r >= rows {
				return fmt.Errorf("the %s part has row %d, not within 0 and %d", part.name, r, rows-1)
			}
			if owner[r] != "" {
				return fmt.Errorf("row %d is in the %s part and in the %s part", r, owner[r], part.name)
			}
			owner[r] = part.name
		}
	}
	if n := len(d.Train) + len(d.Probe) + len(d.HeldOut); n != rows {
		return fmt.Errorf("the parts have %d of %d rows", n, rows)
	}
	return nil
}

func (t Task) validate(labels []int, rows int) error {
	switch {
	case t.Name == "":
		return fmt.Errorf("it has no name")
	case t.Classes < 2 || t.Classes > maxWidth:
		return fmt.Errorf("%d classes, not within 2 and %d", t.Classes, maxWidth)
	case len(labels) != rows:
		return fmt.Errorf("%d labels for %d rows", len(labels), rows)
	}
	for i, label := range labels {
		if label < 0 || label >= t.Classes {
			return fmt.Errorf("row %d is of class %d of %d", i, label, t.Classes)
		}
	}
	return nil
}
